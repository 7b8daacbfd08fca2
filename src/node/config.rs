//! How a node is set up, and what it offers.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::de::DeserializeOwned;

use super::session::hostname;
use crate::{
    net::{naming::RegisterRequest, rpc::object::Object},
    queue::{
        context::Context,
        embedded,
        embedded::store,
        registry::{Registry, TaskError},
    },
};

/// How a node is set up.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Where the key is kept.
    pub data_dir: PathBuf,
    /// The UDP address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The broker and its workers.
    pub broker: embedded::BrokerConfig,
    /// The TCP address of the numbers for Prometheus; `None` serves none.
    pub metrics: Option<SocketAddr>,
    /// Addresses that lead to this process from elsewhere, when it cannot know them; empty lets it look.
    pub advertise: Vec<SocketAddr>,
    /// What it calls itself where it joins.
    pub label: String,
    /// Whether it tells the local network where it is, and looks there for joined nodes that moved.
    pub discover: bool,
    /// What it does without.
    pub disabled: BTreeSet<Component>,
}

/// A part of a node that it can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// The naming server: names are registered with those that were joined only.
    Naming,
    /// The greeter.
    Greeter,
    /// The broker, its file and its workers.
    Broker,
    /// The workers: tasks are taken and wait.
    Workers,
}

impl Component {
    /// Every part.
    pub const ALL: [Self; 4] = [Self::Naming, Self::Greeter, Self::Broker, Self::Workers];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Naming => "naming",
            Self::Greeter => "greeter",
            Self::Broker => "broker",
            Self::Workers => "workers",
        }
    }
}

impl NodeConfig {
    /// A node that keeps everything in this folder and is reached from this machine only.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self {
            data_dir: folder.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            broker: embedded::BrokerConfig {
                store: store::StoreConfig {
                    folder: Some(folder.to_owned()),
                    ..store::StoreConfig::default()
                },
                ..embedded::BrokerConfig::default()
            },
            metrics: None,
            advertise: Vec::new(),
            label: hostname(),
            discover: false,
            disabled: BTreeSet::new(),
        }
    }

    pub(super) fn has(&self, part: Component) -> bool {
        !self.disabled.contains(&part)
    }
}

/// What a process offers beside the greeter and the additions: objects under names, and tasks that its
/// workers can run.
#[derive(Default)]
pub struct Services {
    pub(super) objects: Vec<(RegisterRequest, Arc<dyn Object>)>,
    pub(super) tasks: Registry,
}

impl Services {
    /// Nothing of one's own yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves an object and registers it under a name, with tags.
    #[must_use]
    pub fn object(mut self, name: &str, tags: &[&str], object: impl Object + 'static) -> Self {
        let mut wanted = RegisterRequest::new(name, "");
        wanted.tags = tags.iter().map(ToString::to_string).collect();
        self.objects.push((wanted, Arc::new(object)));
        self
    }

    /// Makes a function available to the workers; see [`Registry::register`].
    #[must_use]
    pub fn task<A, F, R>(mut self, name: &str, function: F) -> Self
    where
        A: DeserializeOwned,
        F: Fn(A, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<String, TaskError>> + Send + 'static,
    {
        self.tasks.register(name, function);
        self
    }
}

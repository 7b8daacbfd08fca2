//! The configuration of a node.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{
    net::{
        naming::NamingLimits,
        rpc::endpoint::PeerLimits,
        trust::{members::JoinLimits, role::Role},
    },
    queue::{options::BrokerLimits, storage::StorageConfig},
};

/// The reason of every operation on a broker that a node does not have.
pub(super) const NO_BROKER: &str = "this node has no broker; it was started with --disable broker";

/// The configuration of a node.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The folder for the key, the names, the members and the joined nodes.
    pub data_dir: PathBuf,
    /// The UDP address to listen on; port 0 picks a free one, the last one if possible.
    pub listen: SocketAddr,
    /// The broker and its workers. Its durability applies to names as well.
    pub broker: BrokerOptions,
    /// The TCP address for metrics; `None` serves none.
    pub metrics: Option<SocketAddr>,
    /// The addresses at which others reach this process; empty detects them.
    pub advertise: Vec<SocketAddr>,
    /// The name of this process at nodes that it joins.
    pub label: String,
    /// Announce this node on the local network, and look there for joined nodes that have moved.
    pub discover: bool,
    /// The highest role here of the members of nodes that this one has joined, and of these nodes: at
    /// most [`Role::Member`].
    pub delegated_role: Role,
    /// The limits of what members use.
    pub peer_limits: PeerLimits,
    /// The limits of registered names.
    pub naming_limits: NamingLimits,
    /// The limits of joining.
    pub join_limits: JoinLimits,
    /// The components that do not run.
    pub disabled: BTreeSet<Component>,
}

/// The configuration of a node's broker, whatever its engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerOptions {
    /// Workers at the start; `None` is the default of the engine.
    pub workers: Option<usize>,
    /// The limits of the backlog and of runs.
    pub limits: BrokerLimits,
    /// The storage of the tasks.
    pub store: StorageConfig,
}

/// A component of a node that can be disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Component {
    /// The naming server; names are registered at joined nodes only.
    Naming,
    /// The greeter.
    Greeter,
    /// The broker, its file and its workers.
    Broker,
    /// The workers; tasks are accepted and wait.
    Workers,
}

impl NodeConfig {
    /// Returns the configuration of a node that stores everything in a folder and is reached from this
    /// machine only.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self {
            data_dir: folder.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            broker: BrokerOptions {
                store: StorageConfig {
                    folder: Some(folder.to_owned()),
                    ..StorageConfig::default()
                },
                ..BrokerOptions::default()
            },
            metrics: None,
            advertise: Vec::new(),
            label: hostname(),
            discover: false,
            delegated_role: Role::Read,
            peer_limits: PeerLimits::DEFAULT,
            naming_limits: NamingLimits::DEFAULT,
            join_limits: JoinLimits::default(),
            disabled: BTreeSet::new(),
        }
    }

    pub(super) fn has(&self, component: Component) -> bool {
        !self.disabled.contains(&component)
    }
}

/// Returns the machine's name.
#[must_use]
pub fn hostname() -> String {
    let system = rustix::system::uname();
    system.nodename().to_string_lossy().into_owned()
}

//! One process put together: a network with the naming server and the greeter on it, and a broker
//! with its workers. It starts in order and stops in order; everything it hands out is a handle that
//! may be used from any runtime.
//!
//! | room | what it is for |
//! |---|---|
//! | [`Node`], [`NodeConfig`], [`Services`], `start` | a node of this process |
//! | [`Session`], [`NodeHandle`] | a time with a node, here or elsewhere, and what may be done on it |
//! | [`known`], `links`, `service` | the nodes that this one has joined, and what goes on with them |
//! | `here`, `address`, `discover` | who has the data folder; where others can reach this process, and where those are that moved |
//! | `thread` | the one thread of the network |

mod address;
mod config;
mod discover;
mod error;
mod handle;
mod instance_lock;
pub mod known_nodes;
mod names_file;
mod names_journal;
mod service;
mod session;
mod start;
mod thread;
mod upstreams;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{runtime::Handle, sync::watch};
use tokio_util::sync::CancellationToken;

pub use self::{
    address::loopback_warning,
    config::{Component, NodeConfig, Services},
    error::NodeError,
    handle::{Locality, NamesEvent, NodeHandle, NodeInfo},
    service::{JoinOutcome, NodeClient},
    session::{Session, SessionError, hostname},
    upstreams::UpstreamStatus,
};
use self::{
    discover::Announcer, instance_lock::InstanceLock, thread::NetThread, upstreams::Upstreams,
};
use crate::{
    net::{
        naming::LeaseStatus,
        rpc::{endpoint::Endpoint, error::CallError},
        trust::key::PublicKey,
    },
    queue::broker::{Broker, ShutdownReport},
};

/// Each step of stopping the network takes at most this long.
const STEP: Duration = Duration::from_millis(500);

/// A running process.
pub struct Node {
    access: Arc<NodeHandle>,
    metrics: Option<SocketAddr>,
    net: Handle,
    endpoint: Endpoint,
    /// Where others can reach it.
    addrs: Vec<SocketAddr>,
    broker: Arc<dyn Broker>,
    links: Upstreams,
    desk: service::NodeService,
    /// Ends the naming server's clock and the registrations.
    stop: CancellationToken,
    /// How the registrations with its own naming server stand.
    standing: Vec<watch::Receiver<LeaseStatus>>,
    registrations: Mutex<Vec<tokio::task::JoinHandle<()>>>,
    ending: NetThread,
    _announcer: Option<Announcer>,
    /// The claim on the data folder.
    _here: InstanceLock,
}

impl Node {
    /// Starts everything. The greeter's registration goes on in the background, over the network.
    ///
    /// # Errors
    /// [`NodeError`], each with what to do about it.
    pub fn start(config: &NodeConfig) -> Result<Self, NodeError> {
        Self::start_with(config, Services::new())
    }

    /// What may be done on it.
    #[must_use]
    pub fn access(&self) -> Arc<NodeHandle> {
        Arc::clone(&self.access)
    }

    /// The key of this process.
    #[must_use]
    pub fn key(&self) -> PublicKey {
        self.access.about().key
    }

    /// Where this process reaches itself.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.access.about().addr
    }

    /// Where others can reach it, the likeliest first.
    #[must_use]
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Where the numbers for Prometheus are, if they are served.
    #[must_use]
    pub const fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// The broker.
    #[must_use]
    pub fn broker(&self) -> Arc<dyn Broker> {
        Arc::clone(&self.broker)
    }

    /// The network's runtime: to wait for something from a thread outside of every runtime.
    #[must_use]
    pub fn net(&self) -> Handle {
        self.net.clone()
    }

    /// Joins another node with its ticket, and registers there what is offered here.
    ///
    /// # Errors
    /// The other's refusal, or the call's own.
    pub async fn join(&self, ticket: &str) -> Result<JoinOutcome, CallError> {
        let (desk, ticket) = (self.desk.clone(), ticket.to_owned());
        let joining = self.net.spawn(async move { desk.join(&ticket).await });
        joining.await.map_err(|_ended| CallError::Closed)?
    }

    /// Waits until everything that this process offers is registered under its name.
    ///
    /// # Errors
    /// The naming server's refusal, which asking again would not change.
    pub async fn registered(&self) -> Result<(), CallError> {
        for standing in &self.standing {
            let mut standing = standing.clone();
            let settled = |status: &LeaseStatus| {
                matches!(status, LeaseStatus::Held | LeaseStatus::Refused(_))
            };
            let status = standing.wait_for(settled).await;
            match &*status.map_err(|_ended| CallError::Closed)? {
                LeaseStatus::Refused(why) => return Err(why.clone()),
                _ => continue,
            }
        }
        Ok(())
    }

    /// Stops in order: names are taken back, running tasks end (at most `grace`), running
    /// calls end, peers are told, threads are joined.
    pub async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        self.stop.cancel();
        let mut registrations = {
            let registrations = self.registrations.lock();
            std::mem::take(&mut *registrations.unwrap_or_else(PoisonError::into_inner))
        };
        registrations.extend(self.links.take_running());
        let all = futures_util::future::join_all(registrations);
        let ended = async move { tokio::time::timeout(STEP, all).await };
        self.net.spawn(ended).await.ok();
        let drained = self.broker.shutdown(grace).await.unwrap_or_default();
        let endpoint = self.endpoint.clone();
        let ended = async move { endpoint.shutdown(STEP).await };
        self.net.spawn(ended).await.ok();
        self.end();
        drained
    }

    /// Ends the network's thread, after a shutdown or in place of one.
    pub fn end(&self) {
        self.ending.end();
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({} at {})", self.key().fingerprint(), self.addr())
    }
}

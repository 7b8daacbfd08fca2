//! A running node of this process.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{runtime::Handle, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    discover::Announcer, handle::NodeHandle, instance_lock::InstanceLock, net_thread::NetThread,
    service::JoinOutcome, upstreams::Upstreams,
};
use crate::{
    net::{
        naming::LeaseStatus,
        rpc::{endpoint::Endpoint, error::CallError},
        trust::{key::PublicKey, ticket::Ticket},
    },
    queue::broker::{Broker, ShutdownReport},
};

/// The longest wait for each step of stopping the network.
const STEP_TIMEOUT: Duration = Duration::from_millis(500);

/// A node of this process.
pub struct Node {
    pub(super) handle: Arc<NodeHandle>,
    pub(super) metrics: Option<SocketAddr>,
    pub(super) endpoint: Endpoint,
    pub(super) addrs: Vec<SocketAddr>,
    pub(super) upstreams: Upstreams,
    /// Ends the naming server's clock and the registrations.
    pub(super) stop: CancellationToken,
    /// The registrations with its own naming server.
    pub(super) registrations: Registrations,
    pub(super) thread: NetThread,
    pub(super) _announcer: Option<Announcer>,
    pub(super) _lock: InstanceLock,
}

/// Registrations with the node's own naming server.
#[derive(Default)]
pub(super) struct Registrations {
    pub(super) statuses: Vec<watch::Receiver<LeaseStatus>>,
    pub(super) tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Node {
    /// Returns the handle to this node.
    #[must_use]
    pub fn handle(&self) -> Arc<NodeHandle> {
        Arc::clone(&self.handle)
    }

    /// Returns the key of this process.
    #[must_use]
    pub fn key(&self) -> PublicKey {
        self.handle.info().key
    }

    /// Returns the address at which this process reaches itself.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.handle.info().addr
    }

    /// Returns the addresses at which others reach it, the likeliest first.
    #[must_use]
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Returns the address of the metrics, if they are served.
    #[must_use]
    pub const fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Returns the broker.
    #[must_use]
    pub fn broker(&self) -> Arc<dyn Broker> {
        self.handle.broker()
    }

    /// Returns the runtime of the network, to wait for something from a thread outside of every runtime.
    #[must_use]
    pub fn net(&self) -> Handle {
        self.handle.net()
    }

    /// Joins another node and registers this node's services there.
    ///
    /// # Errors
    /// The other node's refusal, or the call's own.
    pub async fn join(&self, ticket: &Ticket) -> Result<JoinOutcome, CallError> {
        self.handle.join(ticket.clone()).await
    }

    /// Waits until every service of this process is registered under its name. A registration that the
    /// naming server cannot store, because the disk is full, is not waited for: it is tried again in the
    /// background, and its findings say so.
    ///
    /// # Errors
    /// The naming server's permanent refusal.
    pub async fn registered(&self) -> Result<(), CallError> {
        for status in &self.registrations.statuses {
            let mut status = status.clone();
            let is_final = |status: &LeaseStatus| {
                matches!(
                    status,
                    LeaseStatus::Held
                        | LeaseStatus::Refused(_)
                        | LeaseStatus::Taken(_)
                        | LeaseStatus::Failing(CallError::Remote(_))
                )
            };
            let status = status.wait_for(is_final).await;
            match &*status.map_err(|_ended| CallError::Closed)? {
                LeaseStatus::Refused(error) | LeaseStatus::Taken(error) => {
                    return Err(error.clone());
                }
                _ => continue,
            }
        }
        Ok(())
    }

    /// Stops in order: names are unregistered, running tasks finish (within `grace`), running calls
    /// finish, connections are closed, threads are joined.
    pub async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        self.stop.cancel();
        let mut tasks = {
            let tasks = self.registrations.tasks.lock();
            std::mem::take(&mut *tasks.unwrap_or_else(PoisonError::into_inner))
        };
        tasks.extend(self.upstreams.take_tasks());
        let all = futures_util::future::join_all(tasks);
        let unregistered = async move { tokio::time::timeout(STEP_TIMEOUT, all).await };
        self.net().spawn(unregistered).await.ok();
        let report = self.broker().shutdown(grace).await.unwrap_or_default();
        let endpoint = self.endpoint.clone();
        let closed = async move { endpoint.shutdown(STEP_TIMEOUT).await };
        self.net().spawn(closed).await.ok();
        self.end();
        report
    }

    /// Ends the network's thread, after a shutdown or in place of one.
    pub fn end(&self) {
        self.thread.join();
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({} at {})", self.key().fingerprint(), self.addr())
    }
}

//! The server: one task accepts connections, one task owns each of them, and one task runs each call. A
//! fault of a peer ends the smallest of the three.

mod call;
mod connection;
mod join;
mod refusals;
mod request;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(super) use self::refusals::Refusals;
use super::object::Objects;
use crate::net::{
    quic::{
        limits::{RETRY_ABOVE, Reception},
        quotas::Quotas,
    },
    trust::{identity::Identity, members::Members},
};

/// State shared by the accept loop and every connection.
pub(super) struct ServerState {
    pub(super) quinn: quinn::Endpoint,
    pub(super) identity: Identity,
    pub(super) members: Members,
    pub(super) objects: Objects,
    /// Cancelled at the beginning of a shutdown: nothing is accepted after it.
    pub(super) stopping: CancellationToken,
    /// Connections and the calls on them.
    pub(super) tasks: TaskTracker,
    pub(super) calls: CallCounts,
    /// Connections that are not authorized yet.
    pub(super) reception: Reception,
    /// The use of authorized keys, and its limits.
    pub(super) quotas: Quotas,
    pub(super) refusals: Refusals,
}

/// Counts of finished calls since the start.
#[derive(Debug, Default)]
pub(super) struct CallCounts {
    succeeded: AtomicU64,
    failed: AtomicU64,
}

impl CallCounts {
    fn record(&self, succeeded: bool) {
        let counter = match succeeded {
            true => &self.succeeded,
            false => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the numbers of calls that succeeded and that failed.
    pub(super) fn load(&self) -> (u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.succeeded), load(&self.failed))
    }
}

/// Accepts connections until the endpoint stops.
pub(super) async fn accept(shared: Arc<ServerState>) {
    let reception = &shared.reception;
    loop {
        let incoming = tokio::select! {
            incoming = shared.quinn.accept() => incoming,
            () = shared.stopping.cancelled() => None,
        };
        let Some(incoming) = incoming else { return };
        let flooded = reception.handshakes.taken() > RETRY_ABOVE;
        if flooded && !incoming.remote_address_validated() {
            reception.record_retry();
            // It fails for a packet whose token has expired; such a packet needs no reply.
            incoming.retry().ok();
        } else {
            let slot = reception.handshakes.acquire(incoming.remote_address().ip());
            let serving = connection::serve(Arc::clone(&shared), incoming, slot);
            shared.tasks.spawn(serving);
        }
    }
}

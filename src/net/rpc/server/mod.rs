//! The server: one task accepts connections, one task owns each of them, and one task runs each call. A
//! fault of a peer ends the smallest of the three.

mod call;
mod join;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quinn::{Connection, Incoming};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    object::{Caller, Objects},
    reply::ReplyWriter,
    wire::{FrameError, Hello},
};
use crate::net::{
    quic::{
        limits::{AcceptStats, ConnectionLimiter, MAX_CONNECTIONS, RETRY_ABOVE},
        stream::CloseCode,
        transport,
    },
    trust::{
        identity::Identity,
        members::{Admission, Members},
    },
};

/// Limit of a handshake's duration.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// The time that a client has to send a whole request.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

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
    pub(super) accept_stats: AcceptStats,
    pub(super) limiter: ConnectionLimiter,
    /// Limits the unknown keys that ask to join at once.
    pub(super) joining: Semaphore,
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
    let stats = &shared.accept_stats;
    loop {
        let incoming = tokio::select! {
            incoming = shared.quinn.accept() => incoming,
            () = shared.stopping.cancelled() => None,
        };
        let Some(incoming) = incoming else { return };
        let busy = stats.handshaking.load(Ordering::Relaxed) > RETRY_ABOVE;
        if busy && !incoming.remote_address_validated() {
            stats.retried.fetch_add(1, Ordering::Relaxed);
            // It fails for a packet whose token has expired; such a packet needs no reply.
            incoming.retry().ok();
        } else {
            let full = shared.quinn.open_connections() > MAX_CONNECTIONS;
            let task = serve_connection(Arc::clone(&shared), incoming, full);
            shared.tasks.spawn(task);
        }
    }
}

/// Completes a handshake within [`HANDSHAKE_TIMEOUT`] and counts it meanwhile.
async fn handshake(shared: &ServerState, incoming: Incoming) -> Option<Connection> {
    let from = incoming.remote_address();
    let handshaking = &shared.accept_stats.handshaking;
    handshaking.fetch_add(1, Ordering::Relaxed);
    let result = timeout(HANDSHAKE_TIMEOUT, incoming).await;
    handshaking.fetch_sub(1, Ordering::Relaxed);
    match result {
        Ok(Ok(connection)) => return Some(connection),
        Ok(Err(error)) => tracing::debug!(%from, %error, "handshake failed"),
        Err(_elapsed) => tracing::debug!(%from, "handshake timed out"),
    }
    None
}

async fn serve_connection(shared: Arc<ServerState>, incoming: Incoming, full: bool) {
    let from = incoming.remote_address();
    let Some(connection) = handshake(&shared, incoming).await else {
        return;
    };
    let Some(key) = transport::peer_key(&connection) else {
        return CloseCode::Unauthorized.close(&connection, "there is no key");
    };
    if transport::is_joining(&connection) {
        return match shared.joining.try_acquire() {
            Ok(_permit) => join::serve(&shared, &connection, key).await,
            Err(_full) => CloseCode::Busy.close(&connection, "too many ask to join"),
        };
    }
    if full {
        return CloseCode::Busy.close(&connection, "too many connections");
    }
    let Some(Admission { role, revoked }) = shared.members.authorize(&key) else {
        shared.accept_stats.denied.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(%from, key = key.fingerprint(), "an unknown key was refused");
        return CloseCode::Unauthorized.close(&connection, "this key is not known here");
    };
    let Some(_permit) = shared.limiter.try_acquire(key) else {
        return CloseCode::Busy.close(&connection, "too many connections of one key");
    };
    let caller = Caller {
        principal: key.into(),
        role,
    };
    transport::grant_stream_limits(&connection);
    tracing::debug!(%from, key = key.fingerprint(), "connected");
    if let Err(error) = send_hello(&connection, caller).await {
        return tracing::debug!(%from, %error, "hello failed");
    }
    let mut stopping = std::pin::pin!(shared.stopping.cancelled());
    let mut revoked = std::pin::pin!(revoked.cancelled());
    loop {
        let stream = tokio::select! {
            biased;
            () = &mut stopping => return,
            () = &mut revoked => {
                tracing::info!(%from, key = key.fingerprint(), "the role of this key has changed");
                return CloseCode::RoleChanged.close(&connection, "the role of this key has changed");
            }
            stream = connection.accept_bi() => stream,
        };
        match stream {
            Ok((send, recv)) => {
                let call_shared = Arc::clone(&shared);
                // Boxed, because the future is some 1,600 bytes large and would be moved five times on
                // its way into the runtime.
                shared.tasks.spawn(Box::pin(async move {
                    call::serve(&call_shared, caller, ReplyWriter::new(send), recv).await;
                }));
            }
            Err(error) => return tracing::debug!(%from, %error, "disconnected"),
        }
    }
}

async fn send_hello(connection: &Connection, caller: Caller) -> Result<(), FrameError> {
    let stream = connection
        .open_uni()
        .await
        .map_err(|e| std::io::Error::new(std::io::ErrorKind::NotConnected, e))?;
    let mut stream = ReplyWriter::new(stream);
    let hello = Hello {
        role: caller.role,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    stream.write(&hello).await?;
    stream.finish();
    Ok(())
}

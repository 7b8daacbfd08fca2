//! One connection from its handshake to its end. Every wait in its life ends with a limit of time, with the
//! end of the key's role, or with the endpoint.

use std::sync::Arc;

use quinn::{Connection, ConnectionError, Incoming};
use tokio::time::{Duration, timeout};
use tokio_util::sync::CancellationToken;

use super::{ServerState, call, join};
use crate::net::{
    quic::{
        limits::HANDSHAKE_TIMEOUT, quotas::ConnectionPermit, slots::PendingSlot, stream::CloseCode,
        transport,
    },
    rpc::{
        object::Caller,
        reply::ReplyWriter,
        wire::{FrameError, Hello},
    },
    trust::{key::PublicKey, members::Admission, role::Role},
};

/// Limit of the time until a client has granted the stream of the hello and taken it.
const HELLO_TIMEOUT: Duration = Duration::from_secs(2);

/// An authorized connection, shared by its calls.
pub(super) struct ServerConnection {
    pub(super) shared: Arc<ServerState>,
    pub(super) caller: Caller,
    pub(super) quota: ConnectionPermit,
    /// Cancelled when the role of the key changes.
    pub(super) revoked: Arc<CancellationToken>,
}

/// Serves a connection from its handshake to its end.
pub(super) async fn serve(shared: Arc<ServerState>, incoming: Incoming, slot: PendingSlot) {
    let from = incoming.remote_address();
    let Some(connection) = handshake(incoming, slot).await else {
        return;
    };
    let Some(key) = transport::peer_key(&connection) else {
        return CloseCode::Unauthorized.close(&connection, "there is no key");
    };
    if transport::is_joining(&connection) {
        return join::serve(&shared, &connection, key).await;
    }
    let Some(served) = authorize(&shared, &connection, key) else {
        return;
    };
    transport::grant_stream_limits(&connection, served.quota.number());
    tracing::debug!(%from, key = key.fingerprint(), "connected");
    let revoked = Arc::clone(&served.revoked);
    tokio::select! {
        biased;
        () = shared.stopping.cancelled() => {}
        () = revoked.cancelled() => {
            tracing::info!(%from, key = key.fingerprint(), "the role of this key has changed");
            CloseCode::RoleChanged.close(&connection, "the role of this key has changed");
        }
        () = serve_calls(&connection, Arc::new(served)) => {
            tracing::debug!(%from, key = key.fingerprint(), "disconnected");
        }
    }
}

/// Completes a handshake, unless it takes too long or its slot is given to a new peer.
async fn handshake(incoming: Incoming, slot: PendingSlot) -> Option<Connection> {
    let from = incoming.remote_address();
    let result = tokio::select! {
        result = timeout(HANDSHAKE_TIMEOUT, incoming) => result,
        () = slot.evicted() => {
            tracing::debug!(%from, "an unfinished handshake made room for another");
            return None;
        }
    };
    match result {
        Ok(Ok(connection)) => return Some(connection),
        Ok(Err(error)) => tracing::debug!(%from, %error, "handshake failed"),
        Err(_elapsed) => tracing::debug!(%from, "handshake timed out"),
    }
    None
}

/// Admits a connection of a key that may connect and is within its quota, and closes any other.
fn authorize(
    shared: &Arc<ServerState>,
    connection: &Connection,
    key: PublicKey,
) -> Option<ServerConnection> {
    let from = connection.remote_address();
    let Some(Admission { role, revoked }) = shared.members.authorize(&key) else {
        shared.reception.record_denied();
        if shared.record_refusal(from.ip()) {
            tracing::warn!(%from, key = key.fingerprint(), "an unknown key was refused");
        }
        CloseCode::Unauthorized.close(connection, "this key is not known here");
        return None;
    };
    let role = match transport::is_read_only(connection) {
        true => Role::Read,
        false => role,
    };
    match shared.quotas.connect(key) {
        Ok(quota) => Some(ServerConnection {
            shared: Arc::clone(shared),
            caller: Caller {
                principal: key.into(),
                role,
            },
            quota,
            revoked,
        }),
        Err(error) => {
            shared.reception.record_busy();
            tracing::debug!(%from, key = key.fingerprint(), %error, "a connection was refused");
            CloseCode::Busy.close(connection, &error.to_string());
            None
        }
    }
}

/// Greets the client, then runs each of its calls in a task.
async fn serve_calls(connection: &Connection, served: Arc<ServerConnection>) {
    let from = connection.remote_address();
    match timeout(HELLO_TIMEOUT, send_hello(connection, served.caller)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return tracing::debug!(%from, %error, "hello failed"),
        Err(_elapsed) => {
            let reason = "the client takes no hello";
            tracing::debug!(%from, reason, "hello failed");
            return CloseCode::Cancelled.close(connection, reason);
        }
    }
    loop {
        match connection.accept_bi().await {
            Ok((send, recv)) => {
                let called = Arc::clone(&served);
                // Boxed, because the future is some 1,600 bytes large and would be moved five times on
                // its way into the runtime.
                served.shared.tasks.spawn(Box::pin(async move {
                    call::serve(&called, ReplyWriter::new(send), recv).await;
                }));
            }
            Err(error) => return log_end(connection, &error),
        }
    }
}

fn log_end(connection: &Connection, error: &ConnectionError) {
    tracing::debug!(from = %connection.remote_address(), %error, "the connection ended");
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

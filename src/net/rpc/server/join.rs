//! Join requests of unknown keys.

use std::sync::Arc;

use quinn::Connection;
use tokio::time::timeout;

use super::ServerState;
use crate::{
    net::{
        quic::{limits::JOIN_TIMEOUT, stream::CloseCode, transport},
        rpc::{
            error::{Code, RemoteError},
            join::JoinRequest,
            reply::ReplyWriter,
            wire::{self, FrameError},
        },
        trust::{key::PublicKey, members::AdmissionError, role::Role},
    },
    value::Encoded,
};

/// Serves one request on a connection. The client disconnects when it has the reply. Waits for the client
/// end when its slot is given to a new peer.
pub(super) async fn serve(shared: &Arc<ServerState>, connection: &Connection, key: PublicKey) {
    let slot = shared
        .reception
        .joins
        .acquire(connection.remote_address().ip());
    let request = tokio::select! {
        biased;
        request = timeout(JOIN_TIMEOUT, read(connection)) => request,
        () = slot.evicted() => return refuse_busy(shared, connection),
        () = shared.stopping.cancelled() => return,
    };
    let Ok(Some((reply, request))) = request else {
        return CloseCode::Unauthorized.close(connection, "there was no request");
    };
    let result = match request {
        Ok(Some(request)) => admit(shared, connection, key, &request)
            .await
            .map_err(RemoteError::from),
        Ok(None) => Err(RemoteError::new(Code::Malformed, "there was no request")),
        Err(error) => Err(RemoteError::new(Code::Malformed, error.to_string())),
    };
    let replied = async {
        send(shared, connection, key, reply, result).await;
        // Closing now could discard the reply before it is read.
        connection.closed().await;
    };
    tokio::select! {
        _ = timeout(JOIN_TIMEOUT, replied) => {}
        () = slot.evicted() => {}
        () = shared.stopping.cancelled() => {}
    }
}

type Request = (ReplyWriter, Result<Option<JoinRequest>, FrameError>);

async fn read(connection: &Connection) -> Option<Request> {
    let (send, mut recv) = connection.accept_bi().await.ok()?;
    let request = wire::read::<JoinRequest>(&mut recv).await;
    Some((ReplyWriter::new(send), request))
}

fn refuse_busy(shared: &Arc<ServerState>, connection: &Connection) {
    shared.reception.record_busy();
    CloseCode::Busy.close(connection, "too many ask to join");
}

async fn send(
    shared: &Arc<ServerState>,
    connection: &Connection,
    key: PublicKey,
    reply: ReplyWriter,
    result: Result<Role, RemoteError>,
) {
    let from = connection.remote_address();
    match result {
        Ok(role) => {
            tracing::info!(%from, %key, %role, "joined");
            reply
                .send_result(Encoded::from(&role.as_str().into()))
                .await;
        }
        Err(error) => {
            shared.reception.record_denied();
            if shared.record_refusal(from.ip()) {
                tracing::warn!(%from, %key, %error, "could not join");
            }
            reply.send_error(error).await;
        }
    }
}

async fn admit(
    shared: &Arc<ServerState>,
    connection: &Connection,
    key: PublicKey,
    request: &JoinRequest,
) -> Result<Role, AdmissionError> {
    let secret = shared.identity.ticket_secret(request.role, request.serial);
    let session = transport::session_secret(connection, request.role, request.serial);
    if !session.is_some_and(|session| secret.verify(&session, &request.proof)) {
        // Without a proof a client does not learn whether the ticket exists.
        return Err(AdmissionError::UnknownTicket);
    }
    let members = &shared.members;
    members
        .join(request.serial, request.role, key, &request.label)
        .await
}

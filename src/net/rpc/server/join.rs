//! Join requests of unknown keys.

use std::sync::atomic::Ordering;

use quinn::Connection;
use tokio::time::timeout;

use super::{READ_TIMEOUT, ServerState};
use crate::{
    net::{
        quic::{stream::CloseCode, transport},
        rpc::{
            error::{Code, RemoteError},
            join::JoinRequest,
            reply::ReplyWriter,
            wire,
        },
        trust::{key::PublicKey, members::AdmissionError, role::Role},
    },
    value::Encoded,
};

/// Serves one request on a connection. The client disconnects when it has the reply.
pub(super) async fn serve(shared: &ServerState, connection: &Connection, key: PublicKey) {
    let reading = async {
        let (send, mut recv) = connection.accept_bi().await.ok()?;
        let request = wire::read::<JoinRequest>(&mut recv).await;
        Some((ReplyWriter::new(send), request))
    };
    let Ok(Some((reply, request))) = timeout(READ_TIMEOUT, reading).await else {
        return CloseCode::Unauthorized.close(connection, "there was no request");
    };
    let result = match request {
        Ok(Some(request)) => admit(shared, connection, key, &request)
            .await
            .map_err(RemoteError::from),
        Ok(None) => Err(RemoteError::new(Code::Malformed, "there was no request")),
        Err(error) => Err(RemoteError::new(Code::Malformed, error.to_string())),
    };
    let from = connection.remote_address();
    match result {
        Ok(role) => {
            tracing::info!(%from, %key, %role, "joined");
            reply
                .send_result(Encoded::from(&role.as_str().into()))
                .await;
        }
        Err(error) => {
            shared.accept_stats.denied.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%from, %key, %error, "could not join");
            reply.send_error(error).await;
        }
    }
    // Closing now could discard the reply before it is read.
    timeout(READ_TIMEOUT, connection.closed()).await.ok();
}

async fn admit(
    shared: &ServerState,
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

//! Joining: one proof of a ticket, after which the key is enough.

use quinn::ConnectionError;
use tokio::time::timeout;

use super::{
    Client, DEADLINE,
    dial::{CONNECT_TIMEOUT, connection_error, unless_busy, unreachable},
    happy_eyeballs::race,
};
use crate::{
    cause::Cause,
    net::{
        quic::{
            stream::{CloseCode, ResetOnDrop},
            transport::{self, JOIN_ALPN},
        },
        rpc::{
            error::CallError,
            join::JoinRequest,
            wire::{self, FrameError, Reply},
        },
        trust::{peer_addr::PeerAddr, role::Role, ticket::Ticket},
    },
};

impl Client {
    /// Joins the server of a ticket: proves the ticket's secret for this session, after which the server
    /// knows this process's key. Uses the first of the ticket's addresses that replies.
    ///
    /// # Errors
    /// [`CallError::Remote`] with the server's reason, [`CallError::Connect`] when it is not reached,
    /// [`CallError::Busy`] when too many ask to join it at once, or [`CallError::Deadline`] when it does
    /// not reply within [`DEADLINE`].
    pub async fn join(&self, ticket: &Ticket, label: &str) -> Result<(PeerAddr, Role), CallError> {
        unless_busy(|| self.join_once(ticket, label)).await
    }

    async fn join_once(&self, ticket: &Ticket, label: &str) -> Result<(PeerAddr, Role), CallError> {
        let dial = |peer| async move {
            let config = self.config(peer, JOIN_ALPN)?;
            let dialed = timeout(CONNECT_TIMEOUT, self.handshake(peer, config)).await;
            let connection = dialed.unwrap_or_else(|_elapsed| Err(unreachable(peer)))?;
            Ok((peer, connection))
        };
        let (peer, connection) = race(ticket.peers(), dial).await?;
        let proving = prove(peer, &connection, ticket, label);
        let proved = timeout(DEADLINE, proving).await;
        let role = proved.unwrap_or(Err(CallError::Deadline(DEADLINE)))?;
        CloseCode::Shutdown.close(&connection, "joined");
        Ok((peer, role))
    }
}

async fn prove(
    peer: PeerAddr,
    connection: &quinn::Connection,
    ticket: &Ticket,
    label: &str,
) -> Result<Role, CallError> {
    let session = transport::session_secret(connection, ticket.role, ticket.serial)
        .ok_or_else(|| CallError::protocol("the session exports no key material"))?;
    let request = JoinRequest {
        serial: ticket.serial,
        role: ticket.role,
        label: label.to_owned(),
        proof: ticket.secret.prove(&session),
    };
    let (send, mut recv) = connection
        .open_bi()
        .await
        .map_err(|e| connection_error(peer, e))?;
    let mut out = ResetOnDrop::new(send);
    let lost = |error: FrameError| match connection.close_reason() {
        // The server ended the connection and said why.
        Some(reason @ ConnectionError::ApplicationClosed(_)) => connection_error(peer, reason),
        _ => CallError::Lost {
            peer: peer.to_string(),
            reason: Cause::from_error(error),
        },
    };
    let frame = wire::encode(&request).map_err(lost)?;
    out.write_frame(&frame).await.map_err(|e| lost(e.into()))?;
    out.finish();
    let reply = wire::read::<Reply>(&mut recv).await.map_err(lost)?;
    match reply {
        Some(Reply::Ok(role)) => role
            .to_typed()
            .map_err(|e| CallError::protocol_error("unexpected role", e)),
        Some(Reply::Err(error)) => Err(error.into()),
        None => Err(CallError::protocol("the reply is empty")),
    }
}

//! Being let in: one proof, and from then on the key is enough.

use tokio::time::timeout;

use super::{
    Client, DEADLINE,
    dial::{CONNECT, refused, unreachable},
    happy_eyeballs::first,
};
use crate::net::{
    peer_addr::PeerAddr,
    quic::{
        stream::{GOODBYE, ResetOnDrop},
        transport,
    },
    rpc::{
        error::CallError,
        wire::{self, FrameError, JOIN_ALPN, Join, Reply, Role},
    },
    trust::ticket::Ticket,
};

impl Client {
    /// Joins the server of a ticket: proves the ticket's secret for this very session, and is remembered
    /// there by this process's key from then on. The first of its addresses that answers is used.
    ///
    /// # Errors
    /// [`CallError::Remote`] with the server's reason, [`CallError::Connect`] when it is not reached, or
    /// [`CallError::Deadline`] when it is and says nothing for [`DEADLINE`].
    pub async fn join(&self, ticket: &Ticket, label: &str) -> Result<(PeerAddr, Role), CallError> {
        let dial = |peer| async move {
            let config = self.config(peer, JOIN_ALPN)?;
            let dialled = timeout(CONNECT, self.handshake(peer, config)).await;
            let connection = dialled.unwrap_or_else(|_elapsed| Err(unreachable(peer)))?;
            Ok((peer, connection))
        };
        let (peer, connection) = first(ticket.peers(), dial).await?;
        let proving = prove(peer, &connection, ticket, label);
        let proved = timeout(DEADLINE, proving).await;
        let role = proved.unwrap_or(Err(CallError::Deadline(DEADLINE)))?;
        connection.close(GOODBYE, b"joined");
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
        .ok_or_else(|| CallError::Protocol("the session has no secret to prove by".into()))?;
    let options = Join {
        serial: ticket.serial,
        role: ticket.role,
        label: label.to_owned(),
        proof: ticket.secret.prove(&session),
    };
    let (send, mut recv) = connection.open_bi().await.map_err(|e| refused(peer, &e))?;
    let mut out = ResetOnDrop(Some(send));
    let lost = |error: FrameError| CallError::Lost {
        peer: peer.to_string(),
        reason: error.to_string(),
    };
    out.write(&options).await.map_err(lost)?;
    out.finish();
    let reply = wire::read::<Reply>(&mut recv).await.map_err(lost)?;
    match reply {
        Some(Reply::Ok(role)) => role
            .to_typed()
            .map_err(|e| CallError::Protocol(e.to_string())),
        Some(Reply::Err(error)) => Err(error.into()),
        None => Err(CallError::Protocol("the answer is empty".into())),
    }
}

//! Being let in: one proof, and from then on the key is enough.

use tokio::time::{Instant, timeout_at};

use super::{Client, DEADLINE, dial::refused};
use crate::net::{
    fault::CallError,
    peer::Peer,
    stream::{GOODBYE, Outgoing},
    ticket::Ticket,
    transport,
    wire::{self, FrameError, JOIN_ALPN, Join, Reply, Role},
};

impl Client {
    /// Joins the server of a ticket: proves the ticket's secret for this very session, and is remembered
    /// there by this process's key from then on. The addresses are tried one after the other.
    ///
    /// # Errors
    /// [`CallError::Remote`] with the server's reason, or the last address's error.
    pub async fn join(&self, ticket: &Ticket, label: &str) -> Result<(Peer, Role), CallError> {
        let mut failed = CallError::Protocol("the ticket has no address".into());
        for peer in ticket.peers() {
            let joining = self.join_at(peer, ticket, label);
            let joined = timeout_at(Instant::now() + DEADLINE, joining).await;
            match joined.unwrap_or(Err(CallError::Deadline(DEADLINE))) {
                Ok(role) => return Ok((peer, role)),
                Err(error @ CallError::Remote(_)) => return Err(error),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn join_at(&self, peer: Peer, ticket: &Ticket, label: &str) -> Result<Role, CallError> {
        let config = self.config(peer, JOIN_ALPN)?;
        let connection = self.shake_hands(peer, config).await?;
        let session = transport::session_secret(&connection, ticket.role, ticket.serial)
            .ok_or_else(|| CallError::Protocol("the session has no secret to prove by".into()))?;
        let wish = Join {
            serial: ticket.serial,
            role: ticket.role,
            label: label.to_owned(),
            proof: ticket.secret.prove(&session),
        };
        let (send, mut recv) = connection.open_bi().await.map_err(|e| refused(peer, &e))?;
        let mut out = Outgoing(Some(send));
        let lost = |error: FrameError| CallError::Lost {
            peer: peer.to_string(),
            reason: error.to_string(),
        };
        out.write(&wish).await.map_err(lost)?;
        out.finish();
        let reply = wire::read::<Reply>(&mut recv).await.map_err(lost)?;
        connection.close(GOODBYE, b"joined");
        match reply {
            Some(Reply::Ok(role)) => role
                .to_typed()
                .map_err(|e| CallError::Protocol(e.to_string())),
            Some(Reply::Err(fault)) => Err(fault.into()),
            None => Err(CallError::Protocol("the answer is empty".into())),
        }
    }
}

//! The typed client of the object of members.

use super::{
    MemberEntry, MemberStatus, NAME, TicketOptions, WhoAmI,
    contract::{INVALIDATE_TICKETS, ISSUE_TICKET, LIST, REVOKE, USAGE, WATCH, WHO_AM_I},
};
use crate::net::{
    rpc::{
        client::Client,
        endpoint::EndpointUsage,
        error::CallError,
        service::{ItemStream, Stub},
    },
    trust::{members::Member, peer_addr::PeerAddr, role::Role},
};

/// A client of one server's members.
#[derive(Debug, Clone)]
pub struct AdmissionClient(Stub);

impl AdmissionClient {
    /// Creates a client of the server at this peer.
    #[must_use]
    pub fn new(client: Client, server: PeerAddr) -> Self {
        Self(Stub::new(client, server, NAME))
    }

    /// Returns the peer that serves the object.
    #[must_use]
    pub const fn server(&self) -> PeerAddr {
        self.0.peer()
    }

    /// Returns this process's key and role there, and the facts about the server.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn who_am_i(&self) -> Result<WhoAmI, CallError> {
        self.0.call(&WHO_AM_I, &[]).await
    }

    /// Returns every member.
    ///
    /// # Errors
    /// [`crate::net::rpc::error::Code::Denied`] for readers, or those of every call.
    pub async fn list(&self) -> Result<Vec<MemberStatus>, CallError> {
        self.0.call(&LIST, &[]).await
    }

    /// Returns what peers use of the node, and the limits.
    ///
    /// # Errors
    /// As [`AdmissionClient::list`].
    pub async fn usage(&self) -> Result<EndpointUsage, CallError> {
        self.0.call(&USAGE, &[]).await
    }

    /// Issues a ticket; returns its text.
    ///
    /// # Errors
    /// [`crate::net::rpc::error::Code::Denied`] for all but admins, or those of every call.
    pub async fn issue_ticket(
        &self,
        role: Role,
        options: TicketOptions,
    ) -> Result<String, CallError> {
        let args = (Some(role), Some(options));
        self.0.call(&ISSUE_TICKET, &args).await
    }

    /// Invalidates every ticket, or those of one role; returns their number.
    ///
    /// # Errors
    /// As [`AdmissionClient::issue_ticket`].
    pub async fn invalidate_tickets(&self, role: Option<Role>) -> Result<usize, CallError> {
        self.0.call(&INVALIDATE_TICKETS, &(role,)).await
    }

    /// Removes a member, given by key prefix or label.
    ///
    /// # Errors
    /// [`crate::net::rpc::error::Code::NotFound`], or as [`AdmissionClient::issue_ticket`].
    pub async fn revoke(&self, member: &str) -> Result<Member, CallError> {
        self.0.call(&REVOKE, &(member.to_owned(),)).await
    }

    /// Watches the list of members: an item now and after every change.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn watch(&self) -> Result<ItemStream<Vec<MemberEntry>>, CallError> {
        self.0.open(&WATCH, &[]).await
    }
}

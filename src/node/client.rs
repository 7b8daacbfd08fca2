//! The client of a node's own service.

use std::time::Duration;

use super::{
    service::{
        ACKNOWLEDGE, FINDINGS, JOIN, JoinOutcome, LEAVE, NAME, NodeStatus, STATUS, UPSTREAMS,
    },
    upstreams::UpstreamStatus,
};
use crate::{
    health::Finding,
    net::{
        rpc::{
            client::{Client, DEADLINE},
            error::CallError,
            service::Stub,
        },
        trust::{
            peer_addr::PeerAddr,
            ticket::{MAX_ADDRS, Ticket},
        },
    },
};

/// The other node may dial every address of a ticket.
const JOIN_DEADLINE: Duration = DEADLINE.saturating_mul(MAX_ADDRS as u32 + 1);

/// A client that makes another process's node join and leave nodes.
#[derive(Debug, Clone)]
pub(super) struct NodeClient(Stub);

impl NodeClient {
    pub(super) fn new(client: Client, server: PeerAddr) -> Self {
        Self(Stub::new(client, server, NAME))
    }

    /// Makes the node join another one.
    ///
    /// # Errors
    /// The other node's refusal, or those of every call.
    pub(super) async fn join(&self, ticket: &Ticket) -> Result<JoinOutcome, CallError> {
        let args = (ticket.to_string(),);
        let joined = self.0.call_within(&JOIN, &args, JOIN_DEADLINE).await;
        joined.map_err(|error| match error {
            CallError::Remote(error) => error.detail().unwrap_or(CallError::Remote(error)),
            other => other,
        })
    }

    /// Makes the node leave another one, named by a prefix of its key.
    pub(super) async fn leave(&self, key_prefix: &str) -> Result<UpstreamStatus, CallError> {
        self.0.call(&LEAVE, &(key_prefix.to_owned(),)).await
    }

    /// Lists the nodes that the node has joined.
    pub(super) async fn upstreams(&self) -> Result<Vec<UpstreamStatus>, CallError> {
        self.0.call(&UPSTREAMS, &[]).await
    }

    /// Lists what is wrong with the node.
    pub(super) async fn findings(&self) -> Result<Vec<Finding>, CallError> {
        self.0.call(&FINDINGS, &[]).await
    }

    /// Returns the node in numbers.
    pub(super) async fn status(&self) -> Result<NodeStatus, CallError> {
        self.0.call(&STATUS, &[]).await
    }

    /// Removes the findings about losses, and returns their number.
    pub(super) async fn acknowledge(&self) -> Result<usize, CallError> {
        self.0.call(&ACKNOWLEDGE, &[]).await
    }
}

//! The client of a node's own service.

use serde::de::DeserializeOwned;

use super::{
    service::{JoinOutcome, NAME},
    upstreams::UpstreamStatus,
};
use crate::{
    net::{
        rpc::{
            client::{Client, DEADLINE, PeerAddr, Request},
            error::CallError,
        },
        trust::ticket::{MAX_ADDRS, Ticket},
    },
    value::Value,
};

/// A client that makes another process's node join and leave nodes.
#[derive(Debug, Clone)]
pub(super) struct NodeClient {
    client: Client,
    server: PeerAddr,
}

impl NodeClient {
    pub(super) const fn new(client: Client, server: PeerAddr) -> Self {
        Self { client, server }
    }

    /// Makes the node join another one.
    ///
    /// # Errors
    /// The other node's refusal, or the call's own.
    pub(super) async fn join(&self, ticket: &Ticket) -> Result<JoinOutcome, CallError> {
        let joined = self.call("join", vec![ticket.to_string().into()]).await;
        joined.map_err(|error| match error {
            CallError::Remote(error) => error.detail().unwrap_or(CallError::Remote(error)),
            other => other,
        })
    }

    /// Makes the node leave another one, named by a prefix of its key.
    pub(super) async fn leave(&self, key_prefix: &str) -> Result<UpstreamStatus, CallError> {
        self.call("leave", vec![key_prefix.into()]).await
    }

    /// Lists the nodes that the node has joined.
    pub(super) async fn upstreams(&self) -> Result<Vec<UpstreamStatus>, CallError> {
        self.call("upstreams", vec![]).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        args: Vec<Value>,
    ) -> Result<T, CallError> {
        let request = Request::new(NAME, method, args);
        // The other node may dial every address of a ticket.
        let deadline = DEADLINE * u32::try_from(MAX_ADDRS + 1).unwrap_or(u32::MAX);
        let reply = self.client.call_encoded(self.server, request, deadline);
        reply
            .await?
            .to_typed()
            .map_err(|e| CallError::Protocol(e.to_string()))
    }
}

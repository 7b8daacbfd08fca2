//! The connector: from a record to an object that can be called, by the scheme of its URI.

use super::{NamingClient, Record};
use crate::{
    net::{
        rpc::{
            client::{Client, DEADLINE, Request},
            error::CallError,
            object::METHODS,
        },
        trust::{peer_addr::PeerAddr, principal::Principal},
        uri::Uri,
    },
    value::{Value, signature::Signature},
};

/// An object of another process that can be called. Nothing is connected before the first call.
#[derive(Debug, Clone)]
pub struct RemoteObject {
    client: Client,
    peer: PeerAddr,
    object: String,
}

impl NamingClient {
    /// Returns the object of a record. An object of the naming server's own process is reached at the
    /// address that leads to the naming server, whatever address it has registered.
    ///
    /// # Errors
    /// [`CallError::Unsupported`] for a scheme that cannot be called yet.
    pub fn connect(&self, record: &Record) -> Result<RemoteObject, CallError> {
        let unsupported = || {
            let what = format!("a call of `{}` at {}", record.name, record.uri);
            Err(CallError::Unsupported(what))
        };
        match (&record.uri, record.owner) {
            (Uri::Distro { object, addr }, Principal::Key(key)) => Ok(RemoteObject {
                client: self.client().clone(),
                peer: PeerAddr {
                    addr: match key == self.server().key {
                        true => self.server().addr,
                        false => *addr,
                    },
                    key,
                },
                object: object.clone(),
            }),
            // Without its key a server of this system cannot be authenticated.
            (Uri::Distro { .. }, Principal::Gateway(_))
            | (Uri::Pyro { .. } | Uri::Other { .. }, _) => unsupported(),
        }
    }
}

impl RemoteObject {
    /// Calls a method, with the default deadline.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call(
        &self,
        method: &str,
        args: Vec<Value>,
        kwargs: Vec<(String, Value)>,
    ) -> Result<Value, CallError> {
        let request = Request {
            object: self.object.clone(),
            method: method.to_owned(),
            args,
            kwargs,
        };
        self.client.call(self.peer, request, DEADLINE).await
    }

    /// Returns the methods of the object.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn methods(&self) -> Result<Vec<Signature>, CallError> {
        let methods = self.call(METHODS, Vec::new(), Vec::new()).await?;
        methods
            .to_typed()
            .map_err(|e| CallError::protocol_error("unexpected list of methods", e))
    }

    /// Reports whether the last attempt to reach its server failed a moment ago.
    #[must_use]
    pub fn recently_failed(&self) -> bool {
        self.client.recently_failed(self.peer)
    }
}

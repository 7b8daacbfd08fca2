//! The typed way to ask a naming server.

use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Duration;

use super::{
    change_log::NameEvent,
    query::{NamePage, NameQuery},
    record::{Record, RegisterRequest},
    registry::Lease,
    server::NAME,
};
use crate::{
    net::{
        rpc::{
            client::{Client, DEADLINE, PeerAddr, Request, ResponseStream, happy_eyeballs},
            error::CallError,
        },
        uri::Uri,
    },
    value::{Value, ValueError},
};

/// Asks one naming server. Every call waits at most [`DEADLINE`].
#[derive(Debug, Clone)]
pub struct NamingClient {
    client: Client,
    server: PeerAddr,
}

impl NamingClient {
    /// A client for the naming server at this peer.
    #[must_use]
    pub const fn new(client: Client, server: PeerAddr) -> Self {
        Self { client, server }
    }

    /// A client for the first of these that answers as a naming server.
    ///
    /// # Errors
    /// What [`NamingClient::count`] met with.
    pub async fn connect_any(
        client: &Client,
        servers: impl IntoIterator<Item = PeerAddr>,
    ) -> Result<Self, CallError> {
        let asking = |server| async move {
            let naming = Self::new(client.clone(), server);
            naming.count().await.map(|_records| naming)
        };
        happy_eyeballs::first(servers, asking).await
    }

    /// The naming server that is asked.
    #[must_use]
    pub const fn server(&self) -> PeerAddr {
        self.server
    }

    /// The client that carries the questions.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The way to what a record tells of. What the naming server's own process serves is reached by the
    /// way that leads to the naming server, whatever it believes its address to be.
    #[must_use]
    pub fn resolve(&self, record: &Record, uri: &Uri) -> PeerAddr {
        let addr = if record.owner == self.server.key {
            self.server.addr
        } else {
            uri.addr
        };
        PeerAddr {
            addr,
            key: record.owner,
        }
    }

    /// Registers an object.
    ///
    /// # Errors
    /// As [`super::NameRegistry::register`], or the call's own.
    pub async fn register(&self, request: &RegisterRequest) -> Result<Lease, CallError> {
        let options = RegisterOptions {
            tags: &request.tags,
            lease_ms: request.lease_ms,
            exclusive: request.exclusive,
        };
        let args = vec![
            request.name.as_str().into(),
            request.uri.as_str().into(),
            value(&options)?,
        ];
        self.ask("register", args).await
    }

    /// Renews a lease; answers the registry's revision.
    ///
    /// # Errors
    /// As [`super::NameRegistry::renew`], or the call's own.
    pub async fn renew(&self, name: &str, id: u64) -> Result<u64, CallError> {
        self.ask("renew", vec![name.into(), value(&id)?]).await
    }

    /// Takes the own registration of a name back; answers how many records went.
    ///
    /// # Errors
    /// As [`super::NameRegistry::unregister`], or the call's own.
    pub async fn unregister(&self, name: &str) -> Result<usize, CallError> {
        self.ask("unregister", vec![name.into()]).await
    }

    /// Takes a name from everybody who has registered it; answers how many records went.
    ///
    /// # Errors
    /// [`crate::net::rpc::error::Code::Denied`] for all but admins, or as [`NamingClient::unregister`].
    pub async fn unregister_all(&self, name: &str) -> Result<usize, CallError> {
        self.ask("unregister", vec![name.into(), Value::Bool(true)])
            .await
    }

    /// Everybody who serves a name, the live ones first.
    ///
    /// # Errors
    /// [`crate::net::rpc::error::Code::NotFound`], or the call's own.
    pub async fn lookup(&self, name: &str) -> Result<Vec<Record>, CallError> {
        self.ask("lookup", vec![name.into()]).await
    }

    /// A page of records.
    ///
    /// # Errors
    /// As [`super::NameRegistry::list`], or the call's own.
    pub async fn list(&self, query: &NameQuery) -> Result<NamePage, CallError> {
        self.ask("list", vec![value(query)?]).await
    }

    /// Replaces the tags of the own registration.
    ///
    /// # Errors
    /// As [`super::NameRegistry::set_tags`], or the call's own.
    pub async fn set_tags(&self, name: &str, tags: &[String]) -> Result<u64, CallError> {
        self.ask("set_tags", vec![name.into(), value(tags)?]).await
    }

    /// How many records there are.
    ///
    /// # Errors
    /// The call's own.
    pub async fn count(&self) -> Result<usize, CallError> {
        self.ask("count", vec![]).await
    }

    /// Whether it answers, and how fast.
    ///
    /// # Errors
    /// The call's own.
    pub async fn ping(&self) -> Result<Duration, CallError> {
        let since = tokio::time::Instant::now();
        self.ask::<()>("ping", vec![]).await?;
        Ok(since.elapsed())
    }

    /// Follows changes: all after `from`, or everything there is and then every change.
    ///
    /// # Errors
    /// The call's own.
    pub async fn watch(&self, from: Option<u64>) -> Result<Watch, CallError> {
        let from = value(&from)?;
        let request = Request::new(NAME, "watch", vec![from]);
        let replies = self.client.open(self.server, request, DEADLINE).await?;
        Ok(Watch(replies))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        args: Vec<Value>,
    ) -> Result<T, CallError> {
        let request = Request::new(NAME, method, args);
        let answer = self.client.call_encoded(self.server, request, DEADLINE);
        answer.await?.to_typed().map_err(|e| unexpected(&e))
    }
}

/// Changes as they come. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watch(ResponseStream);

impl Watch {
    /// The next event; `None` when the server ended the watch.
    ///
    /// # Errors
    /// The call's own; watch again from the last revision.
    pub async fn next(&mut self) -> Result<Option<NameEvent>, CallError> {
        match self.0.next().await? {
            Some(event) => event.to_typed().map(Some).map_err(|e| unexpected(&e)),
            None => Ok(None),
        }
    }
}

#[derive(Serialize)]
struct RegisterOptions<'a> {
    tags: &'a [String],
    lease_ms: Option<u64>,
    exclusive: bool,
}

fn value<T: Serialize + ?Sized>(typed: &T) -> Result<Value, CallError> {
    Value::from_typed(typed).map_err(|e| CallError::Protocol(e.to_string()))
}

fn unexpected(error: &ValueError) -> CallError {
    CallError::Protocol(format!(
        "an unexpected answer from the naming server: {error}"
    ))
}

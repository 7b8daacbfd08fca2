//! The typed client of a naming server.

use tokio::time::{Duration, Instant};

use super::{
    NAME,
    change_log::NameEvent,
    contract::{COUNT, LIST, LOOKUP, PING, REGISTER, RENEW, SET_TAGS, SHARE, UNREGISTER, WATCH},
    query::{NamePage, NameQuery},
    record::{Record, RegisterRequest},
    registry::Lease,
    share::ShareRule,
};
use crate::net::{
    rpc::{
        client::{Client, race},
        error::CallError,
        service::{ItemStream, Stub},
    },
    trust::peer_addr::PeerAddr,
};

/// A client of one naming server. Every call has the default deadline.
#[derive(Debug, Clone)]
pub struct NamingClient(Stub);

impl NamingClient {
    /// Creates a client of the naming server at this peer.
    #[must_use]
    pub fn new(client: Client, server: PeerAddr) -> Self {
        Self(Stub::new(client, server, NAME))
    }

    /// Creates a client of the first of these peers that replies as a naming server.
    ///
    /// # Errors
    /// As [`NamingClient::count`].
    pub async fn connect_any(
        client: &Client,
        servers: impl IntoIterator<Item = PeerAddr>,
    ) -> Result<Self, CallError> {
        let connect = |server| async move {
            let naming = Self::new(client.clone(), server);
            naming.count().await.map(|_records| naming)
        };
        race(servers, connect).await
    }

    /// Returns the peer that serves the names.
    #[must_use]
    pub const fn server(&self) -> PeerAddr {
        self.0.peer()
    }

    /// Returns the client that carries the calls.
    #[must_use]
    pub const fn client(&self) -> &Client {
        self.0.client()
    }

    /// Registers an object.
    ///
    /// # Errors
    /// As [`super::NameRegistry::register`], or those of every call.
    pub async fn register(&self, request: &RegisterRequest) -> Result<Lease, CallError> {
        self.0.call(&REGISTER, &(request.clone(),)).await
    }

    /// Renews a lease; returns the registry's revision.
    ///
    /// # Errors
    /// As [`super::NameRegistry::renew`], or those of every call.
    pub async fn renew(&self, name: &str, id: u64) -> Result<u64, CallError> {
        self.0.call(&RENEW, &(name.to_owned(), id)).await
    }

    /// Removes the caller's registration of a name; returns the number of removed records.
    ///
    /// # Errors
    /// As [`super::NameRegistry::unregister`], or those of every call.
    pub async fn unregister(&self, name: &str) -> Result<usize, CallError> {
        self.0.call(&UNREGISTER, &(name.to_owned(), None)).await
    }

    /// Removes every registration of a name; returns the number of removed records.
    ///
    /// # Errors
    /// [`crate::net::rpc::error::Code::Denied`] for all but admins, or as [`NamingClient::unregister`].
    pub async fn unregister_all(&self, name: &str) -> Result<usize, CallError> {
        let args = (name.to_owned(), Some(true));
        self.0.call(&UNREGISTER, &args).await
    }

    /// Returns every registration of a name, the caller's own first, then the live ones.
    ///
    /// # Errors
    /// [`crate::net::rpc::error::Code::NotFound`], or those of every call.
    pub async fn lookup(&self, name: &str) -> Result<Vec<Record>, CallError> {
        self.0.call(&LOOKUP, &(name.to_owned(),)).await
    }

    /// Returns a page of records.
    ///
    /// # Errors
    /// As [`super::NameRegistry::list`], or those of every call.
    pub async fn list(&self, query: &NameQuery) -> Result<NamePage, CallError> {
        self.0.call(&LIST, &(Some(query.clone()),)).await
    }

    /// Replaces the tags of the caller's registration; returns the registry's revision.
    ///
    /// # Errors
    /// As [`super::NameRegistry::set_tags`], or those of every call.
    pub async fn set_tags(&self, name: &str, tags: &[String]) -> Result<u64, CallError> {
        let args = (name.to_owned(), tags.to_vec());
        self.0.call(&SET_TAGS, &args).await
    }

    /// Changes who else may register under the caller's name; returns the registry's revision.
    ///
    /// # Errors
    /// As [`super::NameRegistry::set_share`], or those of every call.
    pub async fn share(&self, name: &str, rule: ShareRule) -> Result<u64, CallError> {
        self.0.call(&SHARE, &(name.to_owned(), rule)).await
    }

    /// Returns the number of records.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn count(&self) -> Result<usize, CallError> {
        self.0.call(&COUNT, &[]).await
    }

    /// Measures a round trip to the naming server.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn ping(&self) -> Result<Duration, CallError> {
        let started = Instant::now();
        self.0.call(&PING, &[]).await?;
        Ok(started.elapsed())
    }

    /// Watches for changes: all after the revision `from`, or a snapshot and then every change.
    ///
    /// # Errors
    /// Those of every call. After an error in the stream, watch again from the last revision.
    pub async fn watch(&self, from: Option<u64>) -> Result<ItemStream<NameEvent>, CallError> {
        self.0.open(&WATCH, &(from, None)).await
    }
}

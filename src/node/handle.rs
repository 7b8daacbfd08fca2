//! What a screen or a command may do on a node, wherever that node is: this process's own, another
//! process's on this machine, or one elsewhere.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, sync::mpsc, time::sleep};
use tokio_util::task::AbortOnDropHandle;

use super::service::NodeClient;
use crate::{
    net::{
        admission::AdmissionClient,
        greeter,
        naming::{
            NameEvent, NamingClient, Record,
            proxy::{CallOutcome, Proxy},
        },
        rpc::{
            client::{Client, DEADLINE, PeerAddr, Request},
            error::CallError,
            object::{METHODS, Signature},
            wire::Role,
        },
        trust::key::PublicKey,
        uri::Uri,
    },
    queue::{broker::Broker, embedded::Recovery},
    retry::Backoff,
    value::Value,
};

/// News of the phone book.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum NamesEvent {
    /// What the naming server tells.
    News(NameEvent),
    /// The watch broke, and is taken up again in a while.
    Lost {
        /// Why.
        error: CallError,
        /// When it is tried again.
        again_in: Duration,
    },
}

/// News that wait for the screen; the naming server keeps what does not fit.
const MAX_NEWS: usize = 64;

/// Where a node is, seen from whoever has access to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Locality {
    /// In this process: it ends with it.
    InProcess,
    /// In another process on the same data folder.
    LocalProcess,
    /// Elsewhere.
    Remote,
}

/// A node, and what this process may do there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// The node's key.
    pub key: PublicKey,
    /// Where it was reached.
    pub addr: SocketAddr,
    /// What this process may do there.
    pub role: Role,
    /// Where it is.
    pub place: Locality,
}

/// A way to a node.
pub struct NodeHandle {
    pub(super) about: NodeInfo,
    /// Where the sockets and timers are.
    pub(super) net: Handle,
    pub(super) naming: NamingClient,
    pub(super) greeter: Arc<Proxy>,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) recovery: Recovery,
}

impl NodeHandle {
    pub(super) fn new(
        about: NodeInfo,
        net: Handle,
        naming: NamingClient,
        broker: Arc<dyn Broker>,
        recovery: Recovery,
    ) -> Self {
        Self {
            about,
            net,
            greeter: Arc::new(Proxy::new(naming.clone(), greeter::NAME)),
            naming,
            broker,
            recovery,
        }
    }

    /// Which node, and what this process may do there.
    #[must_use]
    pub const fn about(&self) -> &NodeInfo {
        &self.about
    }

    /// The node's broker.
    #[must_use]
    pub fn broker(&self) -> Arc<dyn Broker> {
        Arc::clone(&self.broker)
    }

    /// What the process before had left to the broker.
    #[must_use]
    pub const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Greets a person by the real road: the naming server is asked who serves the greeter, that
    /// server is dialled and called.
    ///
    /// # Errors
    /// The call's own.
    pub async fn greet(&self, name: &str) -> Result<CallOutcome, CallError> {
        let (proxy, args) = (Arc::clone(&self.greeter), vec![name.into()]);
        self.on_net(async move { proxy.call(greeter::METHOD, args).await })
            .await
    }

    /// Calls a method of a registered object.
    ///
    /// # Errors
    /// The call's own.
    pub async fn call(
        &self,
        record: &Record,
        method: &str,
        args: Vec<Value>,
    ) -> Result<Value, CallError> {
        let uri: Uri = record
            .uri
            .parse()
            .map_err(|e| CallError::Protocol(format!("`{}`: {e}", record.name)))?;
        let peer = self.naming.resolve(record, &uri);
        let request = Request::new(uri.object, method, args);
        let client = self.client();
        self.on_net(async move { client.call(peer, request, DEADLINE).await })
            .await
    }

    /// Calls a method of whatever is registered under a name: the naming server is asked who that is.
    ///
    /// # Errors
    /// The call's own.
    pub async fn call_by_name(
        &self,
        name: &str,
        method: &str,
        args: Vec<Value>,
        kwargs: Vec<(String, Value)>,
    ) -> Result<CallOutcome, CallError> {
        let proxy = Proxy::new(self.naming.clone(), name);
        let method = method.to_owned();
        self.on_net(async move { proxy.call_with(&method, args, kwargs).await })
            .await
    }

    /// What may be called on a registered object.
    ///
    /// # Errors
    /// The call's own.
    pub async fn methods(&self, record: &Record) -> Result<Vec<Signature>, CallError> {
        let listed = self.call(record, METHODS, vec![]).await?;
        listed
            .to_typed()
            .map_err(|e| CallError::Protocol(format!("`{}`: {e}", record.name)))
    }

    /// Follows the phone book until the receiver is dropped.
    #[must_use]
    pub fn watch_names(&self) -> mpsc::Receiver<NamesEvent> {
        let (news, receiver) = mpsc::channel(MAX_NEWS);
        self.net.spawn(follow(self.naming.clone(), news));
        receiver
    }

    /// Asks the naming server something. What is asked runs where the sockets are.
    ///
    /// # Errors
    /// The call's own.
    pub async fn naming<T, F, Asking>(&self, ask: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: FnOnce(NamingClient) -> Asking,
        Asking: Future<Output = Result<T, CallError>> + Send + 'static,
    {
        self.on_net(ask(self.naming.clone())).await
    }

    /// Asks the node about its peers, in the same way.
    ///
    /// # Errors
    /// The call's own.
    pub async fn peers<T, F, Asking>(&self, ask: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: FnOnce(AdmissionClient) -> Asking,
        Asking: Future<Output = Result<T, CallError>> + Send + 'static,
    {
        self.on_net(ask(AdmissionClient::new(self.client(), self.peer())))
            .await
    }

    /// Asks the node about itself, in the same way.
    ///
    /// # Errors
    /// The call's own.
    pub async fn node<T, F, Asking>(&self, ask: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: FnOnce(NodeClient) -> Asking,
        Asking: Future<Output = Result<T, CallError>> + Send + 'static,
    {
        self.on_net(ask(NodeClient::new(self.client(), self.peer())))
            .await
    }

    /// The node as a peer.
    #[must_use]
    pub const fn peer(&self) -> PeerAddr {
        PeerAddr {
            addr: self.about.addr,
            key: self.about.key,
        }
    }

    fn client(&self) -> Client {
        self.naming.client().clone()
    }

    /// Runs on the network's own thread, where its timers and sockets are; dropping it stops it there.
    async fn on_net<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Result<T, CallError> {
        AbortOnDropHandle::new(self.net.spawn(work))
            .await
            .unwrap_or(Err(CallError::Closed))
    }
}

impl std::fmt::Debug for NodeHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodeHandle({})", self.peer())
    }
}

async fn follow(naming: NamingClient, news: mpsc::Sender<NamesEvent>) {
    let (mut from, mut backoff) = (None, Backoff::default());
    loop {
        let error = match naming.watch(from).await {
            Ok(mut watch) => loop {
                let event = tokio::select! {
                    event = watch.next() => event,
                    () = news.closed() => return,
                };
                match event {
                    Ok(Some(event)) => {
                        backoff.reset();
                        from = place(&event);
                        if news.send(NamesEvent::News(event)).await.is_err() {
                            return;
                        }
                    }
                    Ok(None) => break CallError::Closed,
                    Err(error) => break error,
                }
            },
            Err(error) => error,
        };
        let again_in = backoff.next_delay();
        let lost = NamesEvent::Lost { error, again_in };
        if news.send(lost).await.is_err() {
            return;
        }
        sleep(again_in).await;
    }
}

/// Where to go on after an event: in the middle of a snapshot only from its beginning.
fn place(event: &NameEvent) -> Option<u64> {
    match event {
        NameEvent::Snapshot { more: true, .. } => None,
        NameEvent::Snapshot { revision, .. } | NameEvent::Changes { revision, .. } => {
            Some(*revision)
        }
    }
}

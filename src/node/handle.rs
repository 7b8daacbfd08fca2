//! The operations on a node, wherever it is: in this process, in another one on this machine, or remote.

use std::{net::SocketAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, sync::mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::{
    client::NodeClient,
    service::{JoinOutcome, NodeService, NodeStatus},
    upstreams::UpstreamStatus,
    watch::{self, NamesEvent},
};
use crate::{
    health::Finding,
    net::{
        admission::AdmissionClient,
        greeter,
        naming::{
            NamingClient, Record,
            proxy::{CallOutcome, Proxy},
        },
        rpc::{client::Client, error::CallError},
        trust::{key::PublicKey, peer_addr::PeerAddr, role::Role, ticket::Ticket},
    },
    queue::{broker::Broker, storage::Recovery},
    value::{Value, signature::Signature},
};

/// The relation of a node to this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Locality {
    /// In this process: it ends with it.
    InProcess,
    /// In another process on the same data folder.
    LocalProcess,
    /// Anywhere else.
    Remote,
}

/// A node, and the role of this process there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// The node's key.
    pub key: PublicKey,
    /// The address at which it was reached.
    pub addr: SocketAddr,
    /// The role of this process there.
    pub role: Role,
    /// Its relation to this process.
    pub locality: Locality,
}

/// A handle to a node. Calls run on the network's runtime, whatever runtime awaits them; dropping their
/// future cancels them.
pub struct NodeHandle {
    info: NodeInfo,
    /// The runtime of the sockets and timers.
    net: Handle,
    naming: NamingClient,
    greeter: Arc<Proxy>,
    broker: Arc<dyn Broker>,
    recovery: Recovery,
    /// The node's own service, if it is in this process.
    service: Option<NodeService>,
}

impl NodeHandle {
    pub(super) fn new(
        info: NodeInfo,
        net: Handle,
        naming: NamingClient,
        (broker, recovery): (Arc<dyn Broker>, Recovery),
        service: Option<NodeService>,
    ) -> Self {
        Self {
            info,
            net,
            greeter: Arc::new(Proxy::new(naming.clone(), greeter::NAME)),
            naming,
            broker,
            recovery,
            service,
        }
    }

    /// Returns the node's identity and the role of this process there.
    #[must_use]
    pub const fn info(&self) -> &NodeInfo {
        &self.info
    }

    /// Returns the runtime of the network, to wait for something from a thread outside of every runtime.
    #[must_use]
    pub fn net(&self) -> Handle {
        self.net.clone()
    }

    /// Returns the node's broker.
    #[must_use]
    pub fn broker(&self) -> Arc<dyn Broker> {
        Arc::clone(&self.broker)
    }

    /// Returns what the broker recovered from the process before.
    #[must_use]
    pub const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Greets a person by a remote call: the greeter is looked up, dialed and called.
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
        let (object, method) = (self.naming.connect(record)?, method.to_owned());
        self.on_net(async move { object.call(&method, args, Vec::new()).await })
            .await
    }

    /// Calls a method of an object by the name that it is registered under.
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

    /// Lists the methods of a registered object.
    ///
    /// # Errors
    /// The call's own.
    pub async fn methods(&self, record: &Record) -> Result<Vec<Signature>, CallError> {
        let object = self.naming.connect(record)?;
        self.on_net(async move { object.methods().await }).await
    }

    /// Follows the registered names until the receiver is dropped.
    #[must_use]
    pub fn watch_names(&self) -> mpsc::Receiver<NamesEvent> {
        let (events, receiver) = mpsc::channel(watch::MAX_EVENTS);
        self.net
            .spawn(watch::watch_names(self.naming.clone(), events));
        receiver
    }

    /// Runs an operation of the naming server's client.
    ///
    /// # Errors
    /// The call's own.
    pub async fn naming<T, F, Call>(&self, call: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: FnOnce(NamingClient) -> Call,
        Call: Future<Output = Result<T, CallError>> + Send + 'static,
    {
        self.on_net(call(self.naming.clone())).await
    }

    /// Runs an operation on the node's members and tickets.
    ///
    /// # Errors
    /// The call's own.
    pub async fn members<T, F, Call>(&self, call: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: FnOnce(AdmissionClient) -> Call,
        Call: Future<Output = Result<T, CallError>> + Send + 'static,
    {
        self.on_net(call(AdmissionClient::new(self.client(), self.peer())))
            .await
    }

    /// Makes the node join another one and register its services there.
    ///
    /// # Errors
    /// The other node's refusal, or the call's own.
    pub async fn join(&self, ticket: Ticket) -> Result<JoinOutcome, CallError> {
        match self.service.clone() {
            Some(service) => {
                self.on_net(async move { service.join(&ticket).await })
                    .await
            }
            None => {
                let node = self.node();
                self.on_net(async move { node.join(&ticket).await }).await
            }
        }
    }

    /// Makes the node leave another one, named by a prefix of its key.
    ///
    /// # Errors
    /// [`crate::net::rpc::error::Code::NotFound`], or the call's own.
    pub async fn leave(&self, key_prefix: &str) -> Result<UpstreamStatus, CallError> {
        let key_prefix = key_prefix.to_owned();
        match self.service.clone() {
            Some(service) => {
                self.on_net(async move { Ok(service.leave(&key_prefix).await?) })
                    .await
            }
            None => {
                let node = self.node();
                self.on_net(async move { node.leave(&key_prefix).await })
                    .await
            }
        }
    }

    /// Lists the nodes that the node has joined.
    ///
    /// # Errors
    /// The call's own.
    pub async fn upstreams(&self) -> Result<Vec<UpstreamStatus>, CallError> {
        match &self.service {
            Some(service) => Ok(service.upstreams()),
            None => {
                let node = self.node();
                self.on_net(async move { node.upstreams().await }).await
            }
        }
    }

    /// Lists what is wrong with the node, the most severe first.
    ///
    /// # Errors
    /// The call's own.
    pub async fn findings(&self) -> Result<Vec<Finding>, CallError> {
        match &self.service {
            Some(service) => {
                let service = service.clone();
                self.on_net(async move { Ok(service.findings().await) })
                    .await
            }
            None => {
                let node = self.node();
                self.on_net(async move { node.findings().await }).await
            }
        }
    }

    /// Returns the node in numbers.
    ///
    /// # Errors
    /// The call's own.
    pub async fn status(&self) -> Result<NodeStatus, CallError> {
        match &self.service {
            Some(service) => Ok(service.status()),
            None => {
                let node = self.node();
                self.on_net(async move { node.status().await }).await
            }
        }
    }

    /// Removes the node's findings about losses, and returns their number.
    ///
    /// # Errors
    /// The call's own.
    pub async fn acknowledge(&self) -> Result<usize, CallError> {
        match self.service.clone() {
            Some(service) => {
                self.on_net(async move { Ok(service.acknowledge().await?) })
                    .await
            }
            None => {
                let node = self.node();
                self.on_net(async move { node.acknowledge().await }).await
            }
        }
    }

    /// Returns the node's address and key.
    #[must_use]
    pub const fn peer(&self) -> PeerAddr {
        PeerAddr {
            addr: self.info.addr,
            key: self.info.key,
        }
    }

    pub(super) fn client(&self) -> Client {
        self.naming.client().clone()
    }

    fn node(&self) -> NodeClient {
        NodeClient::new(self.client(), self.peer())
    }

    /// Runs on the network's thread, where its timers and sockets are; dropping the future stops it there.
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

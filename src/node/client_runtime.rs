//! The network of a process that has no node of its own.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio::runtime::Handle;

use super::{
    config::NO_BROKER,
    error::NodeError,
    handle::{Locality, NodeHandle, NodeInfo},
    known_nodes::JoinedNode,
    naming,
    net_thread::NetThread,
    service,
};
use crate::{
    net::{
        rpc::{
            client::Client,
            endpoint::Endpoint,
            error::{CallError, Code},
        },
        trust::{
            identity::Identity, key::PublicKey, members::Members, peer_addr::PeerAddr,
            ticket::Ticket,
        },
        watchdog::Watchdog,
    },
    queue::{
        broker::Broker,
        remote::{self, Remote},
        storage::Recovery,
        unavailable::UnavailableBroker,
    },
};

/// The longest wait for a connection to close.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

/// A network that only makes calls.
pub(super) struct ClientRuntime {
    net: Handle,
    endpoint: Endpoint,
    thread: NetThread,
}

impl ClientRuntime {
    /// Starts a network that can reach these peers.
    pub(super) fn start(identity: &Identity, peers: &[PeerAddr]) -> Result<Self, NodeError> {
        let (net, thread) = NetThread::start(&Watchdog::new(|_delay| {}))?;
        let endpoint = {
            let _entered = net.enter();
            // It accepts nobody: even its own key has nothing to call here.
            let bind = |any: IpAddr| {
                let nobody = Members::self_only(PublicKey::from_bytes([0; 32]));
                Endpoint::bind((any, 0).into(), identity, nobody)
            };
            let v4 = || bind(Ipv4Addr::UNSPECIFIED.into());
            // An IPv6 socket reaches both, where the system has it.
            match peers.iter().any(|peer| peer.addr.is_ipv6()) {
                true => bind(Ipv6Addr::UNSPECIFIED.into()).or_else(|_missing| v4())?,
                false => v4()?,
            }
        };
        Ok(Self {
            net,
            endpoint,
            thread,
        })
    }

    /// Reports whether a joined node still accepts this process at one of its addresses.
    pub(super) fn is_accepted_by(&self, joined: &JoinedNode) -> bool {
        let client = self.client();
        let connected = client.connect_any(joined.peers());
        self.net.block_on(connected).is_ok()
    }

    /// Joins the node of a ticket.
    pub(super) fn join(&self, ticket: &Ticket, label: &str) -> Result<JoinedNode, CallError> {
        let client = self.client();
        self.net.block_on(service::redeem(&client, ticket, label))
    }

    /// Connects to the first of these peers that replies. With the node's data folder, a naming server of
    /// a joined node stands in for its own.
    pub(super) fn connect(
        &self,
        peers: impl IntoIterator<Item = PeerAddr>,
        locality: Locality,
        data_dir: Option<&Path>,
    ) -> Result<NodeHandle, CallError> {
        let (net, client) = (self.net.clone(), self.client());
        self.net
            .block_on(connect(net, client, peers, locality, data_dir))
    }

    /// Closes the connections and ends the network's thread.
    pub(super) async fn shutdown(&self) {
        let endpoint = self.endpoint.clone();
        let closed = async move { endpoint.shutdown(CLOSE_TIMEOUT).await };
        self.net.spawn(closed).await.ok();
        self.thread.join();
    }

    fn client(&self) -> Client {
        self.endpoint.client()
    }
}

/// Connects to the first of these peers that replies, with a client whose runtime is `net`.
pub(super) async fn connect(
    net: Handle,
    client: Client,
    peers: impl IntoIterator<Item = PeerAddr>,
    locality: Locality,
    data_dir: Option<&Path>,
) -> Result<NodeHandle, CallError> {
    let (peer, hello) = client.connect_any(peers).await?;
    let naming = naming::of_node(&client, peer, data_dir);
    let (naming, broker) = tokio::join!(naming, broker(&net, &client, peer));
    let info = NodeInfo {
        key: peer.key,
        addr: peer.addr,
        role: hello.role,
        locality,
    };
    Ok(NodeHandle::new(info, net, naming, broker?, None))
}

async fn broker(
    net: &Handle,
    client: &Client,
    peer: PeerAddr,
) -> Result<(Arc<dyn Broker>, Recovery), CallError> {
    match Remote::connect(net.clone(), client.clone(), peer, remote::NAME).await {
        Ok(broker) => {
            let recovery = broker.recovery().clone();
            Ok((Arc::new(broker), recovery))
        }
        Err(CallError::Remote(error)) if error.code == Code::NotFound => {
            let unavailable = UnavailableBroker::new(NO_BROKER);
            Ok((Arc::new(unavailable), Recovery::default()))
        }
        Err(error) => Err(error),
    }
}

//! A screen's or a command's time with a node: one of its own, which ends with it, or another
//! process's, which does not.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::runtime::Handle;

use super::{
    Node, NodeConfig, NodeError, address, discover,
    handle::{Locality, NodeHandle, NodeInfo},
    instance_lock::{self, LockState},
    known_nodes::{self, JoinedNode},
    service,
    thread::{NetThread, network_thread},
};
use crate::{
    net::{
        naming::NamingClient,
        rpc::{
            client::{Client, PeerAddr},
            endpoint::Endpoint,
            error::{CallError, Code},
        },
        trust::{
            identity::Identity,
            key::PublicKey,
            members::Members,
            ticket::{ParseTicketError, Ticket},
        },
    },
    queue::{
        broker::{Broker, ShutdownReport},
        embedded::Recovery,
        remote::{self, Remote},
        unavailable::UnavailableBroker,
    },
};

/// A node that is starting is waited for this long.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);
/// Letting go of a connection takes at most this long.
const GOODBYE: Duration = Duration::from_millis(200);

/// Why there is no way to a node.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Nobody has the data folder.
    #[error(
        "no node runs on {0}; start one with `distro-tui serve`, or name another with --connect"
    )]
    Nobody(String),
    /// What was named is not known.
    #[error(
        "`{0}` is neither a ticket nor a node that was joined from here; paste a ticket, or see \
         `distro-tui peers` for the nodes that are known"
    )]
    Unknown(String),
    /// More than one node fits.
    #[error("more than one known node has a key that begins with `{0}`; give more of it")]
    Ambiguous(String),
    /// It could not be reached, or said no.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It begins as a ticket and is none.
    #[error(transparent)]
    Ticket(#[from] ParseTicketError),
    /// What was joined cannot be remembered.
    #[error(transparent)]
    Known(#[from] known_nodes::KnownNodesError),
    /// This process's own network.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// A time with a node.
pub struct Session {
    access: Arc<NodeHandle>,
    with: Backend,
}

enum Backend {
    Owned(Box<Node>),
    Attached(Box<ClientRuntime>),
}

/// The network of a process that has no node of its own.
struct ClientRuntime {
    endpoint: Endpoint,
    ending: NetThread,
}

impl From<Node> for Session {
    /// With a node of one's own.
    fn from(node: Node) -> Self {
        Self {
            access: node.access(),
            with: Backend::Owned(Box::new(node)),
        }
    }
}

impl Session {
    /// With the node that runs on this data folder in another process. One that is just starting is
    /// waited for.
    ///
    /// # Errors
    /// [`SessionError::Nobody`] when none does, or the call's own.
    pub fn attach(data_dir: &Path) -> Result<Self, SessionError> {
        let since = Instant::now();
        let peer = loop {
            match instance_lock::look(data_dir) {
                LockState::Node { addr, key } => break PeerAddr { addr, key },
                LockState::Starting(_) if since.elapsed() < PATIENCE => std::thread::sleep(LOOK),
                _ => return Err(SessionError::Nobody(data_dir.display().to_string())),
            }
        };
        let identity = Identity::load_or_generate(data_dir).map_err(NodeError::from)?;
        let line = ClientRuntime::open(&identity, &[peer])?;
        line.session([peer], Locality::LocalProcess, Some(data_dir))
    }

    /// With a node elsewhere: named by a ticket, by the beginning of its key or as `KEY@ADDR:PORT` when
    /// it was joined before. With `discover` one that has moved is looked for on the local network. A
    /// ticket is used once and the node remembered.
    ///
    /// # Errors
    /// [`SessionError`], each with what to do about it.
    pub fn connect(
        data_dir: &Path,
        to: &str,
        label: &str,
        discover: bool,
    ) -> Result<Self, SessionError> {
        let identity = Identity::load_or_generate(data_dir).map_err(NodeError::from)?;
        let known = known_nodes::read(data_dir)?;
        let to = to.trim();
        match to.parse::<Ticket>() {
            Ok(ticket) => return Self::by_ticket(data_dir, &identity, &ticket, label, known),
            Err(ParseTicketError::Other) => {}
            Err(mistake) => return Err(mistake.into()),
        }
        let peers = match at(to) {
            Some(peer) => vec![peer],
            None => find(&known, to)?.peers().collect(),
        };
        let line = ClientRuntime::open(&identity, &peers)?;
        let key = peers.first().map(|peer| peer.key);
        match (line.session(peers, Locality::Remote, None), key) {
            (Err(SessionError::Call(error)), Some(key)) if discover => {
                match Self::moved(data_dir, &identity, key, known)? {
                    Some(session) => Ok(session),
                    None => Err(error.into()),
                }
            }
            (session, _) => session,
        }
    }

    fn by_ticket(
        data_dir: &Path,
        identity: &Identity,
        ticket: &Ticket,
        label: &str,
        known: Vec<JoinedNode>,
    ) -> Result<Self, SessionError> {
        let before = known.into_iter().find(|known| known.key == ticket.key);
        let all = before
            .iter()
            .flat_map(JoinedNode::peers)
            .chain(ticket.peers());
        let line = ClientRuntime::open(identity, &all.collect::<Vec<_>>())?;
        let known = match before {
            // Whoever is in needs no ticket, and one for a single use is not wasted.
            Some(known) if known.role >= ticket.role && line.knows(&known) => known,
            _ => {
                let joined = line.join(ticket, label)?;
                known_nodes::remember(data_dir, joined.clone())?;
                joined
            }
        };
        line.session(known.peers(), Locality::Remote, None)
    }

    /// With a node that may have moved: whoever answers must hold the same key. `None` when nobody on the
    /// local network says that it does.
    fn moved(
        data_dir: &Path,
        identity: &Identity,
        key: PublicKey,
        known: Vec<JoinedNode>,
    ) -> Result<Option<Self>, SessionError> {
        let found = discover::find(key).into_iter();
        let found: Vec<PeerAddr> = found.map(|addr| PeerAddr { addr, key }).collect();
        if found.is_empty() {
            return Ok(None);
        }
        let line = ClientRuntime::open(identity, &found)?;
        let session = line.session(found, Locality::Remote, None)?;
        let before = known.into_iter().find(|known| known.key == key);
        let mut known = JoinedNode {
            key,
            role: session.access.about().role,
            addrs: before.map(|known| known.addrs).unwrap_or_default(),
        };
        known.reached_at(session.access.about().addr);
        known_nodes::remember(data_dir, known)?;
        Ok(Some(session))
    }

    /// Joins the node of a ticket for good: what a node on this data folder offers is registered there
    /// from its next start on, or at once when it runs.
    ///
    /// # Errors
    /// [`SessionError`], each with what to do about it.
    pub fn join(config: &NodeConfig, text: &str) -> Result<service::JoinOutcome, SessionError> {
        let (data_dir, ticket) = (&config.data_dir, text.trim());
        match Self::attach(data_dir) {
            Ok(session) => {
                let (access, ticket) = (session.access(), ticket.to_owned());
                let asked = session.net().block_on(async move {
                    access
                        .node(|node| async move { node.join(&ticket).await })
                        .await
                });
                Ok(asked?)
            }
            Err(SessionError::Nobody(_)) => {
                let ticket: Ticket = ticket.parse()?;
                let identity = Identity::load_or_generate(data_dir).map_err(NodeError::from)?;
                let peers: Vec<PeerAddr> = ticket.peers().collect();
                let known = ClientRuntime::open(&identity, &peers)?.join(&ticket, &config.label)?;
                known_nodes::remember(data_dir, known.clone())?;
                let warning = address::unreachable_from(config.listen, &known);
                Ok(service::JoinOutcome::new(&known, warning))
            }
            Err(other) => Err(other),
        }
    }

    /// What may be done.
    #[must_use]
    pub fn access(&self) -> Arc<NodeHandle> {
        Arc::clone(&self.access)
    }

    /// The network's runtime: to wait for something from a thread outside of every runtime.
    #[must_use]
    pub fn net(&self) -> Handle {
        self.access.net.clone()
    }

    /// Ends it: a node of one's own stops in order, and gives running tasks at most `grace`; another
    /// process's goes on.
    pub async fn end(&self, grace: Duration) -> ShutdownReport {
        match &self.with {
            Backend::Owned(node) => node.shutdown(grace).await,
            Backend::Attached(line) => {
                line.end(self.access.net.clone()).await;
                ShutdownReport::default()
            }
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.access.peer())
    }
}

impl ClientRuntime {
    /// A network of one's own, for calling these only.
    fn open(identity: &Identity, to: &[PeerAddr]) -> Result<UnconnectedClient, NodeError> {
        let (net, ending) = network_thread()?;
        let endpoint = {
            let _entered = net.enter();
            // It lets nobody in: even its own key has nothing to call here.
            let bind = |any: IpAddr| {
                let nobody = Members::self_only(PublicKey::from_bytes([0; 32]));
                Endpoint::bind((any, 0).into(), identity, nobody)
            };
            let v4 = || bind(Ipv4Addr::UNSPECIFIED.into());
            // A socket of the newer kind reaches both, where the system has it.
            match to.iter().any(|peer| peer.addr.is_ipv6()) {
                true => bind(Ipv6Addr::UNSPECIFIED.into()).or_else(|_missing| v4())?,
                false => v4()?,
            }
        };
        Ok(UnconnectedClient {
            net,
            line: Self { endpoint, ending },
        })
    }

    async fn end(&self, net: Handle) {
        let endpoint = self.endpoint.clone();
        let ended = async move { endpoint.shutdown(GOODBYE).await };
        net.spawn(ended).await.ok();
        self.ending.end();
    }
}

/// A line that is not connected yet.
struct UnconnectedClient {
    net: Handle,
    line: ClientRuntime,
}

impl UnconnectedClient {
    fn client(&self) -> Client {
        self.line.endpoint.client()
    }

    /// Whether a node still lets this process in where it was.
    fn knows(&self, known: &JoinedNode) -> bool {
        let client = self.client();
        let answer = client.connect_any(known.peers());
        self.net.block_on(answer).is_ok()
    }

    fn join(&self, ticket: &Ticket, label: &str) -> Result<JoinedNode, CallError> {
        let client = self.client();
        self.net.block_on(service::join(&client, ticket, label))
    }

    /// Connects to the first of these that answers.
    fn session(
        self,
        peers: impl IntoIterator<Item = PeerAddr>,
        place: Locality,
        data_dir: Option<&Path>,
    ) -> Result<Session, SessionError> {
        let client = self.client();
        let asked = self.net.block_on(async {
            let (peer, hello) = client.connect_any(peers).await?;
            let naming = naming_client(&client, peer, data_dir);
            let (naming, broker) = tokio::join!(naming, broker(&self.net, &client, peer));
            Ok::<_, CallError>((peer, hello, naming, broker?))
        });
        let (peer, hello, naming, (broker, recovery)) = asked?;
        let about = NodeInfo {
            key: peer.key,
            addr: peer.addr,
            role: hello.role,
            place,
        };
        let access = NodeHandle::new(about, self.net, naming, broker, recovery);
        Ok(Session {
            access: Arc::new(access),
            with: Backend::Attached(Box::new(self.line)),
        })
    }
}

/// The naming server of a node; of the first that was joined from its data folder when that is known and
/// it was started without one.
async fn naming_client(client: &Client, peer: PeerAddr, data_dir: Option<&Path>) -> NamingClient {
    let own = NamingClient::new(client.clone(), peer);
    match (own.count().await, data_dir) {
        (Err(CallError::Remote(fault)), Some(folder)) if fault.code == Code::NotFound => {
            let joined = known_nodes::read(folder).unwrap_or_default();
            let others = joined.iter().flat_map(JoinedNode::peers);
            let found = NamingClient::connect_any(client, others).await;
            found.unwrap_or(own)
        }
        _ => own,
    }
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
        Err(CallError::Remote(fault)) if fault.code == Code::NotFound => {
            let absent =
                UnavailableBroker::new("this node has no broker; it was started without one");
            Ok((Arc::new(absent), Recovery::default()))
        }
        Err(error) => Err(error),
    }
}

/// `KEY@ADDR:PORT`.
fn at(text: &str) -> Option<PeerAddr> {
    let (key, addr) = text.split_once('@')?;
    Some(PeerAddr {
        addr: addr.parse().ok()?,
        key: key.parse().ok()?,
    })
}

fn find<'a>(known: &'a [JoinedNode], text: &str) -> Result<&'a JoinedNode, SessionError> {
    let begins = text.to_ascii_lowercase();
    let mut fits = known
        .iter()
        .filter(|known| begins.len() >= 4 && known.key.to_string().starts_with(&begins));
    match (fits.next(), fits.next()) {
        (Some(known), None) => Ok(known),
        (Some(_), Some(_)) => Err(SessionError::Ambiguous(text.to_owned())),
        _ => Err(SessionError::Unknown(text.chars().take(60).collect())),
    }
}

/// What this process calls itself where it joins: the machine's name.
#[must_use]
pub fn hostname() -> String {
    let system = rustix::system::uname();
    system.nodename().to_string_lossy().into_owned()
}

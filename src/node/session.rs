//! An open connection to a node: ending it stops a node of this process, and disconnects from any other.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::runtime::Handle;

use super::{
    address,
    client_runtime::{self, ClientRuntime},
    config::NodeConfig,
    discover,
    error::{NodeError, SessionError},
    handle::{Locality, NodeHandle},
    instance_lock::{self, LockState},
    known_nodes::{self, JoinedNode},
    running::Node,
    service::JoinOutcome,
};
use crate::{
    net::trust::{
        identity::Identity,
        key::PublicKey,
        peer_addr::PeerAddr,
        ticket::{ParseTicketError, Ticket},
    },
    queue::broker::ShutdownReport,
};

/// The longest wait for a node that is starting, and the interval of looking.
const START_TIMEOUT: Duration = Duration::from_secs(5);
const START_POLL: Duration = Duration::from_millis(20);
/// The shortest prefix of a key that names a node.
const MIN_PREFIX: usize = 4;

/// An open connection to a node.
pub struct Session {
    handle: Arc<NodeHandle>,
    backend: Backend,
}

enum Backend {
    Owned(Box<Node>),
    Attached(Box<ClientRuntime>),
}

impl From<Node> for Session {
    fn from(node: Node) -> Self {
        Self {
            handle: node.handle(),
            backend: Backend::Owned(Box::new(node)),
        }
    }
}

impl Session {
    /// Connects to the node that runs on a data folder in another process, and waits for one that is
    /// starting.
    ///
    /// # Errors
    /// [`SessionError::NotRunning`], or the call's own.
    pub fn attach(data_dir: &Path) -> Result<Self, SessionError> {
        let since = Instant::now();
        let peer = loop {
            match instance_lock::read_state(data_dir)? {
                LockState::Running { addr, key } => break PeerAddr { addr, key },
                LockState::Starting(_) if since.elapsed() < START_TIMEOUT => {
                    std::thread::sleep(START_POLL);
                }
                _ => return Err(SessionError::NotRunning(data_dir.display().to_string())),
            }
        };
        let identity = Identity::load_or_generate(data_dir).map_err(NodeError::from)?;
        // A node on this folder has the folder's key.
        if peer.key != identity.public() {
            return Err(SessionError::OtherKey {
                folder: data_dir.display().to_string(),
                key: peer.key.fingerprint(),
            });
        }
        let runtime = ClientRuntime::start(&identity, &[peer])?;
        let handle = runtime.connect([peer], Locality::LocalProcess, Some(data_dir))?;
        Ok(Self::attached(runtime, handle))
    }

    /// Connects to a node named by a ticket or, if it was joined before, by a prefix of its key or as
    /// `KEY@ADDR:PORT`. With `discover` one that has moved is looked for on the local network. A ticket
    /// is used once, and the node is stored.
    ///
    /// # Errors
    /// [`SessionError`], each with what to do about it.
    pub fn connect(
        data_dir: &Path,
        target: &str,
        label: &str,
        discover: bool,
    ) -> Result<Self, SessionError> {
        let identity = Identity::load_or_generate(data_dir).map_err(NodeError::from)?;
        let known = known_nodes::read(data_dir)?;
        let target = target.trim();
        match target.parse::<Ticket>() {
            Ok(ticket) => return Self::by_ticket(data_dir, &identity, &ticket, label, known),
            Err(ParseTicketError::Other) => {}
            Err(mistake) => return Err(mistake.into()),
        }
        let peers = match parse_peer(target) {
            Some(peer) => vec![peer],
            None => find_by_prefix(&known, target)?.peers().collect(),
        };
        let runtime = ClientRuntime::start(&identity, &peers)?;
        let key = peers.first().map(|peer| peer.key);
        match (runtime.connect(peers, Locality::Remote, None), key) {
            (Ok(handle), _) => Ok(Self::attached(runtime, handle)),
            (Err(error), Some(key)) if discover => {
                let moved = Self::discovered(data_dir, &identity, key, known)?;
                moved.ok_or_else(|| error.into())
            }
            (Err(error), _) => Err(error.into()),
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
        let runtime = ClientRuntime::start(identity, &all.collect::<Vec<_>>())?;
        let joined = match before {
            // A member needs no ticket, and one for a single use is not wasted.
            Some(known) if known.role >= ticket.role && runtime.is_accepted_by(&known) => known,
            _ => {
                let joined = runtime.join(ticket, label)?;
                known_nodes::add(data_dir, joined.clone())?;
                joined
            }
        };
        let handle = runtime.connect(joined.peers(), Locality::Remote, None)?;
        Ok(Self::attached(runtime, handle))
    }

    /// Connects to a node that may have moved: one that holds the same key. Returns `None` if none on
    /// the local network announces it.
    fn discovered(
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
        let runtime = ClientRuntime::start(identity, &found)?;
        let handle = runtime.connect(found, Locality::Remote, None)?;
        let before = known.into_iter().find(|known| known.key == key);
        let mut joined = JoinedNode {
            key,
            role: handle.info().role,
            addrs: before.map(|known| known.addrs).unwrap_or_default(),
        };
        joined.put_first(handle.info().addr);
        known_nodes::add(data_dir, joined)?;
        Ok(Some(Self::attached(runtime, handle)))
    }

    fn attached(runtime: ClientRuntime, handle: NodeHandle) -> Self {
        Self {
            handle: Arc::new(handle),
            backend: Backend::Attached(Box::new(runtime)),
        }
    }

    /// Joins the node of a ticket: the services of a node on this data folder are registered there, at
    /// once if it runs, otherwise from its next start on.
    ///
    /// # Errors
    /// [`SessionError`], each with what to do about it.
    pub fn join(config: &NodeConfig, ticket: &Ticket) -> Result<JoinOutcome, SessionError> {
        let data_dir = &config.data_dir;
        match Self::attach(data_dir) {
            Ok(session) => {
                let (handle, ticket) = (session.handle(), ticket.clone());
                let joined = session
                    .net()
                    .block_on(async move { handle.join(ticket).await });
                Ok(joined?)
            }
            Err(SessionError::NotRunning(_)) => {
                let identity = Identity::load_or_generate(data_dir).map_err(NodeError::from)?;
                let peers: Vec<PeerAddr> = ticket.peers().collect();
                let joined =
                    ClientRuntime::start(&identity, &peers)?.join(ticket, &config.label)?;
                known_nodes::add(data_dir, joined.clone())?;
                let warning = address::unreachable_from(config.listen, &joined);
                Ok(JoinOutcome::new(&joined, warning))
            }
            Err(other) => Err(other),
        }
    }

    /// Opens the node of a data folder: starts it in this process, or connects to the process in which it runs.
    ///
    /// # Errors
    /// [`SessionError::Node`] when the node cannot be started, or those of [`Session::attach`].
    pub fn open(config: &NodeConfig) -> Result<Self, SessionError> {
        match Node::start(config) {
            Ok(node) => {
                tracing::info!(addr = %node.addr(), key = %node.key(), "started");
                Ok(node.into())
            }
            Err(NodeError::Running { pid, .. }) => {
                tracing::info!(pid, "attached to the running node");
                Self::attach(&config.data_dir)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns true if no process uses the data folder.
    #[must_use]
    pub fn is_free(data_dir: &Path) -> bool {
        matches!(instance_lock::read_state(data_dir), Ok(LockState::Free))
    }

    /// Returns this session with a handle that changes nothing: it reaches the node, also one of this process,
    /// over connections whose calls the node gives the role `read`. Every other node does the same.
    ///
    /// # Errors
    /// Those of the connection. The session is closed then.
    pub async fn read_only(self, data_dir: &Path) -> Result<Self, SessionError> {
        let info = self.handle.info();
        let (net, client) = (self.handle.net(), self.handle.client().read_only());
        let connected = client_runtime::connect(
            net,
            client,
            [self.handle.peer()],
            info.locality,
            Some(data_dir),
        );
        match connected.await {
            Ok(handle) => Ok(Self {
                handle: Arc::new(handle),
                backend: self.backend,
            }),
            Err(error) => {
                self.end(Duration::ZERO).await;
                Err(error.into())
            }
        }
    }

    /// Returns the handle to the node.
    #[must_use]
    pub fn handle(&self) -> Arc<NodeHandle> {
        Arc::clone(&self.handle)
    }

    /// Returns the runtime of the network, to wait for something from a thread outside of every runtime.
    #[must_use]
    pub fn net(&self) -> Handle {
        self.handle.net()
    }

    /// Stops a node of this process in order, giving running tasks at most `grace`; disconnects from any
    /// other.
    pub async fn end(&self, grace: Duration) -> ShutdownReport {
        match &self.backend {
            Backend::Owned(node) => node.shutdown(grace).await,
            Backend::Attached(runtime) => {
                runtime.shutdown().await;
                ShutdownReport::default()
            }
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.handle.peer())
    }
}

/// Parses `KEY@ADDR:PORT`.
fn parse_peer(text: &str) -> Option<PeerAddr> {
    let (key, addr) = text.split_once('@')?;
    Some(PeerAddr {
        addr: addr.parse().ok()?,
        key: key.parse().ok()?,
    })
}

fn find_by_prefix<'a>(known: &'a [JoinedNode], text: &str) -> Result<&'a JoinedNode, SessionError> {
    let prefix = text.to_ascii_lowercase();
    let mut matching = known
        .iter()
        .filter(|known| prefix.len() >= MIN_PREFIX && known.key.to_string().starts_with(&prefix));
    match (matching.next(), matching.next()) {
        (Some(known), None) => Ok(known),
        (Some(_), Some(_)) => Err(SessionError::Ambiguous(text.to_owned())),
        _ => Err(SessionError::Unknown(text.chars().take(60).collect())),
    }
}

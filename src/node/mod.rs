//! One process put together: a network with the naming server and the greeter on it, and a broker
//! with its workers. It starts in order and stops in order; everything it hands out is a handle that
//! may be used from any runtime.
//!
//! | room | what it is for |
//! |---|---|
//! | [`Node`], [`Config`], [`Offers`] | a node of this process |
//! | [`Session`], [`Access`] | a time with a node, here or elsewhere, and what may be done on it |
//! | [`known`], `links`, `service` | the nodes that this one has joined, and what goes on with them |
//! | `here`, `address`, `discover` | who has the data folder; where others can reach this process, and where those are that moved |

mod access;
mod address;
mod discover;
mod here;
pub mod known;
mod links;
mod names;
mod service;
mod session;

use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use serde::de::DeserializeOwned;
use tokio::{runtime::Handle, sync::watch};
use tokio_util::sync::CancellationToken;

pub use self::{
    access::{About, Access, NamesEvent, Place},
    address::warning,
    links::LinkInfo,
    service::{Joined, NodeClient},
    session::{Session, SessionError, label},
};
use self::{
    discover::Announcer,
    here::{Here, Taken},
    links::Links,
};
use crate::{
    metrics,
    net::{
        client::Peer,
        endpoint::{Endpoint, EndpointError},
        fault::CallError,
        greeter,
        identity::{Identity, IdentityError},
        key::PublicKey,
        members::{Members, MembersError},
        naming::{self, Naming, NamingClient, Register, Registration, Status},
        object::{Caller, Object},
        peers,
        uri::Uri,
        wire::Role,
    },
    queue::{
        absent::Absent,
        add,
        broker::{Broker, Drained},
        context::Context,
        embedded::{self, Embedded, Recovery, StartError},
        registry::{Registry, TaskError},
        remote, store,
    },
};

/// How a node is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the key is kept.
    pub data_dir: PathBuf,
    /// The UDP address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The broker and its workers.
    pub broker: embedded::Config,
    /// The TCP address of the numbers for Prometheus; `None` serves none.
    pub metrics: Option<SocketAddr>,
    /// Addresses that lead to this process from elsewhere, when it cannot know them; empty lets it look.
    pub advertise: Vec<SocketAddr>,
    /// What it calls itself where it joins.
    pub label: String,
    /// Whether it tells the local network where it is, and looks there for joined nodes that moved.
    pub discover: bool,
    /// What it does without.
    pub without: BTreeSet<Part>,
}

/// A part of a node that it can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The naming server: names are registered with those that were joined only.
    Naming,
    /// The greeter.
    Greeter,
    /// The broker, its file and its workers.
    Broker,
    /// The workers: tasks are taken and wait.
    Workers,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 4] = [Self::Naming, Self::Greeter, Self::Broker, Self::Workers];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Naming => "naming",
            Self::Greeter => "greeter",
            Self::Broker => "broker",
            Self::Workers => "workers",
        }
    }
}

impl Config {
    /// A node that keeps everything in this folder and is reached from this machine only.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self {
            data_dir: folder.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            broker: embedded::Config {
                store: store::Config {
                    folder: Some(folder.to_owned()),
                    ..store::Config::default()
                },
                ..embedded::Config::default()
            },
            metrics: None,
            advertise: Vec::new(),
            label: label(),
            discover: false,
            without: BTreeSet::new(),
        }
    }

    fn has(&self, part: Part) -> bool {
        !self.without.contains(&part)
    }
}

/// What a process offers beside the greeter and the additions: objects under names, and tasks that its
/// workers can run.
#[derive(Default)]
pub struct Offers {
    objects: Vec<(Register, Arc<dyn Object>)>,
    tasks: Registry,
}

impl Offers {
    /// Nothing of one's own yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves an object and registers it under a name, with tags.
    #[must_use]
    pub fn object(mut self, name: &str, tags: &[&str], object: impl Object + 'static) -> Self {
        let mut wanted = Register::new(name, "");
        wanted.metadata = tags.iter().map(ToString::to_string).collect();
        self.objects.push((wanted, Arc::new(object)));
        self
    }

    /// Makes a function available to the workers; see [`Registry::register`].
    #[must_use]
    pub fn task<A, F, R>(mut self, name: &str, function: F) -> Self
    where
        A: DeserializeOwned,
        F: Fn(A, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<String, TaskError>> + Send + 'static,
    {
        self.tasks.register(name, function);
        self
    }
}

/// Why a node did not start. Nothing of it runs then.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The network.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Who has joined.
    #[error(transparent)]
    Members(#[from] MembersError),
    /// Which nodes were joined.
    #[error(transparent)]
    Known(#[from] known::KnownError),
    /// Another process has the data folder.
    #[error(
        "a node runs on {folder} already (process {pid}); this command needs one of its own: end that \
         one, or choose another folder with --data-dir"
    )]
    Running {
        /// The folder.
        folder: String,
        /// The process.
        pid: u32,
    },
    /// The data folder cannot be used.
    #[error("cannot use {path}: {error}")]
    Folder {
        /// A file in it.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// There is nobody to register with.
    #[error(
        "a node without a naming server has to join one: distro-tui join TICKET, or serve --join TICKET"
    )]
    NoNaming,
    /// The broker.
    #[error(transparent)]
    Broker(#[from] StartError),
    /// The address of the numbers for Prometheus.
    #[error("cannot serve metrics at {addr}: {why}; choose another address with --metrics")]
    Metrics {
        /// Where they were to be.
        addr: SocketAddr,
        /// Why not.
        why: io::Error,
    },
    /// A thread or a runtime.
    #[error("cannot start the network: {0}")]
    Network(#[from] io::Error),
}

/// Each step of stopping the network takes at most this long.
const STEP: Duration = Duration::from_millis(500);

/// A running process.
pub struct Node {
    access: Arc<Access>,
    metrics: Option<SocketAddr>,
    net: Handle,
    endpoint: Endpoint,
    /// Where others can reach it.
    addrs: Vec<SocketAddr>,
    broker: Arc<dyn Broker>,
    links: Links,
    desk: service::Desk,
    /// Ends the naming server's clock and the registrations.
    stop: CancellationToken,
    /// How the registrations with its own naming server stand.
    standing: Vec<watch::Receiver<Status>>,
    registrations: Mutex<Vec<tokio::task::JoinHandle<()>>>,
    ending: Ending,
    _announcer: Option<Announcer>,
    /// The claim on the data folder.
    _here: Here,
}

/// What ends the network's thread.
struct Ending {
    over: CancellationToken,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Ending {
    const fn new(over: CancellationToken, thread: JoinHandle<()>) -> Self {
        Self {
            over,
            thread: Mutex::new(Some(thread)),
        }
    }

    fn end(&self) {
        self.over.cancel();
        let thread = self.thread.lock();
        if let Some(thread) = thread.unwrap_or_else(PoisonError::into_inner).take() {
            // It has nothing left to do but to end.
            thread.join().ok();
        }
    }
}

impl Node {
    /// Starts everything. The greeter's registration goes on in the background, over the network.
    ///
    /// # Errors
    /// [`NodeError`], each with what to do about it.
    pub fn start(config: &Config) -> Result<Self, NodeError> {
        Self::start_with(config, Offers::new())
    }

    /// The same with objects and tasks of one's own.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start_with(config: &Config, offers: Offers) -> Result<Self, NodeError> {
        let mut here = claim(&config.data_dir)?;
        let identity = Identity::load_or_make(&config.data_dir)?;
        let members = Members::open(&config.data_dir, identity.public())?;
        let joined = known::read(&config.data_dir)?;
        let over = CancellationToken::new();
        let (net, thread) = network_thread(over.clone())?;
        let ending = Ending::new(over, thread);
        let endpoint = bind(&net, config.listen, here.port(), &identity, members)?;
        let bound = endpoint.local_addr()?;
        let addrs = match config.advertise.as_slice() {
            [] => address::from_elsewhere(bound),
            told => told.to_vec(),
        };
        let own = Peer {
            addr: address::from_here(bound),
            key: identity.public(),
        };

        let Offers { objects, mut tasks } = with_greeter(config, offers);
        add::register(&mut tasks);
        let engine = match config.has(Part::Broker) {
            true => Some(Embedded::start(broker_config(config), tasks)?),
            false => None,
        };
        let (broker, recovery) = match &engine {
            Some(engine) => {
                let broker: Arc<dyn Broker> = Arc::new(engine.clone());
                (broker, engine.recovery().clone())
            }
            None => {
                let absent = Absent::new("this node was started without a broker");
                let broker: Arc<dyn Broker> = Arc::new(absent);
                (broker, Recovery::default())
            }
        };
        let stop = CancellationToken::new();
        let door = config.metrics.map(|addr| {
            let _entered = net.enter();
            metrics::listen(addr).map_err(|why| NodeError::Metrics { addr, why })
        });
        let door = door.transpose()?;
        let book = config
            .has(Part::Naming)
            .then(|| serve_names(&net, &endpoint, own, engine.as_ref(), &stop));
        let metrics = door.as_ref().and_then(|door| door.local_addr().ok());
        if let Some(door) = door {
            let source = metrics::Source {
                broker: engine.clone(),
                naming: book.clone(),
                endpoint: endpoint.clone(),
            };
            net.spawn(metrics::serve(door, source, stop.clone()));
        }

        let offered = offer(&net, &endpoint, objects, engine, &recovery);
        let links = Links::new(
            endpoint.client(),
            endpoint.members().clone(),
            book.clone(),
            links::Reached {
                bound,
                told: config.advertise.first().copied(),
            },
            abroad(&offered, own.key),
            stop.clone(),
        );
        let desk = service::Desk {
            client: endpoint.client(),
            links: links.clone(),
            data_dir: config.data_dir.clone(),
            label: config.label.clone(),
            own: own.key,
            bound,
        };
        let about_peers = peers::Desk {
            endpoint: endpoint.clone(),
            naming: book.clone(),
            addrs: addrs.clone(),
        };
        let objects = endpoint.objects();
        objects.expose(service::NAME, service::object(desk.clone()));
        objects.expose(peers::NAME, peers::object(about_peers));
        {
            let _entered = net.enter();
            endpoint.open();
        }

        let phone_book = match &book {
            Some(_) => own,
            None => {
                let mut known = joined.iter().flat_map(known::Known::peers);
                let first = known.next().ok_or(NodeError::NoNaming)?;
                let all = std::iter::once(first).chain(known);
                let client = endpoint.client();
                let reached = net.block_on(client.first_to_answer(all));
                reached.map_or(first, |(peer, _)| peer)
            }
        };
        let naming = NamingClient::new(endpoint.client(), phone_book);
        let (mut registrations, mut standing) = (Vec::new(), Vec::new());
        if book.is_some() {
            let at = addrs.first().copied().unwrap_or(own.addr);
            for mut wanted in offered {
                wanted.uri = uri(&wanted.uri, at).to_string();
                let registration = Registration::new(naming.clone(), wanted);
                standing.push(registration.status());
                registrations.push(net.spawn(registration.run(stop.clone())));
            }
        }
        {
            let _entered = net.enter();
            for known in joined {
                if let Some(warning) = links.take_up(known) {
                    tracing::warn!("{warning}");
                }
            }
        }
        let announcer = config.discover.then(|| Announcer::start(own.key, &addrs));
        let announcer = announcer.and_then(|started| {
            started
                .inspect_err(|why| tracing::warn!(why, "the local network is not told"))
                .ok()
        });
        net.spawn(
            links
                .clone()
                .find_moved(config.data_dir.clone(), config.discover),
        );
        here.announce(own.addr, own.key)?;
        let about = About {
            key: own.key,
            addr: own.addr,
            role: Role::Admin,
            place: Place::Here,
        };
        let access = Access::new(about, net.clone(), naming, Arc::clone(&broker), recovery);
        Ok(Self {
            access: Arc::new(access),
            metrics,
            net,
            endpoint,
            addrs,
            broker,
            links,
            desk,
            stop,
            standing,
            registrations: Mutex::new(registrations),
            ending,
            _announcer: announcer,
            _here: here,
        })
    }

    /// What may be done on it.
    #[must_use]
    pub fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access)
    }

    /// The key of this process.
    #[must_use]
    pub fn key(&self) -> PublicKey {
        self.access.about().key
    }

    /// Where this process reaches itself.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.access.about().addr
    }

    /// Where others can reach it, the likeliest first.
    #[must_use]
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Where the numbers for Prometheus are, if they are served.
    #[must_use]
    pub const fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// The broker.
    #[must_use]
    pub fn broker(&self) -> Arc<dyn Broker> {
        Arc::clone(&self.broker)
    }

    /// The network's runtime: to wait for something from a thread outside of every runtime.
    #[must_use]
    pub fn net(&self) -> Handle {
        self.net.clone()
    }

    /// Joins another node with its ticket, and registers there what is offered here.
    ///
    /// # Errors
    /// The other's refusal, or the call's own.
    pub async fn join(&self, ticket: &str) -> Result<Joined, CallError> {
        let (desk, ticket) = (self.desk.clone(), ticket.to_owned());
        let joining = self.net.spawn(async move { desk.join(&ticket).await });
        joining.await.map_err(|_ended| CallError::Closed)?
    }

    /// Waits until everything that this process offers is registered under its name.
    ///
    /// # Errors
    /// The naming server's refusal, which asking again would not change.
    pub async fn registered(&self) -> Result<(), CallError> {
        for standing in &self.standing {
            let mut standing = standing.clone();
            let settled = |status: &Status| matches!(status, Status::Held | Status::Refused(_));
            let status = standing.wait_for(settled).await;
            match &*status.map_err(|_ended| CallError::Closed)? {
                Status::Refused(why) => return Err(why.clone()),
                _ => continue,
            }
        }
        Ok(())
    }

    /// Stops in order: names are taken back, running tasks end (at most `grace`), running
    /// calls end, peers are told, threads are joined.
    pub async fn shutdown(&self, grace: Duration) -> Drained {
        self.stop.cancel();
        let mut registrations = {
            let registrations = self.registrations.lock();
            std::mem::take(&mut *registrations.unwrap_or_else(PoisonError::into_inner))
        };
        registrations.extend(self.links.take_running());
        let all = futures_util::future::join_all(registrations);
        let ended = async move { tokio::time::timeout(STEP, all).await };
        self.net.spawn(ended).await.ok();
        // The broker keeps the names as well, so it goes after them.
        let drained = self.broker.shutdown(grace).await.unwrap_or_default();
        let endpoint = self.endpoint.clone();
        let ended = async move { endpoint.shutdown(STEP).await };
        self.net.spawn(ended).await.ok();
        self.end();
        drained
    }

    /// Ends the network's thread, after a shutdown or in place of one.
    pub fn end(&self) {
        self.ending.end();
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({} at {})", self.key().fingerprint(), self.addr())
    }
}

fn claim(folder: &Path) -> Result<Here, NodeError> {
    Here::claim(folder).map_err(|taken| match taken {
        Taken::By(pid) => NodeError::Running {
            folder: folder.display().to_string(),
            pid,
        },
        Taken::Unusable(path, error) => NodeError::Folder { path, error },
    })
}

/// A free port is the one of last time, if that is still free: whoever knew it finds it again.
fn bind(
    net: &Handle,
    listen: SocketAddr,
    before: u16,
    identity: &Identity,
    members: Members,
) -> Result<Endpoint, EndpointError> {
    let _entered = net.enter();
    if listen.port() == 0 && before != 0 {
        let as_before = SocketAddr::new(listen.ip(), before);
        if let Ok(endpoint) = Endpoint::bind_closed(as_before, identity, members.clone()) {
            return Ok(endpoint);
        }
    }
    Endpoint::bind_closed(listen, identity, members)
}

fn with_greeter(config: &Config, offers: Offers) -> Offers {
    match config.has(Part::Greeter) {
        true => offers.object(greeter::NAME, &["greeter"], greeter::greeter()),
        false => offers,
    }
}

fn broker_config(config: &Config) -> embedded::Config {
    embedded::Config {
        workers: match config.has(Part::Workers) {
            true => config.broker.workers,
            false => 0,
        },
        ..config.broker.clone()
    }
}

/// Exposes every object, and says what is to be registered: names, with the objects' names at this
/// endpoint in place of addresses.
fn offer(
    net: &Handle,
    endpoint: &Endpoint,
    objects: Vec<(Register, Arc<dyn Object>)>,
    engine: Option<Embedded>,
    recovery: &Recovery,
) -> Vec<Register> {
    let mut offered = Vec::new();
    for (mut wanted, object) in objects {
        endpoint.objects().expose(&wanted.name, object);
        wanted.uri.clone_from(&wanted.name);
        offered.push(wanted);
    }
    if let Some(engine) = engine {
        // It reads events where the sockets are.
        let _entered = net.enter();
        let life = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let life = u64::try_from(life.as_micros()).unwrap_or_default();
        let object = remote::object(Arc::new(engine), recovery.clone(), life);
        endpoint.objects().expose(remote::NAME, Arc::new(object));
        let mut wanted = Register::new(remote::NAME, remote::NAME);
        wanted.metadata = vec!["broker".into()];
        wanted.exclusive = true;
        offered.push(wanted);
    }
    offered
}

/// The same where others register theirs too: a broker is not one of many, so it has a name of its own
/// there.
fn abroad(offered: &[Register], key: PublicKey) -> Vec<Register> {
    let mut abroad = offered.to_vec();
    for wanted in &mut abroad {
        if wanted.uri == remote::NAME {
            wanted.name = format!("{}.{}", remote::NAME, key.fingerprint());
        }
    }
    abroad
}

/// Networking has a thread and a current-thread runtime of its own: measured, that is two to three
/// times as fast as sharing a multi-thread one, and no task of a worker can delay it.
fn network_thread(over: CancellationToken) -> io::Result<(Handle, JoinHandle<()>)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new()
        .name("net".into())
        .spawn(move || runtime.block_on(over.cancelled()))?;
    Ok((handle, thread))
}

fn serve_names(
    net: &Handle,
    endpoint: &Endpoint,
    own: Peer,
    engine: Option<&Embedded>,
    stop: &CancellationToken,
) -> Naming {
    let _entered = net.enter();
    let limits = naming::Limits::default();
    let naming = match engine {
        Some(engine) => {
            let before = engine.names().iter().filter_map(names::registered);
            let journal = Arc::new(names::Keeper::new(engine.clone()));
            let (naming, keeping) = Naming::kept(limits, before.collect(), journal);
            net.spawn(keeping);
            naming
        }
        None => Naming::new(limits),
    };
    endpoint
        .objects()
        .expose(naming::NAME, Arc::new(naming.object()));
    let mut itself = Register::new(naming::NAME, uri(naming::NAME, own.addr));
    itself.lease_ms = Some(0);
    itself.exclusive = true;
    itself.metadata = vec!["naming".into()];
    let myself = Caller {
        key: own.key,
        role: Role::Admin,
    };
    if let Err(fault) = naming.register(&myself, itself) {
        tracing::error!(%fault, "the naming server could not list itself");
    }
    let stop = stop.clone();
    let clock = naming.clone();
    net.spawn(async move { clock.run(stop).await });
    naming
}

fn uri(object: &str, addr: SocketAddr) -> Uri {
    Uri {
        object: object.into(),
        addr,
    }
}

//! One process put together: a network with the naming server and the greeter on it, and a broker
//! with its workers. It starts in order and stops in order; everything it hands out is a handle that
//! may be used from any runtime.

mod names;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use serde::de::DeserializeOwned;
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    metrics,
    net::{
        client::{DEADLINE, Peer, Request},
        endpoint::{Endpoint, EndpointError},
        fault::CallError,
        greeter,
        identity::{Identity, IdentityError},
        key::PublicKey,
        members::Members,
        naming::{self, Event, Naming, NamingClient, Record, Register, Registration, Status},
        object::{Caller, METHODS, Object, Signature},
        proxy::{Called, Proxy},
        uri::Uri,
        value::Value,
        wire::Role,
    },
    queue::{
        add,
        broker::{Broker, Drained},
        context::Context,
        embedded::{self, Embedded, Recovery, StartError},
        registry::{Registry, TaskError},
        store,
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
        }
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

/// News of the phone book.
#[derive(Debug, Clone, PartialEq)]
pub enum NamesEvent {
    /// What the naming server tells.
    News(Event),
    /// The watch broke; it is being taken up again.
    Lost(CallError),
}

/// News that wait for the screen; the naming server keeps what does not fit.
const MAX_NEWS: usize = 64;
/// First and longest pause before a broken watch is taken up again.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Each step of stopping the network takes at most this long.
const STEP: Duration = Duration::from_millis(500);

/// A running process.
pub struct Node {
    key: PublicKey,
    addr: SocketAddr,
    metrics: Option<SocketAddr>,
    net: Handle,
    endpoint: Endpoint,
    naming: NamingClient,
    greeter: Arc<Proxy>,
    broker: Embedded,
    /// Ends the naming server's clock and the registrations.
    stop: CancellationToken,
    /// Ends the network's thread.
    over: CancellationToken,
    /// How the registrations stand.
    standing: Vec<watch::Receiver<Status>>,
    registrations: Mutex<Option<Vec<tokio::task::JoinHandle<()>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
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
        let identity = Identity::load_or_make(&config.data_dir)?;
        let Offers { objects, mut tasks } =
            offers.object(greeter::NAME, &["greeter"], greeter::greeter());
        add::register(&mut tasks);

        let over = CancellationToken::new();
        let (net, thread) = network_thread(over.clone())?;
        let endpoint = {
            let _entered = net.enter();
            Endpoint::bind(config.listen, &identity, Members::only(identity.public()))?
        };
        let addr = endpoint.local_addr()?;
        let broker = Embedded::start(config.broker.clone(), tasks)?;

        let peer = Peer {
            addr: reachable(addr),
            key: identity.public(),
        };
        let naming = NamingClient::new(endpoint.client(), peer);
        let stop = CancellationToken::new();
        let metrics = config.metrics.map(|addr| {
            let _entered = net.enter();
            metrics::listen(addr).map_err(|why| NodeError::Metrics { addr, why })
        });
        let metrics = metrics.transpose()?;
        let book = serve_names(&net, &endpoint, peer, &broker, &stop);
        let metrics_addr = metrics.as_ref().and_then(|door| door.local_addr().ok());
        if let Some(door) = metrics {
            let source = metrics::Source {
                broker: broker.clone(),
                naming: book,
                endpoint: endpoint.clone(),
            };
            net.spawn(metrics::serve(door, source, stop.clone()));
        }
        let (mut registrations, mut standing) = (Vec::new(), Vec::new());
        for (mut wanted, object) in objects {
            endpoint.objects().expose(&wanted.name, object);
            wanted.uri = uri(&wanted.name, peer.addr).to_string();
            let registration = Registration::new(naming.clone(), wanted);
            standing.push(registration.status());
            registrations.push(net.spawn(registration.run(stop.clone())));
        }
        Ok(Self {
            key: peer.key,
            addr: peer.addr,
            metrics: metrics_addr,
            net,
            endpoint,
            greeter: Arc::new(Proxy::new(naming.clone(), greeter::NAME)),
            naming,
            broker,
            stop,
            over,
            standing,
            registrations: Mutex::new(Some(registrations)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// The key of this process.
    #[must_use]
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// Where this process can be reached.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where the numbers for Prometheus are, if they are served.
    #[must_use]
    pub const fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// The broker.
    #[must_use]
    pub fn broker(&self) -> Arc<dyn Broker> {
        Arc::new(self.broker.clone())
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

    /// Greets a person by the real road: the naming server is asked who serves the greeter, that
    /// server is dialled and called.
    ///
    /// # Errors
    /// The call's own.
    pub async fn greet(&self, name: &str) -> Result<Called, CallError> {
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
        let peer = Peer {
            addr: uri.addr,
            key: record.owner,
        };
        let request = Request::new(uri.object, method, args);
        let client = self.endpoint.client();
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
    ) -> Result<Called, CallError> {
        let proxy = Proxy::new(self.naming.clone(), name);
        let method = method.to_owned();
        self.on_net(async move { proxy.call(&method, args).await })
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

    /// What the process before had left to the broker.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        self.broker.recovery()
    }

    /// Stops in order: names are taken back, running tasks end (at most `grace`), running
    /// calls end, peers are told, threads are joined.
    pub async fn shutdown(&self, grace: Duration) -> Drained {
        self.stop.cancel();
        if let Some(registrations) = take(&self.registrations) {
            let all = futures_util::future::join_all(registrations);
            let ended = async move { tokio::time::timeout(STEP, all).await };
            self.net.spawn(ended).await.ok();
        }
        // The broker keeps the names as well, so it goes after them.
        let drained = self.broker.shutdown(grace).await.unwrap_or_default();
        let endpoint = self.endpoint.clone();
        let ended = async move { endpoint.shutdown(STEP).await };
        self.net.spawn(ended).await.ok();
        self.over.cancel();
        if let Some(thread) = take(&self.thread) {
            // It has nothing left to do but to end.
            thread.join().ok();
        }
        drained
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

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({} at {})", self.key.fingerprint(), self.addr)
    }
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
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
    peer: Peer,
    broker: &Embedded,
    stop: &CancellationToken,
) -> Naming {
    let _entered = net.enter();
    let before = broker
        .names()
        .iter()
        .filter_map(names::registered)
        .collect();
    let journal = Arc::new(names::Keeper::new(broker.clone()));
    let (naming, keeping) = Naming::kept(naming::Limits::default(), before, journal);
    net.spawn(keeping);
    endpoint
        .objects()
        .expose(naming::NAME, Arc::new(naming.object()));
    let mut itself = Register::new(naming::NAME, uri(naming::NAME, peer.addr));
    itself.lease_ms = Some(0);
    itself.metadata = vec!["naming".into()];
    let myself = Caller {
        key: peer.key,
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

/// Listening on every address is no address to dial: this process reaches itself by loopback.
fn reachable(mut addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        ip if !ip.is_unspecified() => {}
        std::net::IpAddr::V4(_) => addr.set_ip(std::net::Ipv4Addr::LOCALHOST.into()),
        std::net::IpAddr::V6(_) => addr.set_ip(std::net::Ipv6Addr::LOCALHOST.into()),
    }
    addr
}

async fn follow(naming: NamingClient, news: mpsc::Sender<NamesEvent>) {
    let (mut from, mut pause) = (None, FIRST_PAUSE);
    loop {
        let error = match naming.watch(from).await {
            Ok(mut watch) => loop {
                let event = tokio::select! {
                    event = watch.next() => event,
                    () = news.closed() => return,
                };
                match event {
                    Ok(Some(event)) => {
                        pause = FIRST_PAUSE;
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
        if news.send(NamesEvent::Lost(error)).await.is_err() {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Where to go on after an event: in the middle of a snapshot only from its beginning.
fn place(event: &Event) -> Option<u64> {
    match event {
        Event::Snapshot { more: true, .. } => None,
        Event::Snapshot { revision, .. } | Event::Changes { revision, .. } => Some(*revision),
    }
}

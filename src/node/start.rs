//! Starting a node, in order.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, mpsc},
};

use tokio::{
    net::TcpListener,
    runtime::Handle,
    time::{Duration, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Component, Locality, Node, NodeConfig, NodeError, NodeHandle, NodeInfo, Services, address,
    discover::Announcer,
    instance_lock::{InstanceLock, LockError},
    known_nodes::{self, JoinedNode},
    names_file,
    names_journal::NamesJournal,
    service,
    thread::network_thread,
    upstreams::{self, Upstreams},
};
use crate::{
    metrics,
    net::{
        admission, greeter,
        naming::{self, LeaseKeeper, NamingClient, NamingServer, RegisterRequest},
        rpc::{
            client::{Client, PeerAddr},
            endpoint::{Endpoint, EndpointError},
            object::{Caller, Object},
            wire::Role,
        },
        trust::{identity::Identity, key::PublicKey, members::Members},
        uri::Uri,
    },
    queue::{
        add,
        broker::Broker,
        embedded::{self, Embedded, Recovery, store::Durability},
        registry::Registry,
        remote,
        unavailable::UnavailableBroker,
    },
};

/// Those who are waiting for the node must not give it up for a naming server that is away.
const SEARCH: Duration = Duration::from_secs(2);

impl Node {
    /// The same with objects and tasks of one's own.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start_with(config: &NodeConfig, offers: Services) -> Result<Self, NodeError> {
        let mut here = claim(&config.data_dir)?;
        let identity = Identity::load_or_generate(&config.data_dir)?;
        let members = Members::open(&config.data_dir, identity.public())?;
        let joined = known_nodes::read(&config.data_dir)?;
        if joined.is_empty() && !config.has(Component::Naming) {
            return Err(NodeError::NoNaming);
        }
        let (net, ending) = network_thread()?;
        let endpoint = bind(&net, config.listen, here.port(), &identity, members)?;
        let bound = endpoint.local_addr()?;
        let addrs = match config.advertise.as_slice() {
            [] => address::advertised(bound),
            told => told.to_vec(),
        };
        let own = PeerAddr {
            addr: address::dialable(bound),
            key: identity.public(),
        };

        let Services { objects, tasks } = with_greeter(config, offers);
        let engine = engine(config, tasks)?;
        let (broker, recovery) = broker(engine.as_ref());
        let stop = CancellationToken::new();
        let door = bind_metrics(config, &net)?;
        let book = match config.has(Component::Naming) {
            true => Some(serve_names(config, &net, &endpoint, own, &stop)?),
            false => None,
        };
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
        let links = Upstreams::new(
            endpoint.client(),
            endpoint.members().clone(),
            book.clone(),
            upstreams::AdvertisedAddr {
                bound,
                told: config.advertise.first().copied(),
            },
            names_at_upstream(&offered, own.key),
            stop.clone(),
        );
        let desk = service::NodeService {
            client: endpoint.client(),
            links: links.clone(),
            data_dir: config.data_dir.clone(),
            label: config.label.clone(),
            own: own.key,
            bound,
        };
        let about_peers = admission::AdmissionService {
            endpoint: endpoint.clone(),
            naming: book.clone(),
            addrs: addrs.clone(),
        };
        let objects = endpoint.objects();
        objects.expose(service::NAME, service::object(desk.clone()));
        objects.expose(admission::NAME, admission::object(about_peers));
        {
            // Whoever comes now finds everything.
            let _entered = net.enter();
            endpoint.start_accepting();
        }

        let naming = match &book {
            Some(_) => NamingClient::new(endpoint.client(), own),
            None => upstream_naming(&net, endpoint.client(), &joined).ok_or(NodeError::NoNaming)?,
        };
        let (mut registrations, mut standing) = (Vec::new(), Vec::new());
        if book.is_some() {
            let at = addrs.first().copied().unwrap_or(own.addr);
            for mut wanted in offered {
                wanted.uri = uri(&wanted.uri, at).to_string();
                let registration = LeaseKeeper::new(naming.clone(), wanted);
                standing.push(registration.status());
                registrations.push(net.spawn(registration.run(stop.clone())));
            }
        }
        attach(&net, &links, joined);
        let announcer = config.discover.then(|| Announcer::start(own.key, &addrs));
        let announcer = announcer.and_then(|started| {
            started
                .inspect_err(|why| tracing::warn!(why, "the local network is not told"))
                .ok()
        });
        net.spawn(
            links
                .clone()
                .relocate(config.data_dir.clone(), config.discover),
        );
        here.announce(own.addr, own.key)?;
        let about = NodeInfo {
            key: own.key,
            addr: own.addr,
            role: Role::Admin,
            place: Locality::InProcess,
        };
        let access = NodeHandle::new(about, net.clone(), naming, Arc::clone(&broker), recovery);
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
}

fn claim(folder: &Path) -> Result<InstanceLock, NodeError> {
    InstanceLock::claim(folder).map_err(|taken| match taken {
        LockError::By(pid) => NodeError::Running {
            folder: folder.display().to_string(),
            pid,
        },
        LockError::Unusable(path, error) => NodeError::Folder { path, error },
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
        if let Ok(endpoint) = Endpoint::bind_paused(as_before, identity, members.clone()) {
            return Ok(endpoint);
        }
    }
    Endpoint::bind_paused(listen, identity, members)
}

fn with_greeter(config: &NodeConfig, offers: Services) -> Services {
    match config.has(Component::Greeter) {
        true => offers.object(greeter::NAME, &["greeter"], greeter::greeter()),
        false => offers,
    }
}

fn broker_config(config: &NodeConfig) -> embedded::BrokerConfig {
    embedded::BrokerConfig {
        workers: match config.has(Component::Workers) {
            true => config.broker.workers,
            false => 0,
        },
        ..config.broker.clone()
    }
}

fn engine(config: &NodeConfig, mut tasks: Registry) -> Result<Option<Embedded>, NodeError> {
    add::register(&mut tasks);
    match config.has(Component::Broker) {
        true => Ok(Some(Embedded::start(broker_config(config), tasks)?)),
        false => Ok(None),
    }
}

/// What everybody sees of it, or of its absence.
fn broker(engine: Option<&Embedded>) -> (Arc<dyn Broker>, Recovery) {
    match engine {
        Some(engine) => (Arc::new(engine.clone()), engine.recovery().clone()),
        None => {
            let absent = UnavailableBroker::new("this node was started without a broker");
            (Arc::new(absent), Recovery::default())
        }
    }
}

fn bind_metrics(config: &NodeConfig, net: &Handle) -> Result<Option<TcpListener>, NodeError> {
    let Some(addr) = config.metrics else {
        return Ok(None);
    };
    let _entered = net.enter();
    match metrics::listen(addr) {
        Ok(door) => Ok(Some(door)),
        Err(why) => Err(NodeError::Metrics { addr, why }),
    }
}

/// The naming server of the first joined node that answers; of the first at all when none does yet.
fn upstream_naming(net: &Handle, client: Client, joined: &[JoinedNode]) -> Option<NamingClient> {
    let known: Vec<PeerAddr> = joined.iter().flat_map(JoinedNode::peers).collect();
    let first = NamingClient::new(client.clone(), *known.first()?);
    // Whoever starts a node may be on a runtime, where another one must not be waited on.
    let (told, answer) = mpsc::channel();
    net.spawn(async move {
        let asking = NamingClient::connect_any(&client, known);
        if let Ok(Ok(found)) = timeout(SEARCH, asking).await {
            told.send(found).ok();
        }
    });
    Some(answer.recv().unwrap_or(first))
}

fn attach(net: &Handle, links: &Upstreams, joined: Vec<JoinedNode>) {
    let _entered = net.enter();
    for known in joined {
        if let Some(warning) = links.attach(known) {
            tracing::warn!("{warning}");
        }
    }
}

/// Exposes every object, and says what is to be registered: names, with the objects' names at this
/// endpoint in place of addresses.
fn offer(
    net: &Handle,
    endpoint: &Endpoint,
    objects: Vec<(RegisterRequest, Arc<dyn Object>)>,
    engine: Option<Embedded>,
    recovery: &Recovery,
) -> Vec<RegisterRequest> {
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
        let mut wanted = RegisterRequest::new(remote::NAME, remote::NAME);
        wanted.tags = vec!["broker".into()];
        wanted.exclusive = true;
        offered.push(wanted);
    }
    offered
}

/// The same where others register theirs too: a broker is not one of many, so it has a name of its own
/// there.
fn names_at_upstream(offered: &[RegisterRequest], key: PublicKey) -> Vec<RegisterRequest> {
    let mut names_at_upstream = offered.to_vec();
    for wanted in &mut names_at_upstream {
        if wanted.uri == remote::NAME {
            wanted.name = format!("{}.{}", remote::NAME, key.fingerprint());
        }
    }
    names_at_upstream
}

fn serve_names(
    config: &NodeConfig,
    net: &Handle,
    endpoint: &Endpoint,
    own: PeerAddr,
    stop: &CancellationToken,
) -> Result<NamingServer, NodeError> {
    let _entered = net.enter();
    let naming = naming_server(net, config)?;
    endpoint
        .objects()
        .expose(naming::NAME, Arc::new(naming.object()));
    let mut itself = RegisterRequest::new(naming::NAME, uri(naming::NAME, own.addr));
    itself.lease_ms = Some(0);
    itself.exclusive = true;
    itself.tags = vec!["naming".into()];
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
    Ok(naming)
}

/// An empty naming server if nothing is stored on disk, otherwise one with a journal and the names in it.
fn naming_server(net: &Handle, config: &NodeConfig) -> Result<NamingServer, NodeError> {
    let limits = naming::NamingLimits::default();
    let sync = match config.broker.store.durability {
        Durability::Memory => return Ok(NamingServer::new(limits)),
        Durability::Process => false,
        Durability::Power => true,
    };
    let (journal, names) =
        NamesJournal::open(&config.data_dir, sync).map_err(|error| NodeError::Folder {
            path: names_file::path(&config.data_dir),
            error,
        })?;
    let (naming, persist) = NamingServer::persistent(limits, names, Arc::new(journal));
    net.spawn(persist);
    Ok(naming)
}

fn uri(object: &str, addr: SocketAddr) -> Uri {
    Uri {
        object: object.into(),
        addr,
    }
}

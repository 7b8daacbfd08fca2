//! Starting a node, in order.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{net::TcpListener, runtime::Handle};
use tokio_util::sync::CancellationToken;

use super::{
    address::{self, AdvertisedAddr},
    config::{Component, NO_BROKER, NodeConfig},
    discover::Announcer,
    error::NodeError,
    handle::{Locality, NodeHandle, NodeInfo},
    health_reports::{report_recovery, watch_own_names},
    instance_lock::InstanceLock,
    known_nodes::{self, JoinedNode},
    naming,
    net_thread::NetThread,
    running::{Node, Registrations},
    service::{self, NodeService},
    services::{ServiceOffer, Services},
    upstreams::Upstreams,
};
use crate::{
    health::{FindingKind, Findings},
    metrics,
    net::{
        admission, greeter,
        naming::{LeaseKeeper, NamingClient, NamingServer},
        rpc::endpoint::{Endpoint, EndpointError},
        trust::{identity::Identity, members::Members, peer_addr::PeerAddr, role::Role},
        watchdog::Watchdog,
    },
    queue::{
        add,
        broker::Broker,
        embedded::{self, Embedded},
        registry::Registry,
        remote,
        storage::Recovery,
        unavailable::UnavailableBroker,
    },
    text::fmt_duration,
};

impl Node {
    /// Starts a node. Its services are registered in the background, over the network.
    ///
    /// # Errors
    /// [`NodeError`], each with what to do about it.
    pub fn start(config: &NodeConfig) -> Result<Self, NodeError> {
        Self::start_with(config, Services::new())
    }

    /// Like [`Node::start`], with objects and tasks of your own.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start_with(config: &NodeConfig, services: Services) -> Result<Self, NodeError> {
        let lock = InstanceLock::acquire(&config.data_dir)?;
        let findings = Findings::open(&config.data_dir);
        Self::start_locked(config, services, lock, &findings).inspect_err(|error| {
            // For those who look for the node later.
            let text = format!("the last start failed: {error}");
            findings.report(FindingKind::StartFailed, "", &text);
        })
    }

    fn start_locked(
        config: &NodeConfig,
        services: Services,
        mut lock: InstanceLock,
        findings: &Findings,
    ) -> Result<Self, NodeError> {
        let identity = Identity::load_or_generate(&config.data_dir)?;
        let members = Members::open(&config.data_dir, identity.public())?;
        members.set_join_limits(config.join_limits);
        let joined = known_nodes::read(&config.data_dir)?;
        if joined.is_empty() && !config.has(Component::Naming) {
            return Err(NodeError::NoNaming);
        }
        let watchdog = watch_network(findings);
        let (net, thread) = NetThread::start(&watchdog)?;
        let endpoint = bind(&net, config, lock.previous_port(), &identity, members)?;
        endpoint.report_to(findings.clone());
        let bound = endpoint.local_addr()?;
        let addrs = match config.advertise.as_slice() {
            [] => address::advertised(bound),
            configured => configured.to_vec(),
        };
        let own = PeerAddr {
            addr: address::dialable(bound),
            key: identity.public(),
        };

        let mut services = with_greeter(config, services);
        let engine = engine(config, std::mem::take(&mut services.tasks), findings)?;
        let stop = CancellationToken::new();
        // An address that cannot be had is known before anything else runs.
        let listener = bind_metrics(config, &net)?;
        let server = match config.has(Component::Naming) {
            true => Some(naming::serve(
                config, &net, &endpoint, own, &joined, findings, &stop,
            )?),
            false => None,
        };
        let metrics = listener
            .as_ref()
            .and_then(|listener| listener.local_addr().ok());
        if let Some(listener) = listener {
            let source = metrics::MetricsSource {
                broker: engine
                    .clone()
                    .map(|engine| Arc::new(engine) as Arc<dyn Broker>),
                naming: server.clone(),
                endpoint: endpoint.clone(),
                findings: findings.clone(),
                watchdog: watchdog.clone(),
            };
            net.spawn(metrics::serve(listener, source, stop.clone()));
        }

        let (broker, recovery) = broker(engine.as_ref());
        report_recovery(findings, &recovery);
        let offers = with_broker(&net, services, engine, &recovery).expose(endpoint.objects());
        if let Some(server) = &server {
            let names = offers.iter().map(|offer| offer.name.as_str());
            server.reserve(own.key.into(), names);
        }
        let upstreams = Upstreams::new(
            &endpoint,
            server.clone(),
            config.delegated_role,
            AdvertisedAddr {
                bound,
                configured: config.advertise.first().copied(),
            },
            offers
                .iter()
                .flat_map(|offer| offer.at_upstream(own.key))
                .collect(),
            findings.clone(),
            stop.clone(),
        );
        let service = NodeService {
            client: endpoint.client(),
            upstreams: upstreams.clone(),
            data_dir: config.data_dir.clone(),
            label: config.label.clone(),
            own: own.key,
            bound,
            findings: findings.clone(),
            naming: server.clone(),
            watchdog,
            members: endpoint.members().clone(),
        };
        expose(&endpoint, &service, server.clone(), &addrs);
        {
            // From here on, callers find every object.
            let _entered = net.enter();
            endpoint.start_accepting();
        }

        let naming = match &server {
            Some(_) => NamingClient::new(endpoint.client(), own),
            None => {
                naming::of_joined(&net, endpoint.client(), &joined).ok_or(NodeError::NoNaming)?
            }
        };
        let registrations = match &server {
            Some(_) => {
                let addr = addrs.first().copied().unwrap_or(own.addr);
                register(&net, &naming, &offers, addr, &stop)
            }
            None => Registrations::default(),
        };
        let watch = watch_own_names(findings.clone(), registrations.statuses.clone());
        net.spawn(stop.clone().run_until_cancelled_owned(watch));
        net.spawn(admission::expire_tickets(
            endpoint.members().clone(),
            stop.clone(),
        ));
        attach_all(&net, &upstreams, joined);
        net.spawn(
            upstreams
                .clone()
                .relocate(config.data_dir.clone(), config.discover),
        );
        let announcer = announce(config, own, &addrs);
        lock.announce(own.addr, own.key)?;
        let info = NodeInfo {
            key: own.key,
            addr: own.addr,
            role: Role::Admin,
            locality: Locality::InProcess,
        };
        let handle = NodeHandle::new(info, net, naming, (broker, recovery), Some(service));
        Ok(Self {
            handle: Arc::new(handle),
            metrics,
            endpoint,
            addrs,
            upstreams,
            stop,
            registrations,
            thread,
            _announcer: announcer,
            _lock: lock,
        })
    }
}

/// Creates the watchdog of the network thread, which reports delays to the findings.
fn watch_network(findings: &Findings) -> Watchdog {
    let findings = findings.clone();
    Watchdog::new(move |delay| {
        let text = format!(
            "calls waited {} for the network thread",
            fmt_duration(delay)
        );
        findings.report(FindingKind::NetworkDelayed, "", &text);
    })
}

/// Binds the endpoint. A free port is the previous one if possible, so that those who knew it find it
/// again.
fn bind(
    net: &Handle,
    config: &NodeConfig,
    previous: u16,
    identity: &Identity,
    members: Members,
) -> Result<Endpoint, EndpointError> {
    let (listen, limits) = (config.listen, config.peer_limits);
    let _entered = net.enter();
    if listen.port() == 0 && previous != 0 {
        let as_before = SocketAddr::new(listen.ip(), previous);
        if let Ok(endpoint) = Endpoint::bind_paused(as_before, identity, members.clone(), limits) {
            return Ok(endpoint);
        }
    }
    Endpoint::bind_paused(listen, identity, members, limits)
}

fn with_greeter(config: &NodeConfig, services: Services) -> Services {
    match config.has(Component::Greeter) {
        true => services.object(greeter::NAME, &["greeter"], greeter::greeter()),
        false => services,
    }
}

/// Adds the broker as an object, if there is one.
fn with_broker(
    net: &Handle,
    services: Services,
    engine: Option<Embedded>,
    recovery: &Recovery,
) -> Services {
    let Some(engine) = engine else {
        return services;
    };
    // The object reads the broker's events on the runtime of the sockets.
    let _entered = net.enter();
    let epoch = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let epoch = u64::try_from(epoch.as_micros()).unwrap_or_default();
    let object = remote::object(Arc::new(engine), recovery.clone(), epoch);
    services.exclusive(remote::NAME, &["broker"], Arc::new(object))
}

fn engine(
    config: &NodeConfig,
    mut tasks: Registry,
    findings: &Findings,
) -> Result<Option<Embedded>, NodeError> {
    if !config.has(Component::Broker) {
        return Ok(None);
    }
    add::register(&mut tasks);
    let defaults = embedded::BrokerConfig::default();
    let broker = embedded::BrokerConfig {
        workers: match config.has(Component::Workers) {
            true => config.broker.workers.unwrap_or(defaults.workers),
            false => 0,
        },
        limits: config.broker.limits,
        store: config.broker.store.clone(),
        findings: findings.clone(),
        ..defaults
    };
    Ok(Some(Embedded::start(broker, tasks)?))
}

fn broker(engine: Option<&Embedded>) -> (Arc<dyn Broker>, Recovery) {
    match engine {
        Some(engine) => (Arc::new(engine.clone()), engine.recovery().clone()),
        None => (
            Arc::new(UnavailableBroker::new(NO_BROKER)),
            Recovery::default(),
        ),
    }
}

fn bind_metrics(config: &NodeConfig, net: &Handle) -> Result<Option<TcpListener>, NodeError> {
    let Some(addr) = config.metrics else {
        return Ok(None);
    };
    let _entered = net.enter();
    match metrics::listen(addr) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) => Err(NodeError::Metrics { addr, error }),
    }
}

/// Exposes the objects by which the node itself and its members are managed.
fn expose(
    endpoint: &Endpoint,
    service: &NodeService,
    naming: Option<NamingServer>,
    addrs: &[SocketAddr],
) {
    let admission = admission::AdmissionService {
        endpoint: endpoint.clone(),
        naming,
        addrs: addrs.to_vec(),
    };
    let objects = endpoint.objects();
    objects.expose(service::NAME, Arc::new(service.object()));
    objects.expose(admission::NAME, Arc::new(admission.object()));
}

/// Registers the services with the node's own naming server.
fn register(
    net: &Handle,
    naming: &NamingClient,
    offers: &[ServiceOffer],
    addr: SocketAddr,
    stop: &CancellationToken,
) -> Registrations {
    let keepers = offers
        .iter()
        .map(|offer| LeaseKeeper::new(naming.clone(), offer.request(addr)));
    let (statuses, tasks) = keepers
        .map(|keeper| {
            let status = keeper.status();
            (status, net.spawn(keeper.run_with_server(stop.clone())))
        })
        .unzip();
    Registrations {
        statuses,
        tasks: Mutex::new(tasks),
    }
}

fn attach_all(net: &Handle, upstreams: &Upstreams, joined: Vec<JoinedNode>) {
    let _entered = net.enter();
    for node in joined {
        if let Some(warning) = upstreams.attach(node) {
            tracing::warn!("{warning}");
        }
    }
}

fn announce(config: &NodeConfig, own: PeerAddr, addrs: &[SocketAddr]) -> Option<Announcer> {
    let started = config.discover.then(|| Announcer::start(own.key, addrs))?;
    started
        .inspect_err(|error| tracing::warn!(%error, "mDNS announcement failed"))
        .ok()
}

//! Finding names: in the registry itself, and through the naming server over QUIC on loopback.
//!
//! ```text
//! cargo bench --bench naming
//! ```
//!
//! Names are looked up in a scattered order, so that 100,000 of them do not all lie in a cache. What
//! goes over the network is compared with `ping` on the same connection: the rest is what naming adds.

#[path = "support/memory.rs"]
mod memory;
#[path = "support/network.rs"]
mod network;
mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use distro_tui::{
    net::{
        naming::{
            self, MAX_PAGE, NameQuery, NameRegistry, NamingClient, NamingLimits, NamingServer,
            Record, RegisterRequest,
        },
        rpc::{
            client::{Client, DEADLINE, Request},
            object::Caller,
        },
        trust::{key::PublicKey, peer_addr::PeerAddr, role::Role},
    },
    value::Value,
};
use network::closed_loop;
use support::{Bound, Cases, Results, SPAN, Sample};
use tokio::runtime::Runtime;

const PURE_FEW: &str = "registry: lookup among 10";
const PURE_MANY: &str = "registry: lookup among 100,000";
const PURE_PAGE: &str = "registry: page of 1,000 by prefix among 100,000";
const PING_1: &str = "QUIC: ping, 1 in flight";
const FEW_1: &str = "QUIC: lookup among 10, 1 in flight";
const MANY_1: &str = "QUIC: lookup among 100,000, 1 in flight";
const PING_64: &str = "QUIC: ping, 64 in flight";
const FEW_64: &str = "QUIC: lookup among 10, 64 in flight";
const MANY_64: &str = "QUIC: lookup among 100,000, 64 in flight";
const LIST: &str = "QUIC: list 10,000 of 100,000 in pages of 1,000";

const FEW: usize = 10;
const MANY: usize = 100_000;
/// Names that share a prefix.
const GROUP: usize = 10_000;
/// The prefix of one group in the middle.
const PREFIX: &str = "team7.";

/// The small naming server's object; the large one has the usual name.
const SMALL: &str = "naming.small";

/// A lease that outlives the benchmark, because most names have one and it takes memory.
const LEASE_MS: u64 = 24 * 3_600_000;

/// What a naming server's memory may be with all the names, in bytes.
const MOST_MEMORY: f64 = 40.0 * 1_048_576.0;

fn main() {
    if !support::is_requested() {
        return;
    }
    // First of all, while nothing has been given back to the allocator that could be used again.
    let (many, bytes) = fill_and_weigh();
    let few = filled(FEW);
    let network = Network::start();
    let results = cases(&few, &many, &network).run();
    let bars = bars(&results, bytes);
    support::print("Naming", &[results.table(), bars]);
}

/// The cases, each beside the one it is compared with.
fn cases<'a>(few: &'a NameRegistry, many: &'a NameRegistry, network: &'a Network) -> Cases<'a> {
    let mut cases = Cases::default();
    cases.add(PURE_FEW, PURE_FEW, || lookups(few, FEW));
    cases.add(PURE_MANY, PURE_FEW, || lookups(many, MANY));
    cases.add(PURE_PAGE, PURE_PAGE, || pages(many));
    for (in_flight, ping, few, many) in [(1, PING_1, FEW_1, MANY_1), (64, PING_64, FEW_64, MANY_64)]
    {
        cases.add(ping, ping, move || network.pings(in_flight));
        cases.add(few, ping, move || network.lookups(in_flight, SMALL, FEW));
        cases.add(many, ping, move || {
            network.lookups(in_flight, naming::NAME, MANY)
        });
    }
    cases.add(LIST, PING_1, || network.lists());
    cases
}

/// What is expected of naming.
fn bars(results: &Results, bytes: f64) -> support::Table {
    use Bound::{AtLeast, AtMost};
    let micros = |name| 1e6 / results.rate(name);
    let most = MOST_MEMORY / MANY as f64;
    support::bars([
        ("memory of 100,000 names, bytes a name", AtMost(most), bytes),
        (
            "page by prefix in the registry, µs",
            AtMost(1_000.0),
            micros(PURE_PAGE),
        ),
        (
            "list of 10,000 through QUIC, µs",
            AtMost(5_000.0),
            micros(LIST),
        ),
        (
            "lookup among 100,000 / ping, 1 in flight",
            AtLeast(0.5),
            results.ratio(MANY_1, PING_1),
        ),
    ])
}

fn name(i: usize) -> String {
    format!("team{}.service{:05}", i / GROUP, i % GROUP)
}

/// A stride that meets every name before it meets one again.
fn scattered(turn: usize, of: usize) -> usize {
    turn.wrapping_mul(61_803) % of
}

fn wanted(i: usize) -> RegisterRequest {
    let uri = format!(
        "distro:service{:05}@10.0.{}.{}:4433",
        i % GROUP,
        i / 250 % 250,
        i % 250
    );
    let mut wanted = RegisterRequest::new(name(i), uri.parse().expect("a URI"));
    wanted.lease_ms = Some(LEASE_MS);
    wanted
}

fn member(key: PublicKey) -> Caller {
    Caller {
        principal: key.into(),
        role: Role::Member,
    }
}

/// A registry with this many names.
fn filled(names: usize) -> NameRegistry {
    let (mut registry, caller) = (
        NameRegistry::new(NamingLimits::default()),
        member(network::identity().public()),
    );
    for i in 0..names {
        registry
            .register(0, &caller, wanted(i))
            .expect("there is room");
    }
    registry
}

/// A registry with many names, and the resident bytes that one of them takes.
fn fill_and_weigh() -> (NameRegistry, f64) {
    let before = memory::resident("self");
    let registry = filled(MANY);
    let bytes = memory::resident("self").saturating_sub(before);
    (registry, bytes as f64 / MANY as f64)
}

/// Single names from the registry, without a network.
fn lookups(registry: &NameRegistry, names: usize) -> Sample {
    let known: Vec<String> = (0..names).map(name).collect();
    Sample::of(|| {
        let (until, mut count) = (Instant::now() + SPAN, 0);
        while Instant::now() < until {
            // A look at the clock costs as much as a lookup, so there is one for a hundred.
            for _ in 0..100 {
                let name = known.get(scattered(count, names)).expect("in range");
                let found = registry.lookup(name).expect("it is registered");
                assert_eq!(std::hint::black_box(found).len(), 1);
                count += 1;
            }
        }
        count as u64
    })
}

/// Full pages of one group from the registry, without a network.
fn pages(registry: &NameRegistry) -> Sample {
    let query = NameQuery {
        prefix: Some(PREFIX.into()),
        ..NameQuery::default()
    };
    Sample::of(|| {
        let (until, mut count) = (Instant::now() + SPAN, 0);
        while Instant::now() < until {
            let page = registry.list(&query).expect("a query without a pattern");
            assert_eq!(std::hint::black_box(page).records.len(), MAX_PAGE);
            count += 1;
        }
        count
    })
}

/// A client's side of two naming servers, one small and one large, on one connection.
struct Network {
    runtime: Runtime,
    client: Client,
    peer: PeerAddr,
    names: Arc<Vec<String>>,
    turn: Arc<AtomicUsize>,
}

impl Network {
    /// Starts both servers and an endpoint to call them from.
    fn start() -> Self {
        let (runtime, identity) = (network::runtime(), network::identity());
        let key = identity.public();
        let peer = network::in_thread(move || serve(key));
        let client = {
            let _entered = runtime.enter();
            network::endpoint(&identity, key).0.client()
        };
        Self {
            runtime,
            client,
            peer,
            names: Arc::new((0..MANY).map(name).collect()),
            turn: Arc::default(),
        }
    }

    /// Calls that do nothing, as reference.
    fn pings(&self, in_flight: usize) -> Sample {
        let (client, peer) = (self.client.clone(), self.peer);
        let call = move || {
            let client = client.clone();
            async move {
                let nothing = request(&client, peer, naming::NAME, "ping", vec![]).await;
                assert_eq!(nothing, Value::Null);
            }
        };
        Sample::of(|| self.runtime.block_on(closed_loop(in_flight, SPAN, call)))
    }

    /// Single names from one of the servers, as the typed client asks for them.
    fn lookups(&self, in_flight: usize, object: &'static str, names: usize) -> Sample {
        let (client, peer) = (self.client.clone(), self.peer);
        let (known, turn) = (Arc::clone(&self.names), Arc::clone(&self.turn));
        let call = move || {
            let at = scattered(turn.fetch_add(1, Ordering::Relaxed), names);
            let name = known.get(at).expect("in range").as_str().into();
            let client = client.clone();
            async move {
                let answer = request(&client, peer, object, "lookup", vec![name]).await;
                let records: Vec<Record> = answer.to_typed().expect("records");
                assert_eq!(records.len(), 1);
            }
        };
        Sample::of(|| self.runtime.block_on(closed_loop(in_flight, SPAN, call)))
    }

    /// A whole group of names, page after page, through the typed client.
    fn lists(&self) -> Sample {
        let naming = NamingClient::new(self.client.clone(), self.peer);
        let call = move || {
            let naming = naming.clone();
            async move { assert_eq!(list(&naming).await, GROUP) }
        };
        Sample::of(|| self.runtime.block_on(closed_loop(1, SPAN, call)))
    }
}

/// How many records all pages of one group have.
async fn list(naming: &NamingClient) -> usize {
    let (mut query, mut records) = (NameQuery::default(), 0);
    query.prefix = Some(PREFIX.into());
    loop {
        let page = naming.list(&query).await.expect("a page");
        records += page.records.len();
        query.after = page.next;
        if query.after.is_none() {
            return records;
        }
    }
}

async fn request(
    client: &Client,
    peer: PeerAddr,
    object: &str,
    method: &str,
    args: Vec<Value>,
) -> Value {
    let request = Request::new(object, method, args);
    client
        .call(peer, request, DEADLINE)
        .await
        .expect("an answer")
}

/// Both naming servers as objects of one endpoint.
fn serve(client: PublicKey) -> PeerAddr {
    let (endpoint, peer) = network::endpoint(&network::identity(), client);
    for (object, names) in [(SMALL, FEW), (naming::NAME, MANY)] {
        let naming = NamingServer::new(NamingLimits::default());
        for i in 0..names {
            naming
                .register(&member(peer.key), wanted(i))
                .expect("there is room");
        }
        endpoint.objects().expose(object, Arc::new(naming.object()));
    }
    peer
}

//! Calls of `server.welcomeMessage("Ali")` beside plain UDP and beside quinn with nothing around it.
//!
//! ```text
//! cargo bench --bench calls
//! BENCH_PIN=1 cargo bench --bench calls      # client and server on one core
//! ```
//!
//! With `BENCH_PIN=1` the program starts itself again under `taskset -c 0`. A lone ping-pong between
//! two cores is mostly the price of waking the other one, which changes with the machine's mood; on
//! one core what remains is the work of a call, so the bars are meant for that.
//!
//! Server and client are two threads, each with a current-thread runtime. The processor time is that
//! of both.

#[path = "support/bare.rs"]
mod bare;
#[path = "support/network.rs"]
mod network;
#[path = "support/pin.rs"]
mod pin;
mod support;

use std::{
    net::UdpSocket,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use distro_tui::net::{
    greeter,
    naming::{self, NamingClient, NamingLimits, NamingServer, RegisterRequest, proxy::Proxy},
    rpc::{
        client::{Client, DEADLINE, Request},
        endpoint::Endpoint,
        object::Caller,
    },
    trust::{identity::Identity, key::PublicKey, peer_addr::PeerAddr, role::Role},
    uri::Uri,
};
use network::{ANYWHERE, closed_loop};
use rustls::sign::CertifiedKey;
use support::{Bound, Cases, Results, SPAN, Sample};
use tokio::runtime::Runtime;

const UDP: &str = "UDP ping-pong, blocking";
const BARE_1: &str = "bare quinn echo, 1 in flight";
const CALL_1: &str = "call, 1 in flight";
const BARE_256: &str = "bare quinn echo, 256 in flight";
const CALL_256: &str = "call, 256 in flight";
const BARE_HANDSHAKE: &str = "bare quinn handshake";
const PING: &str = "cold ping: handshake and 1 call";
const COLD_HERE: &str = "cold greeting by name, 1 server";
const COLD_THERE: &str = "cold greeting by name, 2 servers";

/// Calls under way at once where there are many.
const MANY: usize = 256;

/// Cold starts a round: fewer than a server begins to ask for proof of address at.
const STARTS: usize = 30;

/// The greeter's registered names: at the naming server itself, and at a server beside it.
const HERE: &str = "greeter.here";
const THERE: &str = "greeter.there";

fn main() -> ExitCode {
    if !support::is_requested() {
        return ExitCode::SUCCESS;
    }
    if let Some(code) = pin::pinned() {
        return code;
    }
    measure();
    ExitCode::SUCCESS
}

/// Where everything listens.
struct Servers {
    udp: UdpSocket,
    bare: std::net::SocketAddr,
    naming: PeerAddr,
}

/// What the calling side holds.
struct Callers {
    runtime: Runtime,
    identity: Identity,
    bare_key: Arc<CertifiedKey>,
    servers: Servers,
}

/// Starts the servers, runs every case in every round and prints what came of it.
fn measure() {
    let (identity, bare_key) = (network::identity(), bare::key());
    let servers = serve(identity.public(), Arc::clone(&bare_key));
    let callers = Callers {
        runtime: network::runtime(),
        identity,
        bare_key,
        servers,
    };
    let results = cases(&callers).run();
    let title = match std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
        1 => "Calls on loopback, on one core".to_owned(),
        cores => format!("Calls on loopback, on {cores} cores (the bars are meant for one)"),
    };
    support::print(&title, &[results.table(), bars(&results)]);
}

/// The cases, each beside the one it is compared with.
fn cases(callers: &Callers) -> Cases<'_> {
    let mut cases = Cases::default();
    cases.add(UDP, UDP, || udp(&callers.servers.udp));
    let bare = callers.bare();
    for (name, in_flight) in [(BARE_1, 1), (BARE_256, MANY)] {
        let bare = bare.clone();
        cases.add(name, UDP, move || callers.bare_calls(&bare, in_flight));
    }
    let client = callers.endpoint().client();
    for (name, in_flight) in [(CALL_1, 1), (CALL_256, MANY)] {
        let client = client.clone();
        cases.add(name, UDP, move || callers.calls(&client, in_flight));
    }
    cases.add(BARE_HANDSHAKE, BARE_HANDSHAKE, || callers.bare_handshakes());
    cases.add(PING, BARE_HANDSHAKE, || callers.cold(Start::Ping));
    cases.add(COLD_HERE, BARE_HANDSHAKE, || {
        callers.cold(Start::Greet(HERE))
    });
    cases.add(COLD_THERE, BARE_HANDSHAKE, || {
        callers.cold(Start::Greet(THERE))
    });
    cases
}

/// What is expected of calls, on one core.
fn bars(results: &Results) -> support::Table {
    use Bound::{AtLeast, AtMost};
    let handshakes = |name| 1.0 / results.ratio(name, BARE_HANDSHAKE);
    support::bars([
        (
            "call / UDP, 1 in flight",
            AtLeast(0.35),
            results.ratio(CALL_1, UDP),
        ),
        (
            "call / UDP, 256 in flight",
            AtLeast(2.5),
            results.ratio(CALL_256, UDP),
        ),
        (
            "CPU of a call / bare quinn, 1 in flight",
            AtMost(2.0),
            results.cpu_ratio(CALL_1, BARE_1),
        ),
        (
            "CPU of a call / bare quinn, 256 in flight",
            AtMost(2.0),
            results.cpu_ratio(CALL_256, BARE_256),
        ),
        (
            "cold greeting, 1 server, in bare handshakes",
            AtMost(3.0),
            handshakes(COLD_HERE),
        ),
        (
            "cold greeting, 2 servers, in bare handshakes",
            AtMost(3.0),
            handshakes(COLD_THERE),
        ),
    ])
}

/// Starts a UDP echo in one thread and both QUIC servers in another.
fn serve(client: PublicKey, bare_key: Arc<CertifiedKey>) -> Servers {
    let (bare, naming) = network::in_thread(move || (bare::serve(&bare_key), serve_names(client)));
    Servers {
        udp: serve_udp(),
        bare,
        naming,
    }
}

/// A thread that sends every datagram back, and a socket connected to it.
fn serve_udp() -> UdpSocket {
    let server = UdpSocket::bind(ANYWHERE).expect("a free port");
    let client = UdpSocket::bind(ANYWHERE).expect("a free port");
    client
        .connect(server.local_addr().expect("it is bound"))
        .expect("loopback has a route");
    // A lost datagram would end in waiting for ever; this way it ends in a message.
    client
        .set_read_timeout(Some(DEADLINE))
        .expect("a time above zero");
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((length, from)) = server.recv_from(&mut buffer) {
            let answer = buffer.get(..length).expect("no longer than the buffer");
            server.send_to(answer, from).expect("loopback takes it");
        }
    });
    client
}

/// A naming server with a greeter, and a second server with the same greeter and no names.
fn serve_names(client: PublicKey) -> PeerAddr {
    let naming = NamingServer::new(NamingLimits::default());
    let (names, here) = network::endpoint(&network::identity(), client);
    let (beside, there) = network::endpoint(&network::identity(), client);
    names
        .objects()
        .expose(naming::NAME, Arc::new(naming.object()));
    for (endpoint, peer, name) in [(names, here, HERE), (beside, there, THERE)] {
        endpoint
            .objects()
            .expose(greeter::NAME, Arc::new(greeter::greeter()));
        register(&naming, peer, name);
    }
    here
}

/// Registers the greeter of a server for ever.
fn register(naming: &NamingServer, peer: PeerAddr, name: &str) {
    let uri = Uri::distro(greeter::NAME, peer.addr);
    let mut wanted = RegisterRequest::new(name, uri);
    wanted.lease_ms = Some(0);
    let owner = Caller {
        principal: peer.key.into(),
        role: Role::Member,
    };
    naming.register(&owner, wanted).expect("a free name");
}

/// Round trips of 32 bytes between two threads that block: no runtime and no encryption.
fn udp(socket: &UdpSocket) -> Sample {
    Sample::of(|| {
        let (until, mut count, mut buffer) = (Instant::now() + SPAN, 0, [0; 64]);
        while Instant::now() < until {
            socket.send(&bare::PAYLOAD).expect("loopback takes it");
            socket
                .recv(&mut buffer)
                .expect("loopback loses nothing that is sent alone");
            count += 1;
        }
        count
    })
}

/// A way to begin from nothing.
#[derive(Clone, Copy)]
enum Start {
    /// Ping the naming server.
    Ping,
    /// Look up a name and call the greeter registered under it.
    Greet(&'static str),
}

impl Callers {
    /// A connection of bare quinn.
    fn bare(&self) -> quinn::Connection {
        let config = bare::client(&self.bare_key);
        self.runtime
            .block_on(bare::connect(config, self.servers.bare))
            .1
    }

    /// An endpoint that has not talked to anybody.
    fn endpoint(&self) -> Endpoint {
        let _entered = self.runtime.enter();
        network::endpoint(&self.identity, self.identity.public()).0
    }

    /// Echoes of 32 bytes, a stream each, through bare quinn.
    fn bare_calls(&self, connection: &quinn::Connection, in_flight: usize) -> Sample {
        let connection = connection.clone();
        let call = move || {
            let connection = connection.clone();
            async move { bare::call(&connection).await }
        };
        Sample::of(|| self.runtime.block_on(closed_loop(in_flight, SPAN, call)))
    }

    /// Greetings over one connection through our client.
    fn calls(&self, client: &Client, in_flight: usize) -> Sample {
        let (client, peer) = (client.clone(), self.servers.naming);
        let call = move || {
            let client = client.clone();
            async move {
                let request = Request::new(greeter::NAME, greeter::METHOD, vec!["Ali".into()]);
                let answer = client
                    .call(peer, request, DEADLINE)
                    .await
                    .expect("a greeting");
                assert_eq!(answer, "Hi welcome Ali".into());
            }
        };
        Sample::of(|| self.runtime.block_on(closed_loop(in_flight, SPAN, call)))
    }

    /// New socket and full handshake, both ends with a raw key, through bare quinn.
    fn bare_handshakes(&self) -> Sample {
        let config = bare::client(&self.bare_key);
        self.starts(
            async || bare::connect(config.clone(), self.servers.bare).await,
            async |(endpoint, connection)| {
                connection.close(0u32.into(), b"done");
                endpoint.wait_idle().await;
            },
        )
    }

    /// New endpoint, and everything up to the first answer.
    fn cold(&self, start: Start) -> Sample {
        self.starts(
            async || {
                let endpoint = self.endpoint();
                self.first_answer(&endpoint, start).await;
                endpoint
            },
            async |endpoint| endpoint.shutdown(DEADLINE).await,
        )
    }

    async fn first_answer(&self, endpoint: &Endpoint, start: Start) {
        let naming = NamingClient::new(endpoint.client(), self.servers.naming);
        match start {
            Start::Ping => drop(naming.ping().await.expect("an answer")),
            Start::Greet(name) => {
                let proxy = Proxy::new(naming, name);
                let called = proxy.call(greeter::METHOD, vec!["Ali".into()]).await;
                assert_eq!(called.expect("a greeting").value, "Hi welcome Ali".into());
            }
        }
    }

    /// Starts one after another. They end together when all are timed, because a connection that ends
    /// lingers for a while and would get in the way of the next; the processor time includes the end.
    fn starts<T>(&self, start: impl AsyncFn() -> T, end: impl AsyncFn(T)) -> Sample {
        let mut elapsed = Duration::ZERO;
        let sample = Sample::of(|| {
            self.runtime.block_on(async {
                let mut started = Vec::new();
                for _ in 0..STARTS {
                    let since = Instant::now();
                    started.push(start().await);
                    elapsed += since.elapsed();
                }
                futures_util::future::join_all(started.into_iter().map(|started| end(started)))
                    .await;
                STARTS as u64
            })
        });
        Sample { elapsed, ..sample }
    }
}

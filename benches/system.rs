//! Calls between two processes, beside what others use for the same: plain UDP, bare quinn, tarpc over
//! TCP, and Pyro5. And what a shell gets: the `add` command with a hundred thousand lines.
//!
//! ```text
//! cargo bench --bench system
//! BENCH_PIN=1 cargo bench --bench system      # both processes on one core
//! ```
//!
//! The program starts itself again as the server. Pyro5 is fetched from PyPI into the build folder; without
//! Python, or without PyPI, it is left out with a word. The processor time is that of the caller only.

#[path = "support/bare.rs"]
mod bare;
#[path = "support/network.rs"]
mod network;
#[path = "support/node.rs"]
#[expect(dead_code, reason = "a command finds the node by its data folder")]
mod node;
#[path = "support/pin.rs"]
mod pin;
mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use distro_tui::net::{
    greeter,
    naming::{self, NamingClient, NamingLimits, NamingServer, RegisterRequest},
    rpc::{
        client::{Client, DEADLINE, Request},
        object::Caller,
    },
    trust::{identity::Identity, key::PublicKey, peer_addr::PeerAddr, role::Role},
};
use futures_util::{StreamExt, future::ready};
use network::{ANYWHERE, closed_loop};
use node::{Node, PROGRAM};
use support::{Bound, Cases, Results, SPAN, Sample};
use tarpc::{
    client, context, serde_transport,
    server::{BaseChannel, Channel},
    tokio_serde::formats::Bincode,
};
use tokio::runtime::Runtime;

const UDP: &str = "UDP ping-pong, blocking";
const BARE: [&str; 3] = [
    "bare quinn echo, 1 in flight",
    "bare quinn echo, 64 in flight",
    "bare quinn echo, 256 in flight",
];
const CALL: [&str; 3] = [
    "greeter call, 1 in flight",
    "greeter call, 64 in flight",
    "greeter call, 256 in flight",
];
const TARPC: [&str; 3] = [
    "tarpc on TCP, no TLS, 1 in flight",
    "tarpc on TCP, no TLS, 64 in flight",
    "tarpc on TCP, no TLS, 256 in flight",
];
const BARE_NEW: &str = "bare quinn: connect, one echo, close";
const CALL_NEW: &str = "greeter: connect, one call, close";
const PYRO: &str = "Pyro5, 1 in flight";
const LOOKUP: &str = "lookup among 100,000 names, 64 in flight";
const WATCH: &str = "names changed, and seen by a watcher";
const ADD: &str = "add --wait, 100,000 lines";
const IN_FLIGHT: [usize; 3] = [1, 64, 256];

const NAMES: usize = 100_000;
const CHANGES: u64 = 10_000;
const LINES: usize = 100_000;
const PYRO_CALLS: usize = 2_000;

/// Set for the process that serves.
const SERVE: &str = "BENCH_SERVE";

#[tarpc::service]
trait Welcome {
    async fn welcome(name: String) -> String;
}

#[derive(Clone)]
struct Welcomer;

impl Welcome for Welcomer {
    async fn welcome(self, _: context::Context, name: String) -> String {
        format!("Hi welcome {name}")
    }
}

fn main() -> ExitCode {
    if let Some(client) = std::env::var_os(SERVE) {
        let key: PublicKey = client.to_string_lossy().parse().expect("a key");
        serve(key);
        return ExitCode::SUCCESS;
    }
    if !support::is_requested() {
        return ExitCode::SUCCESS;
    }
    if let Some(code) = pin::pinned() {
        return code;
    }
    measure();
    ExitCode::SUCCESS
}

/// Serves everything, says where, and ends when nobody holds the other end of its input.
fn serve(client: PublicKey) {
    let udp = UdpSocket::bind(ANYWHERE).expect("a free port");
    let udp_addr = udp.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            let answer = buffer.get(..length).expect("no longer than the buffer");
            udp.send_to(answer, from).expect("loopback takes it");
        }
    });
    let (bare, tarpc, ours) = network::in_thread(move || {
        let naming = NamingServer::new(NamingLimits::default());
        fill(&naming);
        let (endpoint, peer) = network::endpoint(&network::identity(), client);
        let objects = endpoint.objects();
        objects.expose(naming::NAME, Arc::new(naming.object()));
        objects.expose(greeter::NAME, Arc::new(greeter::greeter()));
        // It lives as long as the thread.
        std::mem::forget(endpoint);
        let handle = tokio::runtime::Handle::current();
        let (addr_sender, tarpc) = std::sync::mpsc::channel();
        handle.spawn(serve_tarpc(addr_sender));
        (bare::serve(&shared_key()), tarpc, peer)
    });
    let tarpc: SocketAddr = tarpc.recv().expect("it listens");
    println!("{udp_addr} {bare} {tarpc} {} {}", ours.addr, ours.key);
    std::io::stdin().read_to_end(&mut Vec::new()).ok();
}

/// Both processes hold the same key for bare quinn, which is about speed and not about trust: it follows
/// from nothing but this text.
fn shared_key() -> Arc<rustls::sign::CertifiedKey> {
    bare::key_from_file(&std::env::temp_dir().join("distro-tui-bench-bare.pem"))
}

fn fill(naming: &NamingServer) {
    let owner = Caller {
        principal: PublicKey::from_bytes([9; 32]).into(),
        role: Role::Member,
    };
    for n in 0..NAMES {
        let mut wanted =
            RegisterRequest::new(name(n), "distro:x@127.0.0.1:1".parse().expect("a URI"));
        wanted.lease_ms = Some(0);
        naming.register(&owner, wanted).expect("a free name");
    }
}

fn name(n: usize) -> String {
    format!("service.{n:06}")
}

async fn serve_tarpc(addr_sender: std::sync::mpsc::Sender<SocketAddr>) {
    let listener = serde_transport::tcp::listen("127.0.0.1:0", Bincode::default);
    let listener = listener.await.expect("a free port");
    addr_sender
        .send(listener.local_addr())
        .expect("it is waited for");
    listener
        .filter_map(|transport| ready(transport.ok()))
        .map(BaseChannel::with_defaults)
        .for_each(|channel| {
            let calls = channel.execute(Welcomer.serve());
            tokio::spawn(calls.for_each(|call| {
                tokio::spawn(call);
                ready(())
            }));
            ready(())
        })
        .await;
}

/// The process at the other end.
struct Server {
    child: Child,
    udp: SocketAddr,
    bare: SocketAddr,
    tarpc: SocketAddr,
    ours: PeerAddr,
}

impl Server {
    fn start(client: PublicKey) -> Self {
        let program = std::env::current_exe().expect("a running program has a file");
        let mut child = Command::new(program)
            .env(SERVE, client.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        let [udp, bare, tarpc, ours, key] = words[..] else {
            panic!("the server said `{line}`");
        };
        let addr = |text: &str| text.parse().expect("an address");
        Self {
            child,
            udp: addr(udp),
            bare: addr(bare),
            tarpc: addr(tarpc),
            ours: PeerAddr {
                addr: addr(ours),
                key: key.parse().expect("a key"),
            },
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}

/// What the calling side holds.
struct Callers {
    identity: Identity,
    runtime: Runtime,
    client: Client,
    server: Server,
    udp: UdpSocket,
    bare: quinn::Connection,
    tarpc: WelcomeClient,
}

impl Callers {
    fn start() -> Self {
        let identity: Identity = network::identity();
        // The server makes the key that both use before the caller reads it.
        let server = Server::start(identity.public());
        let udp = UdpSocket::bind(ANYWHERE).expect("a free port");
        udp.connect(server.udp).expect("loopback has a route");
        udp.set_read_timeout(Some(DEADLINE)).expect("above zero");
        let runtime = network::runtime();
        let client = {
            let _entered = runtime.enter();
            network::endpoint(&identity, identity.public()).0.client()
        };
        let config = bare::client(&shared_key());
        let bare = runtime.block_on(bare::connect(config, server.bare)).1;
        let tarpc = runtime.block_on(async {
            let transport = serde_transport::tcp::connect(server.tarpc, Bincode::default);
            let transport = transport.await.expect("it listens");
            WelcomeClient::new(client::Config::default(), transport).spawn()
        });
        Self {
            identity,
            runtime,
            client,
            server,
            udp,
            bare,
            tarpc,
        }
    }

    fn udp(&self) -> Sample {
        Sample::of(|| {
            let (until, mut count, mut buffer) = (Instant::now() + SPAN, 0, [0; 64]);
            while Instant::now() < until {
                self.udp.send(&bare::PAYLOAD).expect("loopback takes it");
                self.udp.recv(&mut buffer).expect("loopback loses nothing");
                count += 1;
            }
            count
        })
    }

    fn bare(&self, in_flight: usize) -> Sample {
        let connection = self.bare.clone();
        let call = move || {
            let connection = connection.clone();
            async move { bare::call(&connection).await }
        };
        Sample::of(|| self.runtime.block_on(closed_loop(in_flight, SPAN, call)))
    }

    fn calls(&self, in_flight: usize) -> Sample {
        let (client, peer) = (self.client.clone(), self.server.ours);
        let call = move || {
            let client = client.clone();
            async move {
                let request = Request::new(greeter::NAME, greeter::METHOD, vec!["Ali".into()]);
                let answer = client.call(peer, request, DEADLINE).await;
                assert_eq!(answer, Ok("Hi welcome Ali".into()));
            }
        };
        Sample::of(|| self.runtime.block_on(closed_loop(in_flight, SPAN, call)))
    }

    /// Connections one after the other, each by a client that was never there before.
    fn connections(&self) -> Sample {
        let peer = self.server.ours;
        Sample::of(|| {
            let (until, mut count) = (Instant::now() + SPAN, 0);
            while Instant::now() < until {
                self.runtime.block_on(async {
                    let (endpoint, _) = network::endpoint(&self.identity, self.identity.public());
                    let request = Request::new(greeter::NAME, greeter::METHOD, vec!["Ali".into()]);
                    let answer = endpoint.client().call(peer, request, DEADLINE).await;
                    assert_eq!(answer, Ok("Hi welcome Ali".into()));
                });
                count += 1;
            }
            count
        })
    }

    fn bare_connections(&self) -> Sample {
        Sample::of(|| {
            let (until, mut count) = (Instant::now() + SPAN, 0);
            while Instant::now() < until {
                self.runtime.block_on(async {
                    let config = bare::client(&shared_key());
                    let (_endpoint, connection) = bare::connect(config, self.server.bare).await;
                    bare::call(&connection).await;
                });
                count += 1;
            }
            count
        })
    }

    fn tarpc(&self, in_flight: usize) -> Sample {
        let client = self.tarpc.clone();
        let call = move || {
            let client = client.clone();
            async move {
                let answer = client.welcome(context::current(), "Ali".into()).await;
                assert_eq!(answer.expect("an answer"), "Hi welcome Ali");
            }
        };
        Sample::of(|| self.runtime.block_on(closed_loop(in_flight, SPAN, call)))
    }

    fn lookups(&self) -> Sample {
        let naming = NamingClient::new(self.client.clone(), self.server.ours);
        let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let call = move || {
            let (naming, next) = (naming.clone(), Arc::clone(&next));
            async move {
                let n = next.fetch_add(7_919, std::sync::atomic::Ordering::Relaxed) % NAMES;
                let found = naming.lookup(&name(n)).await.expect("registered");
                assert_eq!(found.len(), 1);
            }
        };
        Sample::of(|| self.runtime.block_on(closed_loop(64, SPAN, call)))
    }

    /// Names are registered, 64 at a time, and a watcher follows; counted is what it has seen.
    fn watched(&self) -> Sample {
        let naming = NamingClient::new(self.client.clone(), self.server.ours);
        Sample::of(|| {
            self.runtime.block_on(async {
                let listed = naming.list(&naming::NameQuery::default()).await;
                let from = listed.expect("a page").revision;
                let mut watch = naming.watch(Some(from)).await.expect("a watch");
                let registering = futures_util::stream::iter(0..CHANGES)
                    .map(|n| {
                        let naming = naming.clone();
                        async move {
                            // The same hundred names again and again: each is a change.
                            let name = format!("watched.{}", n % 100);
                            let wanted = RegisterRequest::new(
                                name,
                                "distro:x@127.0.0.1:1".parse().expect("a URI"),
                            );
                            naming.register(&wanted).await.expect("room");
                        }
                    })
                    .buffer_unordered(64)
                    .for_each(ready);
                let watching = async {
                    let mut at = from;
                    while at < from + CHANGES {
                        match watch.next().await.expect("goes on").expect("goes on") {
                            naming::NameEvent::Changes { revision, .. }
                            | naming::NameEvent::Snapshot { revision, .. } => at = revision,
                        }
                    }
                };
                tokio::join!(registering, watching);
            });
            CHANGES
        })
    }
}

fn measure() {
    let callers = Callers::start();
    let shell = Shell::start();
    let mut pyro = Pyro::start();
    let mut cases = Cases::default();
    cases.add(UDP, UDP, || callers.udp());
    for (i, in_flight) in IN_FLIGHT.into_iter().enumerate() {
        let callers = &callers;
        cases.add(BARE[i], UDP, move || callers.bare(in_flight));
        cases.add(CALL[i], UDP, move || callers.calls(in_flight));
        cases.add(TARPC[i], UDP, move || callers.tarpc(in_flight));
    }
    cases.add(BARE_NEW, BARE_NEW, || callers.bare_connections());
    cases.add(CALL_NEW, BARE_NEW, || callers.connections());
    let has_pyro = pyro.is_some();
    match &mut pyro {
        Some(pyro) => cases.add(PYRO, UDP, || pyro.round()),
        None => println!("Pyro5 cannot be had here and is left out"),
    }
    cases.add(LOOKUP, CALL[1], || callers.lookups());
    cases.add(WATCH, CALL[1], || callers.watched());
    cases.add(ADD, CALL[0], || shell.round());
    let results = cases.run();
    let mut tables = vec![results.table()];
    tables.push(bars(&results));
    if has_pyro {
        tables.push(support::bars([
            (
                "call / Pyro5, 1 in flight",
                Bound::AtLeast(2.0),
                results.ratio(CALL[0], PYRO),
            ),
            (
                "call / Pyro5, 256 in flight",
                Bound::AtLeast(15.0),
                results.ratio(CALL[2], PYRO),
            ),
        ]));
    }
    support::print("Calls between two processes", &tables);
}

fn bars(results: &Results) -> support::Table {
    use Bound::{AtLeast, AtMost};
    support::bars([
        (
            "call / UDP, 1 in flight",
            AtLeast(0.35),
            results.ratio(CALL[0], UDP),
        ),
        (
            "call / UDP, 256 in flight",
            AtLeast(2.5),
            results.ratio(CALL[2], UDP),
        ),
        (
            "CPU of a call / bare quinn, 256 in flight",
            AtMost(2.0),
            results.cpu_ratio(CALL[2], BARE[2]),
        ),
    ])
}

/// Pyro5 in two processes of its own.
struct Pyro {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Pyro {
    fn start() -> Option<Self> {
        let python = python()?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/greetings.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        Some(Self {
            input: child.stdin.take()?,
            output: BufReader::new(child.stdout.take()?),
            child,
        })
    }

    fn round(&mut self) -> Sample {
        writeln!(self.input, "{PYRO_CALLS}").expect("it listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it answers");
        let seconds: f64 = line.trim().parse().expect("seconds");
        Sample {
            count: PYRO_CALLS as u64,
            elapsed: Duration::from_secs_f64(seconds),
            cpu: Duration::ZERO,
        }
    }
}

impl Drop for Pyro {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A Python that has Pyro5, in an environment in the build folder.
fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pyro5");
    let python = folder.join("bin/python");
    let has = |python: &Path| {
        let asked = Command::new(python)
            .args(["-c", "import Pyro5.api"])
            .output();
        asked.is_ok_and(|output| output.status.success())
    };
    if has(&python) {
        return Some(python);
    }
    let made = Command::new("python3")
        .args(["-m", "venv"])
        .arg(&folder)
        .output();
    made.ok().filter(|output| output.status.success())?;
    let install = ["-m", "pip", "install", "--quiet", "Pyro5==5.17"];
    Command::new(&python).args(install).output().ok()?;
    has(&python).then_some(python)
}

/// A node, and the `add` command as a shell uses it.
struct Shell {
    /// It ends before its folder goes.
    _node: Node,
    home: tempfile::TempDir,
    lines: String,
}

impl Shell {
    fn start() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        Self {
            _node: Node::start(home.path(), "127.0.0.1:0"),
            home,
            lines: (0..LINES).map(|n| format!("{n} 7\n")).collect(),
        }
    }

    fn round(&self) -> Sample {
        Sample::of(|| {
            let mut command = Command::new(PROGRAM)
                .args(["add", "--wait", "--data-dir"])
                .arg(self.home.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("it starts");
            let mut input = command.stdin.take().expect("piped");
            let lines = self.lines.clone();
            let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()));
            let out = command.stdout.take().expect("piped");
            let sums = BufReader::new(out).lines().map_while(Result::ok);
            let right = sums
                .enumerate()
                .filter(|(n, sum)| *sum == (n + 7).to_string())
                .count();
            writing.join().expect("no panic").expect("read");
            assert!(command.wait().expect("it ends").success());
            assert_eq!(right, LINES, "every sum, in order");
            LINES as u64
        })
    }
}

//! What a node that runs costs, by the kernel's counters: with a thousand peers that are connected and
//! silent, after ten thousand connections, and how soon its death and return are noticed.
//!
//! ```text
//! cargo bench --bench nodes
//! ```

#[path = "support/memory.rs"]
mod memory;
#[path = "support/network.rs"]
#[expect(dead_code, reason = "the callers here are other processes")]
mod network;
#[path = "support/node.rs"]
mod node;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use distro_tui::net::{
    greeter,
    rpc::{
        client::{Client, DEADLINE, Request},
        endpoint::Endpoint,
    },
    trust::{identity::Identity, members::Members, peer_addr::PeerAddr},
};
use node::Node;
use tokio::runtime::Runtime;

const PEERS: usize = 1_000;
const KEYS: usize = 10;
const CONNECTIONS: usize = 10_000;
const GREETINGS: usize = 5_000;
const RESTARTS: usize = 9;
const WATCHED: Duration = Duration::from_secs(10);

fn main() {
    // `cargo test --all-targets` only wants to know that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("nothing measured; use cargo bench");
    }
    let runtime = network::runtime();
    println!("| a node and its peers | |\n|---|--:|");
    idle(&runtime);
    come_and_go(&runtime);
    restart(&runtime);
}

impl Node {
    /// Resident memory in KiB.
    fn memory(&self) -> u64 {
        memory::resident(self.child.id()) / 1024
    }

    fn files(&self) -> usize {
        let files = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        files.expect("it runs").count()
    }

    /// Processor time in hundredths of a second.
    fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.expect("it runs");
        let fields = stat.rsplit(')').next().expect("a name in brackets");
        let fields = fields.split_whitespace().skip(11).take(2);
        fields.filter_map(|n| n.parse::<u64>().ok()).sum()
    }

    fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

fn endpoint(identity: &Identity) -> Endpoint {
    let members = Members::self_only(identity.public());
    Endpoint::bind(network::ANYWHERE, identity, members).expect("a free port")
}

/// Identities of members of the node.
async fn joined(home: &Path, count: usize) -> Vec<Identity> {
    let (ticket, mut joined) = (node::ticket(home), Vec::new());
    for _ in 0..count {
        let identity = network::identity();
        let client = endpoint(&identity).client();
        client.join(&ticket, "bench").await.expect("joins");
        joined.push(identity);
    }
    joined
}

async fn greet(client: &Client, peer: PeerAddr) -> Duration {
    let request = Request::new(greeter::NAME, greeter::METHOD, vec!["Ali".into()]);
    let since = Instant::now();
    client.call(peer, request, DEADLINE).await.expect("greets");
    since.elapsed()
}

/// Median and 99th percentile of greetings, one after the other, in µs.
async fn greetings(client: &Client, peer: PeerAddr) -> (u128, u128) {
    let mut took = Vec::with_capacity(GREETINGS);
    for _ in 0..GREETINGS {
        took.push(greet(client, peer).await.as_micros());
    }
    took.sort_unstable();
    (took[took.len() / 2], took[took.len() * 99 / 100])
}

fn idle(runtime: &Runtime) {
    raise_the_limit_of_open_files();
    let home = tempfile::tempdir().expect("a folder");
    let node = Node::start(home.path(), "127.0.0.1:0");
    runtime.block_on(async {
        let keys = joined(home.path(), KEYS + 1).await;
        let (busy, keys) = keys.split_first().expect("more than one");
        let busy = endpoint(busy).client();
        let alone = greetings(&busy, node.peer).await;
        let (memory, files, ticks) = (node.memory(), node.files(), node.ticks());
        println!(
            "| memory of a node, with one peer | {} MiB |",
            memory / 1024
        );
        let mut sleeping = Vec::new();
        for n in 0..PEERS {
            let peer = endpoint(&keys[n % keys.len()]);
            let hello = peer.client().connect(node.peer, DEADLINE).await;
            hello.expect("accepted");
            sleeping.push(peer);
        }
        let connecting = node.ticks() - ticks;
        println!(
            "| memory of each of 1,000 silent peers | {} KiB |",
            (node.memory() - memory) / PEERS as u64
        );
        println!(
            "| open files more | {} |",
            node.files().saturating_sub(files)
        );
        println!(
            "| processor time of a connection | {:.2} ms |",
            connecting as f64 * 10.0 / PEERS as f64
        );
        let ticks = node.ticks();
        tokio::time::sleep(WATCHED).await;
        let share = (node.ticks() - ticks) as f64 / WATCHED.as_secs_f64();
        println!("| processor, while 1,000 peers are kept alive | {share:.1} % |");
        let among = greetings(&busy, node.peer).await;
        println!(
            "| a greeting alone, median and 99 % | {} and {} µs |",
            alone.0, alone.1
        );
        println!(
            "| a greeting among 1,000 silent peers | {} and {} µs |",
            among.0, among.1
        );
    });
}

fn come_and_go(runtime: &Runtime) {
    let home = tempfile::tempdir().expect("a folder");
    let node = Node::start(home.path(), "127.0.0.1:0");
    runtime.block_on(async {
        let keys = joined(home.path(), 1).await;
        let identity = keys.first().expect("one");
        let visit = async || {
            let visitor = endpoint(identity);
            greet(&visitor.client(), node.peer).await;
            visitor.shutdown(Duration::from_millis(1)).await;
        };
        for _ in 0..CONNECTIONS / 10 {
            visit().await;
        }
        let (memory, files, since) = (node.memory(), node.files(), Instant::now());
        for _ in 0..CONNECTIONS {
            visit().await;
        }
        let rate = CONNECTIONS as f64 / since.elapsed().as_secs_f64();
        println!("| connections one after the other, each with a greeting | {rate:.0}/s |");
        println!(
            "| memory after 10,000 more of them | {} → {} MiB |",
            memory / 1024,
            node.memory() / 1024
        );
        println!("| open files | {files} → {} |", node.files());
    });
}

/// Killed and started again where it was.
fn restart(runtime: &Runtime) {
    let home = tempfile::tempdir().expect("a folder");
    let mut node = Node::start(home.path(), "127.0.0.1:0");
    let (peer, listen) = (node.peer, node.peer.addr.to_string());
    let identity = runtime.block_on(joined(home.path(), 1)).remove(0);
    let client = {
        let _entered = runtime.enter();
        endpoint(&identity).client()
    };
    let (mut noticed, mut answered) = (Vec::new(), Vec::new());
    for _ in 0..RESTARTS {
        runtime.block_on(greet(&client, peer));
        node.kill();
        node = Node::start(home.path(), &listen);
        let since = Instant::now();
        let watching = client.clone();
        noticed.push(runtime.block_on(async move {
            watching.disconnected(peer).await;
            since.elapsed()
        }));
        runtime.block_on(greet(&client, peer));
        answered.push(since.elapsed());
        // The new connection settles.
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(100)).await });
    }
    for (what, mut took) in [
        ("a killed node that is back is noticed after", noticed),
        ("and has greeted after", answered),
    ] {
        took.sort_unstable();
        println!(
            "| {what}, median and worst of {RESTARTS} | {} and {} ms |",
            took[RESTARTS / 2].as_millis(),
            took[RESTARTS - 1].as_millis()
        );
    }
}

/// Each peer has a socket of its own.
fn raise_the_limit_of_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let more = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, more).expect("up to the most");
}

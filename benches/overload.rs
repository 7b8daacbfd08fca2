//! A node under attack: greetings and submits of a member while another member does its worst.
//!
//! ```text
//! cargo bench --bench overload
//! ```
//!
//! Each attack has its own entry in [`ATTACKS`]. The attacker, the member and the node have a thread or
//! a process each. Under every attack no call of the member may fail, and the 99th percentile may be
//! [`BOUND`] at most; the program fails otherwise. `OVERLOAD_CALLS` changes the number of calls.

#[path = "support/memory.rs"]
mod memory;
#[path = "support/network.rs"]
#[expect(dead_code, reason = "the callers here are other threads")]
mod network;
#[path = "support/node.rs"]
mod node;

use std::{
    path::Path,
    process::{Command, ExitCode, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use distro_tui::{
    net::{
        greeter,
        rpc::{
            client::{Client, DEADLINE, Request},
            endpoint::Endpoint,
        },
        trust::{identity::Identity, members::Members, peer_addr::PeerAddr, ticket::Ticket},
    },
    queue::{
        broker::{BulkAction, Control, Inspect, Submit},
        limits::MAX_FILTER_WORDS,
        query::{Filter, Query},
        remote::{self, Remote},
        task::NewTask,
    },
};
use futures_util::future::{BoxFuture, FutureExt};
use node::{Node, PROGRAM};
use tokio::{runtime::Handle, task::JoinSet};

/// The most time that a call of the member may take at the 99th percentile.
const BOUND: Duration = Duration::from_millis(250);
/// Greetings and submits of the member under each attack, unless `OVERLOAD_CALLS` says otherwise.
const CALLS: usize = 500;
/// The tasks among which the attacker searches, and the size of each.
const TASKS: usize = 1_000;
const TASK_BYTES: usize = 19_000;
/// The calls that an attack has under way.
const IN_FLIGHT: usize = 20;

/// An attack: its name, and its calls, which go on until they are dropped.
struct Attack {
    name: &'static str,
    begin: fn(Attacker, &mut JoinSet<()>),
}

/// The attacks; the first is none, for comparison.
const ATTACKS: [Attack; 6] = [
    Attack {
        name: "none",
        begin: |_, _| {},
    },
    Attack {
        name: "bulk actions with long filters",
        begin: |attacker, calls| {
            attacker.repeat(calls, |broker| {
                async move {
                    let filter = words(MAX_FILTER_WORDS);
                    broker.bulk(BulkAction::Cancel, filter).await.ok();
                }
                .boxed()
            });
        },
    },
    Attack {
        name: "counts with long filters",
        begin: |attacker, calls| {
            attacker.repeat(calls, |broker| {
                async move { drop(broker.count(words(MAX_FILTER_WORDS)).await) }.boxed()
            });
        },
    },
    Attack {
        name: "counts that are abandoned",
        begin: |attacker, calls| {
            attacker.repeat(calls, |broker| {
                async move {
                    let count = broker.count(words(MAX_FILTER_WORDS));
                    let soon = Duration::from_millis(5);
                    tokio::time::timeout(soon, count).await.ok();
                }
                .boxed()
            });
        },
    },
    Attack {
        name: "filters of 300,000 words",
        begin: |attacker, calls| {
            attacker.repeat(calls, |broker| {
                async move { drop(broker.count(words(300_000)).await) }.boxed()
            });
        },
    },
    Attack {
        name: "pages of large tasks",
        begin: |attacker, calls| {
            attacker.repeat(calls, |broker| {
                async move {
                    let query = Query {
                        limit: 1_000,
                        ..Query::default()
                    };
                    broker.list(query).await.ok();
                }
                .boxed()
            });
        },
    },
];

/// A filter of words that every task has to be searched for to the end, and that matches none.
fn words(count: usize) -> Filter {
    let mut excludes = vec!["z".to_owned(); count];
    if let Some(last) = excludes.last_mut() {
        *last = "1".to_owned();
    }
    Filter {
        excludes,
        ..Filter::default()
    }
}

/// A member that attacks.
#[derive(Clone)]
struct Attacker {
    broker: Remote,
}

impl Attacker {
    /// Keeps [`IN_FLIGHT`] calls under way.
    fn repeat(&self, calls: &mut JoinSet<()>, call: fn(Remote) -> BoxFuture<'static, ()>) {
        for _ in 0..IN_FLIGHT {
            let broker = self.broker.clone();
            calls.spawn(async move {
                loop {
                    call(broker.clone()).await;
                    // A call that is refused at once must not keep the others from running.
                    tokio::task::yield_now().await;
                }
            });
        }
    }
}

fn main() -> ExitCode {
    // `cargo test --all-targets` only wants to know that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("nothing measured; use cargo bench");
        return ExitCode::SUCCESS;
    }
    let calls = std::env::var("OVERLOAD_CALLS").ok();
    let calls = calls.and_then(|calls| calls.parse().ok()).unwrap_or(CALLS);
    println!("| attack | greeting p50 | p99 | submit p50 | p99 | failed | memory |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let mut holds = true;
    for attack in &ATTACKS {
        holds &= measure(attack, calls);
    }
    if holds {
        ExitCode::SUCCESS
    } else {
        eprintln!("a call of the member failed or took longer than {BOUND:?}");
        ExitCode::FAILURE
    }
}

/// Measures the member's calls under one attack; returns true if the bound holds.
fn measure(attack: &'static Attack, calls: usize) -> bool {
    let home = tempfile::tempdir().expect("a folder");
    let node = Node::start(home.path(), "127.0.0.1:0");
    let ticket = ticket(home.path());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (ready, started) = mpsc::channel();
    let (peer, joining) = (node.peer, ticket.clone());
    let attacker = std::thread::spawn(move || {
        network::runtime().block_on(async {
            let (_endpoint, client) = joined(&joining).await;
            let broker = broker(&client, peer).await;
            fill(&broker).await;
            let mut calls = JoinSet::new();
            (attack.begin)(Attacker { broker }, &mut calls);
            ready.send(()).expect("the benchmark waits for it");
            stopped.await.ok();
        });
    });
    started.recv().expect("the attack begins");
    let (greetings, submits) = network::runtime().block_on(async {
        let (_endpoint, client) = joined(&ticket).await;
        let broker = broker(&client, peer).await;
        let (mut greetings, mut submits) = (Times::default(), Times::default());
        for _ in 0..calls {
            greetings.add(greet(&client, peer)).await;
            submits.add(submit(&broker)).await;
        }
        (greetings, submits)
    });
    drop(stop);
    attacker.join().expect("the attacker ends");
    let failed = greetings.failed + submits.failed;
    println!(
        "| {} | {:.1?} | {:.1?} | {:.1?} | {:.1?} | {failed} | {} MiB |",
        attack.name,
        greetings.percentile(50),
        greetings.percentile(99),
        submits.percentile(50),
        submits.percentile(99),
        memory::resident(node.child.id()) >> 20,
    );
    failed == 0 && greetings.percentile(99) <= BOUND && submits.percentile(99) <= BOUND
}

/// The times of calls.
#[derive(Default)]
struct Times {
    took: Vec<Duration>,
    failed: usize,
}

impl Times {
    async fn add(&mut self, call: impl Future<Output = bool>) {
        let since = Instant::now();
        if !call.await {
            self.failed += 1;
        }
        self.took.push(since.elapsed());
    }

    fn percentile(&self, percent: usize) -> Duration {
        let mut took = self.took.clone();
        took.sort_unstable();
        let at = (took.len() * percent / 100).min(took.len().saturating_sub(1));
        took.get(at).copied().unwrap_or_default()
    }
}

async fn greet(client: &Client, peer: PeerAddr) -> bool {
    let request = Request::new(greeter::NAME, greeter::METHOD, vec!["Ali".into()]);
    client.call(peer, request, DEADLINE).await.is_ok()
}

async fn submit(broker: &Remote) -> bool {
    broker
        .submit(vec![NewTask::new("add", "[2,3]")])
        .await
        .is_ok()
}

/// Submits the tasks among which the attacker searches; they wait for the whole time.
async fn fill(broker: &Remote) {
    let mut large = NewTask::new("add", format!("[1,{}]", "1".repeat(TASK_BYTES)));
    large.options.delay = Some(Duration::from_secs(60 * 60));
    let submitted = broker.submit(vec![large; TASKS]).await;
    submitted.expect("there is room");
}

/// A member of the node.
async fn joined(ticket: &Ticket) -> (Endpoint, Client) {
    let identity: Identity = network::identity();
    let members = Members::self_only(identity.public());
    let endpoint = Endpoint::bind(network::ANYWHERE, &identity, members).expect("a free port");
    let client = endpoint.client();
    client.join(ticket, "bench").await.expect("joins");
    (endpoint, client)
}

async fn broker(client: &Client, peer: PeerAddr) -> Remote {
    Remote::connect(Handle::current(), client.clone(), peer, remote::NAME)
        .await
        .expect("it has a broker")
}

fn ticket(home: &Path) -> Ticket {
    let printed = Command::new(PROGRAM)
        .args(["ticket", "--data-dir"])
        .arg(home)
        .stderr(Stdio::null())
        .output()
        .expect("it starts");
    let text = String::from_utf8(printed.stdout).expect("text");
    text.trim().parse().expect("a ticket")
}

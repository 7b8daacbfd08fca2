//! A node under attack: greetings and submits of a member, over one connection and over new ones, while another
//! member or an unknown key does its worst.
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
#[path = "../tests/net/raw_client.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod raw_client;

use std::{
    process::ExitCode,
    sync::mpsc,
    time::{Duration, Instant},
};

use distro_tui::{
    net::{
        greeter,
        rpc::{
            client::{Client, DEADLINE, Request},
            endpoint::Endpoint,
            wire::MAX_FRAME,
        },
        trust::{
            identity::{Identity, KEY_FILE},
            members::Members,
            peer_addr::PeerAddr,
            ticket::Ticket,
        },
    },
    queue::{
        broker::{BulkAction, Control, Inspect, Submit},
        limits::MAX_FILTER_WORDS,
        query::{Filter, Query},
        remote::{self, Remote},
        task::NewTask,
    },
    value::Value,
};
use futures_util::future::{BoxFuture, FutureExt};
use node::Node;
use raw_client::{CALLS as CALL_PROTOCOL, JOINS, RawClient};
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

/// The time from the beginning of an attack to the first call of the member.
const WARM_UP: Duration = Duration::from_secs(1);
/// The interval of half-open handshakes, and their number before the attacker drops them.
const HANDSHAKE_INTERVAL: Duration = Duration::from_millis(1);
const HALF_OPEN: usize = 5_000;
/// Greetings and submits of the member for each one over a new connection.
const CALLS_PER_CONNECTION: usize = 10;

/// An attack: its name, and its calls, which go on until they are dropped.
struct Attack {
    name: &'static str,
    begin: fn(Attacker, &mut JoinSet<()>),
}

/// The attacks; the first is none, for comparison.
const ATTACKS: [Attack; 11] = [
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
    Attack {
        name: "half-open handshakes",
        begin: |attacker, calls| {
            let client = RawClient::half_deaf();
            calls.spawn(async move {
                let mut half_open = JoinSet::new();
                loop {
                    half_open.spawn(client.dial(attacker.peer.addr, 1));
                    if half_open.len() > HALF_OPEN {
                        half_open.abort_all();
                        half_open = JoinSet::new();
                    }
                    tokio::time::sleep(HANDSHAKE_INTERVAL).await;
                }
            });
        },
    },
    Attack {
        name: "silent requests to join",
        begin: |attacker, calls| {
            for _ in 0..64 {
                let peer = attacker.peer;
                calls.spawn(async move {
                    let client = RawClient::new(JOINS);
                    loop {
                        if let Ok(connection) = client.dial(peer.addr, 1).await {
                            connection.closed().await;
                        }
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                });
            }
        },
    },
    Attack {
        name: "unfinished requests of 1 MiB",
        begin: |attacker, calls| {
            calls.spawn(async move {
                let client = RawClient::with_key(CALL_PROTOCOL, &attacker.pem);
                let connection = client.connect(attacker.peer).await;
                let mut part = vec![0; MAX_FRAME + 3];
                part.splice(..4, (MAX_FRAME as u32).to_be_bytes());
                let mut streams = JoinSet::new();
                loop {
                    let (mut send, mut recv) = connection.open_bi().await.expect("connected");
                    let part = part.clone();
                    streams.spawn(async move {
                        send.write_all(&part).await.ok();
                        recv.read_to_end(MAX_FRAME).await.ok();
                        drop(send);
                    });
                    while streams.try_join_next().is_some() {}
                }
            });
        },
    },
    Attack {
        name: "large replies that are not read",
        begin: |attacker, calls| {
            calls.spawn(async move {
                let mut unread = Vec::new();
                loop {
                    let query = Value::from_typed(&Query {
                        limit: 1_000,
                        ..Query::default()
                    });
                    let list = Request::new(remote::NAME, "list", vec![query.expect("a value")]);
                    let opened = attacker.client.open(attacker.peer, list, DEADLINE).await;
                    unread.extend(opened.ok());
                    if unread.len() > 250 {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        unread.clear();
                    }
                }
            });
        },
    },
    Attack {
        name: "as many calls and connections as a key may have",
        begin: |attacker, calls| {
            for _ in 0..IN_FLIGHT {
                let attacker = attacker.clone();
                calls.spawn(async move {
                    let client = RawClient::with_key(CALL_PROTOCOL, &attacker.pem);
                    let mut held = Vec::new();
                    loop {
                        if let Ok(connection) = client.dial(attacker.peer.addr, 1).await {
                            for _ in 0..16 {
                                // The server waits for the rest of the length.
                                if let Ok((mut send, recv)) = connection.open_bi().await {
                                    send.write_all(&[0]).await.ok();
                                    held.push((connection.clone(), send, recv));
                                }
                            }
                        }
                        if held.len() > 400 {
                            held.clear();
                        }
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                });
            }
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
    client: Client,
    peer: PeerAddr,
    /// Its key.
    pem: String,
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
    println!(
        "| attack | greeting p50 | p99 | submit p50 | p99 | new connection p50 | p99 | failed | memory |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
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
    let ticket = node::ticket(home.path());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (ready, started) = mpsc::channel();
    let (peer, joining) = (node.peer, ticket.clone());
    let attacker = std::thread::spawn(move || {
        network::runtime().block_on(async {
            let keys = tempfile::tempdir().expect("a folder");
            let identity = Identity::load_or_generate(keys.path()).expect("a key");
            let pem = std::fs::read_to_string(keys.path().join(KEY_FILE)).expect("its file");
            let (_endpoint, client) = joined(&joining, &identity).await;
            let broker = broker(&client, peer).await;
            fill(&broker).await;
            let mut calls = JoinSet::new();
            let attacker = Attacker {
                broker,
                client,
                peer,
                pem,
            };
            (attack.begin)(attacker, &mut calls);
            tokio::time::sleep(WARM_UP).await;
            ready.send(()).expect("the benchmark waits for it");
            stopped.await.ok();
        });
    });
    started.recv().expect("the attack begins");
    let (greetings, submits, new) = network::runtime().block_on(async {
        let identity = network::identity();
        let (_endpoint, client) = joined(&ticket, &identity).await;
        let broker = broker(&client, peer).await;
        let (mut greetings, mut submits) = (Times::default(), Times::default());
        let mut new = Times::default();
        for call in 0..calls {
            greetings.add(greet(&client, peer)).await;
            submits.add(submit(&broker)).await;
            if call % CALLS_PER_CONNECTION == 0 {
                new.add(greet_anew(&identity, peer)).await;
            }
        }
        (greetings, submits, new)
    });
    drop(stop);
    attacker.join().expect("the attacker ends");
    let failed = greetings.failed + submits.failed + new.failed;
    println!(
        "| {} | {:.1?} | {:.1?} | {:.1?} | {:.1?} | {:.1?} | {:.1?} | {failed} | {} MiB |",
        attack.name,
        greetings.percentile(50),
        greetings.percentile(99),
        submits.percentile(50),
        submits.percentile(99),
        new.percentile(50),
        new.percentile(99),
        memory::resident(node.child.id()) >> 20,
    );
    let all = [greetings, submits, new];
    failed == 0 && all.iter().all(|times| times.percentile(99) <= BOUND)
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

/// Greets over a connection of its own.
async fn greet_anew(identity: &Identity, peer: PeerAddr) -> bool {
    let members = Members::self_only(identity.public());
    let endpoint = Endpoint::bind(network::ANYWHERE, identity, members).expect("a free port");
    let greeted = greet(&endpoint.client(), peer).await;
    endpoint.shutdown(Duration::from_millis(1)).await;
    greeted
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
async fn joined(ticket: &Ticket, identity: &Identity) -> (Endpoint, Client) {
    let members = Members::self_only(identity.public());
    let endpoint = Endpoint::bind(network::ANYWHERE, identity, members).expect("a free port");
    let client = endpoint.client();
    client.join(ticket, "bench").await.expect("joins");
    (endpoint, client)
}

async fn broker(client: &Client, peer: PeerAddr) -> Remote {
    Remote::connect(Handle::current(), client.clone(), peer, remote::NAME)
        .await
        .expect("it has a broker")
}

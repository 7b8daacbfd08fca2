//! Registered names after `kill -9`: a node registers and removes names and is killed repeatedly at
//! random moments; after each kill the names are as they were acknowledged.
//!
//! The node is this test program, running [`child`] and nothing else. It prints each acknowledgement to
//! its standard output after receiving it. A longer run:
//!
//! ```text
//! KILLS=1000 cargo test --release --test system names_kill -- --nocapture
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use distro_tui::{
    net::naming::{NameQuery, RegisterRequest},
    node::{Component, Node, NodeConfig, NodeHandle},
};

/// Kills in a default run.
const KILLS: usize = 20;
/// Names that are registered at the same time.
const REGISTRARS: u64 = 8;

/// A node that has nothing but names.
fn start(folder: &Path) -> Node {
    let mut config = NodeConfig::at(folder);
    config.disabled = [Component::Greeter, Component::Broker].into();
    Node::start(&config).expect("it starts")
}

/// The acknowledged names; true while they are registered.
#[derive(Debug, Default)]
struct Ledger(BTreeMap<String, bool>);

impl Ledger {
    fn record(&mut self, line: &str) {
        // A line truncated by the kill does not end with a full stop.
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["registered", name, "."] => drop(self.0.insert(name.to_owned(), true)),
            // Until the reply, both states are possible.
            ["removing", name, "."] => drop(self.0.remove(name)),
            ["removed", name, "."] => drop(self.0.insert(name.to_owned(), false)),
            _ => {}
        }
    }

    async fn check(&self, folder: &Path) {
        let node = start(folder);
        let stored = names(&node.handle()).await;
        for (name, registered) in &self.0 {
            assert_eq!(stored.contains(name), *registered, "{name}");
        }
        node.shutdown(Duration::ZERO).await;
    }
}

async fn names(node: &Arc<NodeHandle>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut query = NameQuery::default();
    loop {
        let asked = query.clone();
        let page = node.naming(|naming| async move { naming.list(&asked).await });
        let page = page.await.expect("listed");
        all.extend(page.records.into_iter().map(|record| record.name));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return all,
        }
    }
}

fn spawn(folder: &Path, round: usize) -> Child {
    let program = std::env::current_exe().expect("this program");
    let args = ["--ignored", "--exact", "names_kill::child", "--nocapture"];
    let mut command = Command::new(program);
    command
        .args(args)
        .env("CHILD_FOLDER", folder)
        .env("CHILD_ROUND", round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command.spawn().expect("it starts")
}

/// Records the output of the process, which is killed some time after its first registration.
fn listen(mut child: Child, ledger: &mut Ledger, kill_after: Duration) {
    let output = child.stdout.take().expect("piped");
    let mut lines = BufReader::new(output).split(b'\n').map_while(Result::ok);
    let mut record = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        ledger.record(&line);
        line.starts_with("registered")
    };
    assert!(lines.any(|line| record(&line)), "nothing was registered");
    let rest = std::thread::scope(|scope| {
        let reader = scope.spawn(|| lines.collect::<Vec<_>>());
        std::thread::sleep(kill_after);
        child.kill().expect("it lives");
        child.wait().expect("it has ended");
        reader.join().expect("no panic")
    });
    for line in rest {
        record(&line);
    }
}

#[tokio::test]
async fn every_acknowledged_name_survives_kill_9() {
    let kills = std::env::var("KILLS").map_or(KILLS, |n| n.parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let mut ledger = Ledger::default();
    let mut random = fastrand::Rng::new();
    for round in 0..kills {
        let child = spawn(folder.path(), round);
        listen(
            child,
            &mut ledger,
            Duration::from_micros(random.u64(..150_000)),
        );
        ledger.check(folder.path()).await;
    }
    assert!(ledger.0.len() > kills, "names were acknowledged");
    println!(
        "{kills} kills: {} names acknowledged, 0 wrong",
        ledger.0.len()
    );
}

fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    // The pipe may be closed when the process is about to be killed.
    writeln!(out, "{line} .").ok();
}

/// The process that is killed: registers and removes names until then.
#[tokio::test]
#[ignore = "started by the other test, which kills it"]
async fn child() {
    let folder = std::env::var_os("CHILD_FOLDER").expect("started by a test");
    let round = std::env::var("CHILD_ROUND").expect("a round");
    let node = start(Path::new(&folder));
    let registrars = (0..REGISTRARS).map(|n| {
        let (node, round) = (node.handle(), round.clone());
        tokio::spawn(async move {
            for i in 0..u64::MAX {
                register(&node, format!("name-{round}-{n}-{i}"), i % 3 == 0).await;
            }
        })
    });
    let registrars: Vec<_> = registrars.collect();
    for registrar in registrars {
        registrar.await.expect("no panic");
    }
}

async fn register(node: &Arc<NodeHandle>, name: String, remove: bool) {
    let mut request = RegisterRequest::new(&name, "distro:x@127.0.0.1:1".parse().expect("a URI"));
    request.lease_ms = Some(0);
    let registered = node.naming(|naming| async move { naming.register(&request).await });
    registered.await.expect("registered");
    print(&format!("registered {name}"));
    if remove {
        print(&format!("removing {name}"));
        let asked = name.clone();
        let removed = node.naming(|naming| async move { naming.unregister(&asked).await });
        removed.await.expect("removed");
        print(&format!("removed {name}"));
    }
}

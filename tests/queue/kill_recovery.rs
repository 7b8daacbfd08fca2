//! Recovery after `kill -9`: a process accepts and runs tasks and is killed repeatedly at random
//! moments; after each kill every acknowledged task must be in the file.
//!
//! The process is this test program, running [`child`] and nothing else. It prints each acknowledgement
//! to its standard output after receiving it. A longer run:
//!
//! ```text
//! KILLS=1000 cargo test --release --test queue kill_recovery -- --nocapture
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use distro_tui::queue::{
    broker::{Broker, Inspect},
    embedded::{
        BrokerConfig,
        store::{ArmedFailPoint, FailPoint},
    },
    event::Event,
    id::TaskId,
    options::BrokerLimits,
    state::State,
    storage::{Retention, StorageConfig},
    task::NewTask,
};
use rusqlite::Connection;

use crate::support::{number, start, sum, task};

/// Kills in a default run, and per task file.
const KILLS: usize = 30;
/// Submitters of single tasks, submitters of batches, and the size of a batch.
const SINGLES: u64 = 12;
const BATCHES: u64 = 2;
const BATCH: u64 = 40;

/// The acknowledgements that the process printed before it was killed.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// First operands of the submitted sums.
    tried: BTreeSet<u64>,
    /// Acknowledged sums: first operand by id.
    taken: BTreeMap<u64, u64>,
    /// Acknowledged tasks that fail.
    failing: BTreeSet<u64>,
    /// Finished sums: result by id.
    done: BTreeMap<u64, String>,
    repeats: usize,
}

impl Ledger {
    pub(crate) fn record(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |text: &str| text.parse::<u64>().ok();
        // A line truncated by the kill does not end with a full stop.
        match words.as_slice() {
            ["T", n, "."] => self.tried.extend(number(n)),
            ["A", id, n, "."] => self.taken.extend(number(id).zip(number(n))),
            ["F", id, "."] => self.failing.extend(number(id)),
            ["D", id, result, "."] => {
                self.done
                    .extend(number(id).map(|id| (id, (*result).to_owned())));
            }
            _ => {}
        }
    }

    /// The number of acknowledged tasks.
    pub(crate) fn len(&self) -> usize {
        self.taken.len() + self.failing.len()
    }

    /// Compares the acknowledgements with the task file.
    pub(crate) fn check(&mut self, folder: &Path, deletes: bool) {
        let db = Connection::open(folder.join("tasks.db")).expect("it opens");
        let whole: String = db
            .query_row("PRAGMA integrity_check", (), |row| row.get(0))
            .expect("it is checked");
        assert_eq!(whole, "ok");
        let mut rows: BTreeMap<u64, (String, String, Option<String>, u64)> = BTreeMap::new();
        let mut statement = db
            .prepare("SELECT id, state, args, result, crashes FROM tasks")
            .expect("the view is there");
        let found = statement.query_map((), |row| {
            let id: i64 = row.get(0)?;
            let crashes: i64 = row.get(4)?;
            let row = (
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                crashes.unsigned_abs(),
            );
            Ok((id.unsigned_abs(), row))
        });
        for row in found.expect("rows") {
            let (id, row) = row.expect("a whole row");
            assert!(rows.insert(id, row).is_none(), "#{id} is there twice");
        }
        for (id, x) in &self.taken {
            match rows.get(id) {
                Some((_, args, ..)) => assert_eq!(*args, format!("[{x},7]"), "#{id}"),
                None => assert!(deletes, "#{id} was acknowledged and is lost"),
            }
        }
        for id in &self.failing {
            assert!(rows.contains_key(id), "#{id} was acknowledged and is lost");
        }
        for (id, result) in &self.done {
            match rows.get(id) {
                Some((state, _, stored, _)) => {
                    assert_eq!(
                        (state.as_str(), stored.as_ref()),
                        ("succeeded", Some(result)),
                        "#{id}"
                    );
                }
                None => assert!(deletes, "#{id} was finished and is lost"),
            }
        }
        for (id, (_, args, result, _)) in &rows {
            let Some(x) = args
                .strip_prefix('[')
                .and_then(|rest| rest.split(',').next())
            else {
                continue;
            };
            let x: u64 = x.parse().expect("a number");
            assert!(self.tried.contains(&x), "#{id} was invented");
            if let Some(result) = result {
                assert_eq!(*result, (x + 7).to_string(), "#{id}");
            }
        }
        self.repeats = rows.values().filter(|(.., crashes)| *crashes > 0).count();
    }
}

/// Starts the child process; its parameters are in its environment.
fn spawn(folder: &Path, round: u64, crash: Option<&str>) -> Child {
    let crash = crash.map(|crash| ("CHILD_CRASH", Path::new(crash)));
    spawn_with(folder, round, crash.as_slice())
}

pub(crate) fn spawn_with(folder: &Path, round: u64, more: &[(&str, &Path)]) -> Child {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command
        .args([
            "--ignored",
            "--exact",
            "kill_recovery::child",
            "--nocapture",
        ])
        .env("CHILD_FOLDER", folder)
        .env("CHILD_ROUND", round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command.envs(more.iter().copied());
    command.spawn().expect("it starts")
}

/// Records the output of the process until it ends, and kills it after a delay if one is given.
pub(crate) fn listen(mut child: Child, ledger: &mut Ledger, kill_after: Option<Duration>) {
    let output = child.stdout.take().expect("piped");
    let mut lines = BufReader::new(output).split(b'\n').map_while(Result::ok);
    for line in lines.by_ref() {
        let line = String::from_utf8_lossy(&line).into_owned();
        ledger.record(&line);
        if line.starts_with("A ") {
            break;
        }
    }
    let reader = std::thread::scope(|scope| {
        let reader = scope.spawn(|| lines.collect::<Vec<_>>());
        if let Some(after) = kill_after {
            std::thread::sleep(after);
            child.kill().expect("it lives");
        }
        child.wait().expect("it has ended");
        reader.join().expect("no panic")
    });
    for line in reader {
        ledger.record(&String::from_utf8_lossy(&line));
    }
}

#[test]
fn every_acknowledged_task_survives_kill_9() {
    let kills = std::env::var("KILLS").map_or(KILLS, |n| n.parse().expect("a number"));
    let (mut acknowledged, mut done, mut repeats) = (0, 0, 0);
    let mut rng: u64 = 0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id());
    for first in (0..kills).step_by(KILLS) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut ledger = Ledger::default();
        for round in first..kills.min(first + KILLS) {
            rng ^= rng << 13;
            rng ^= rng >> 7;
            rng ^= rng << 17;
            let child = spawn(folder.path(), round as u64, None);
            let after = Duration::from_micros(rng % 200_000);
            listen(child, &mut ledger, Some(after));
            ledger.check(folder.path(), false);
        }
        acknowledged += ledger.taken.len() + ledger.failing.len();
        done += ledger.done.len();
        repeats += ledger.repeats;
    }
    assert!(
        acknowledged > kills * 10 && done > kills,
        "tasks were acknowledged"
    );
    println!(
        "{kills} kills: {acknowledged} tasks acknowledged, {done} seen done, \
         0 lost, 0 wrong, {repeats} were running at a kill"
    );
}

#[test]
fn every_acknowledged_task_survives_a_crash_at_every_failpoint() {
    for crash in [
        "before-write 3",
        "before-write 200",
        "before-commit 3",
        "before-commit 200",
        "before-reply 3",
        "before-reply 200",
        "checkpoint 0",
        "checkpoint 700",
        "retention 0",
        "retention 2",
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut ledger = Ledger::default();
        let deletes = crash.starts_with("retention");
        for round in 0..2 {
            let child = spawn(folder.path(), round, Some(crash));
            listen(child, &mut ledger, None);
            ledger.check(folder.path(), deletes);
        }
        assert!(!ledger.tried.is_empty(), "{crash}: tasks were submitted");
    }
}

fn armed_fail_point() -> Option<ArmedFailPoint> {
    let text = std::env::var("CHILD_CRASH").ok()?;
    let (word, after) = text.split_once(' ').expect("a failpoint and a number");
    let at = match word {
        "before-write" => FailPoint::BeforeWrite,
        "before-commit" => FailPoint::BeforeCommit,
        "before-reply" => FailPoint::BeforeReply,
        "checkpoint" => FailPoint::MidCheckpoint,
        _ => FailPoint::MidRetention,
    };
    let after = after.parse().expect("a number");
    Some(ArmedFailPoint { at, after })
}

/// Prints a line that ends with a full stop, so that a truncated one is recognised.
fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    // The pipe may be closed when the process is about to be killed.
    writeln!(out, "{line} .").ok();
}

/// The process that is killed: submits and runs tasks until then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the other tests, which kill it"]
async fn child() {
    let folder = std::env::var_os("CHILD_FOLDER").expect("started by a test");
    let round: u64 = std::env::var("CHILD_ROUND")
        .expect("a round")
        .parse()
        .expect("a number");
    let fail_point = armed_fail_point();
    // Retention must delete no acknowledged task while the ledger is in use.
    let mut retention = Retention {
        bytes: u64::MAX,
        count: usize::MAX,
        ..Retention::default()
    };
    if fail_point.is_some_and(|armed| armed.at == FailPoint::MidRetention) {
        retention.age = Duration::ZERO;
    }
    let engine = start(BrokerConfig {
        workers: 3,
        limits: BrokerLimits::default(),
        store: StorageConfig {
            folder: Some(folder.into()),
            retention,
            ..StorageConfig::default()
        },
        fail_point,
        ..BrokerConfig::default()
    });
    let broker = engine.broker;
    let events = broker.subscribe();
    let base = (round + 1) * 10_000_000;
    for n in 0..SINGLES {
        let broker = broker.clone();
        tokio::spawn(async move {
            for i in 0.. {
                if n == 0 {
                    submit_failing(&broker).await;
                    continue;
                }
                submit(&broker, base + i * 1_000 + n * BATCH, 1).await;
            }
        });
    }
    for n in 0..BATCHES {
        let broker = broker.clone();
        tokio::spawn(async move {
            for i in 0.. {
                submit(&broker, base + 5_000_000 + i * 1_000 + n * BATCH, BATCH).await;
            }
        });
    }
    while let Some(batch) = events.next().await {
        for event in batch.events.iter() {
            if let Event::Finished {
                id,
                state: State::Succeeded,
                ..
            } = event
            {
                report_result(&broker, id).await;
            }
        }
    }
}

async fn submit(broker: &dyn Broker, first: u64, count: u64) {
    for x in first..first + count {
        print(&format!("T {x}"));
    }
    let tasks: Vec<NewTask> = (first..first + count).map(|x| sum(x, 7)).collect();
    let receipts = broker.submit(tasks).await.expect("taken");
    for (x, receipt) in (first..).zip(receipts) {
        print(&format!("A {} {x}", number(&receipt.id)));
    }
}

async fn submit_failing(broker: &dyn Broker) {
    let receipts = broker.submit(vec![task("fail")]).await.expect("taken");
    print(&format!("F {}", number(&receipts[0].id)));
}

async fn report_result(broker: &dyn Broker, id: &TaskId) {
    if let Ok(Some(task)) = broker.get(id).await
        && let Some(result) = task.result
    {
        print(&format!("D {} {result}", number(id)));
    }
}

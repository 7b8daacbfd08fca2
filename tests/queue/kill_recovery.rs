//! An account of every acknowledged task: a process takes tasks and runs them, is killed in the middle
//! of it, again and again, and each time everything that it had promised must be there.
//!
//! The process is this very test program, which runs [`child`] and nothing else. It says on its
//! standard output what it was promised, and only after it was. A longer account:
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
    broker::{Broker, Event},
    embedded::{Config, Limits},
    store::{Config as Keep, Crash, CrashPoint, NameChange, NameRow, Retention},
    task::{NewTask, State, TaskId},
};
use rusqlite::Connection;

use crate::support::{start, sum, task};

/// Kills in the usual run, and in one file.
const KILLS: usize = 30;
/// Those who submit one task at a time, and those who submit many.
const SINGLES: u64 = 12;
const BATCHES: u64 = 2;
const BATCH: u64 = 40;

/// What the process said before it was killed.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// Sums that were submitted: their first number.
    tried: BTreeSet<u64>,
    /// Acknowledged sums: id, and the first number.
    taken: BTreeMap<u64, u64>,
    /// Acknowledged tasks that fail.
    failing: BTreeSet<u64>,
    /// Finished sums: id and result.
    done: BTreeMap<u64, String>,
    /// Names that were kept, and whether they are still registered.
    names: BTreeMap<String, bool>,
    repeats: usize,
}

impl Account {
    pub(crate) fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |text: &str| text.parse::<u64>().ok();
        // A line that the kill has cut short has no full stop.
        match words.as_slice() {
            ["T", n, "."] => self.tried.extend(number(n)),
            ["A", id, n, "."] => self.taken.extend(number(id).zip(number(n))),
            ["F", id, "."] => self.failing.extend(number(id)),
            ["D", id, result, "."] => {
                self.done
                    .extend(number(id).map(|id| (id, (*result).to_owned())));
            }
            ["N", name, "."] => drop(self.names.insert((*name).to_owned(), true)),
            ["?", name, "."] => drop(self.names.remove(*name)),
            ["G", name, "."] => drop(self.names.insert((*name).to_owned(), false)),
            _ => {}
        }
    }

    /// How many tasks were acknowledged.
    pub(crate) fn len(&self) -> usize {
        self.taken.len() + self.failing.len()
    }

    /// Compares what was promised with what is in the file.
    pub(crate) fn settle(&mut self, folder: &Path, forgets: bool) {
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
                None => assert!(forgets, "#{id} was acknowledged and is lost"),
            }
        }
        for id in &self.failing {
            assert!(rows.contains_key(id), "#{id} was acknowledged and is lost");
        }
        for (id, result) in &self.done {
            match rows.get(id) {
                Some((state, _, kept, _)) => {
                    assert_eq!(
                        (state.as_str(), kept.as_ref()),
                        ("succeeded", Some(result)),
                        "#{id}"
                    );
                }
                None => assert!(forgets, "#{id} was finished and is lost"),
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
        let mut statement = db.prepare("SELECT name FROM names").expect("a table");
        let kept = statement.query_map((), |row| row.get::<_, String>(0));
        let kept: BTreeSet<String> = kept
            .expect("rows")
            .map(|name| name.expect("text"))
            .collect();
        for (name, there) in &self.names {
            assert_eq!(kept.contains(name), *there, "{name}");
        }
        self.repeats = rows.values().filter(|(.., crashes)| *crashes > 0).count();
    }
}

/// The process, with what it is told in its environment.
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

/// Listens to the process until it has ended, and kills it after a while if it is to be killed.
pub(crate) fn listen(mut child: Child, account: &mut Account, kill_after: Option<Duration>) {
    let output = child.stdout.take().expect("it speaks");
    let mut lines = BufReader::new(output).split(b'\n').map_while(Result::ok);
    for line in lines.by_ref() {
        let line = String::from_utf8_lossy(&line).into_owned();
        account.hear(&line);
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
        account.hear(&String::from_utf8_lossy(&line));
    }
}

#[test]
fn every_acknowledged_task_survives_kill_9() {
    let kills = std::env::var("KILLS").map_or(KILLS, |n| n.parse().expect("a number"));
    let (mut acknowledged, mut done, mut names, mut repeats) = (0, 0, 0, 0);
    let mut dice: u64 = 0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id());
    for book in (0..kills).step_by(KILLS) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut account = Account::default();
        for round in book..kills.min(book + KILLS) {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            let child = spawn(folder.path(), round as u64, None);
            let after = Duration::from_micros(dice % 200_000);
            listen(child, &mut account, Some(after));
            account.settle(folder.path(), false);
        }
        acknowledged += account.taken.len() + account.failing.len();
        done += account.done.len();
        names += account.names.len();
        repeats += account.repeats;
    }
    assert!(
        acknowledged > kills * 10 && done > kills,
        "it did something"
    );
    println!(
        "{kills} kills: {acknowledged} tasks acknowledged, {done} seen done, {names} names, \
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
        "before-answer 3",
        "before-answer 200",
        "checkpoint 0",
        "checkpoint 700",
        "retention 0",
        "retention 2",
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut account = Account::default();
        let forgets = crash.starts_with("retention");
        for round in 0..2 {
            let child = spawn(folder.path(), round, Some(crash));
            listen(child, &mut account, None);
            account.settle(folder.path(), forgets);
        }
        assert!(!account.tried.is_empty(), "{crash}: it did something");
    }
}

fn crash() -> Option<Crash> {
    let text = std::env::var("CHILD_CRASH").ok()?;
    let (word, after) = text.split_once(' ').expect("a place and a number");
    let at = match word {
        "before-write" => CrashPoint::BeforeWrite,
        "before-commit" => CrashPoint::BeforeCommit,
        "before-answer" => CrashPoint::BeforeAnswer,
        "checkpoint" => CrashPoint::MidCheckpoint,
        _ => CrashPoint::MidRetention,
    };
    let after = after.parse().expect("a number");
    Some(Crash { at, after })
}

/// Says something that has been promised; the line ends with a full stop, so that one that was cut
/// short is known.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody listens any more when the process is about to be killed.
    writeln!(out, "{line} .").ok();
}

/// The process that is killed. It works until then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the account, to be killed"]
async fn child() {
    let folder = std::env::var_os("CHILD_FOLDER").expect("started by the account");
    let round: u64 = std::env::var("CHILD_ROUND")
        .expect("a round")
        .parse()
        .expect("a number");
    let crash = crash();
    // Nothing that was promised is forgotten for its age or its number while the account is open.
    let mut retention = Retention {
        bytes: u64::MAX,
        count: usize::MAX,
        ..Retention::default()
    };
    if crash.is_some_and(|crash| crash.at == CrashPoint::MidRetention) {
        retention.age = Duration::ZERO;
    }
    let engine = start(Config {
        workers: 3,
        limits: Limits::default(),
        store: Keep {
            folder: Some(folder.into()),
            retention,
            crash,
            ..Keep::default()
        },
    });
    let broker = engine.broker;
    let events = broker.subscribe();
    let base = (round + 1) * 10_000_000;
    for n in 0..SINGLES {
        let broker = broker.clone();
        tokio::spawn(async move {
            for i in 0.. {
                if n == 0 {
                    one_that_fails(&broker).await;
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
    tokio::spawn(register(broker.clone(), round));
    while let Some(batch) = events.next().await {
        for event in batch.events {
            if let Event::Ended {
                id,
                state: State::Succeeded,
                ..
            } = event
            {
                tell_result(&broker, id).await;
            }
        }
    }
}

async fn submit(broker: &dyn Broker, first: u64, count: u64) {
    for x in first..first + count {
        say(&format!("T {x}"));
    }
    let tasks: Vec<NewTask> = (first..first + count).map(|x| sum(x, 7)).collect();
    let receipts = broker.submit(tasks).await.expect("taken");
    for (x, receipt) in (first..).zip(receipts) {
        say(&format!("A {} {x}", receipt.id.0));
    }
}

async fn one_that_fails(broker: &dyn Broker) {
    let receipts = broker.submit(vec![task("fail")]).await.expect("taken");
    say(&format!("F {}", receipts[0].id.0));
}

async fn tell_result(broker: &dyn Broker, id: TaskId) {
    if let Ok(Some(task)) = broker.get(id).await
        && let Some(result) = task.result
    {
        say(&format!("D {} {result}", id.0));
    }
}

async fn register(broker: distro_tui::queue::embedded::Embedded, round: u64) {
    for i in 0..u64::MAX {
        let name = format!("name-{round}-{i}");
        let put = NameChange::Put(NameRow {
            name: name.clone(),
            owner: "me".into(),
            number: i,
            uri: "somewhere".into(),
            metadata: "[]".into(),
            lease_ms: None,
            exclusive: false,
        });
        broker.keep_names(vec![put]).await.expect("kept");
        say(&format!("N {name}"));
        if i % 3 == 0 {
            let gone = NameChange::Gone {
                name: name.clone(),
                owner: "me".into(),
            };
            // From here on it may be either.
            say(&format!("? {name}"));
            broker.keep_names(vec![gone]).await.expect("kept");
            say(&format!("G {name}"));
        }
        tokio::task::yield_now().await;
    }
}

//! Tasks that survive a power cut, beside the least that could be as safe: lines appended to a file,
//! and one `fdatasync` for all that have gathered.
//!
//! ```text
//! cargo bench --bench durable
//! ```
//!
//! The file is in the folder that `BENCH_DIR` names, or in the system's for temporary files; on a
//! folder in memory both are only as fast as each other's code. The log keeps no order, no index and
//! no states, and nothing can be found in it.

#[path = "support/memory.rs"]
mod memory;
mod support;

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::mpsc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use distro_tui::queue::{
    add,
    broker::{Broker, Control, Inspect, Submit},
    embedded::{BrokerConfig, Embedded},
    id::TaskId,
    options::BrokerLimits,
    query::{Filter, PageStart, Query},
    registry::Registry,
    state::State,
    storage::{Durability, StorageConfig},
    task::NewTask,
};
use support::{Bound, Cases, SPAN, Sample};
use tokio::{runtime::Runtime, sync::oneshot, task::JoinSet};

const LOG_ONE: &str = "log: 1 submitter";
const ONE: &str = "broker: 1 submitter";
const LOG_MANY: &str = "log: 64 submitters";
const MANY: &str = "broker: 64 submitters";
const LOG_BATCH: &str = "log: batches of 1,000";
const BATCH: &str = "broker: batches of 1,000";
const MANY_KERNEL: &str = "broker, --durability process: 64 submitters";
const WHOLE: &str = "broker: 64 submitters, until all results are on disk";
const WHOLE_KERNEL: &str = "broker, --durability process: the same";

const SUBMITTERS: usize = 64;
/// Tasks of each submitter in a round from end to end.
const EACH: usize = 150;
const BATCH_SIZE: usize = 1_000;
/// How often the broker is asked whether all tasks have ended.
const POLL: Duration = Duration::from_millis(1);
/// Tasks that wait when the time of a start is measured.
const BACKLOG: usize = 1_000_000;
const STARTS: usize = 5;

fn main() {
    if !support::is_requested() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime needs nothing that a benchmark cannot have");
    let home = home();
    let backlog = runtime.block_on(with_backlog(home.path()));
    let log = Log::start(&home.path().join("raw.log"));
    // One takes tasks and runs none, so that only taking them is measured.
    let taking = runtime.block_on(paused(&home.path().join("taking"), Durability::Power));
    let kernel = runtime.block_on(paused(&home.path().join("kernel"), Durability::Process));
    let whole = engine(&home.path().join("whole"), Durability::Power);
    let quick = engine(&home.path().join("quick"), Durability::Process);

    let mut cases = Cases::default();
    let on = |work: fn(&Runtime, &Embedded) -> u64, broker: Embedded| {
        let runtime = &runtime;
        move || Sample::of(|| work(runtime, &broker))
    };
    cases.add(LOG_ONE, LOG_ONE, || {
        Sample::of(|| runtime.block_on(log.submitters(1, 1)))
    });
    cases.add(
        ONE,
        LOG_ONE,
        on(|r, b| r.block_on(submitters(b, 1, 1)), taking.clone()),
    );
    cases.add(LOG_MANY, LOG_MANY, || {
        Sample::of(|| runtime.block_on(log.submitters(SUBMITTERS, 1)))
    });
    cases.add(
        MANY,
        LOG_MANY,
        on(
            |r, b| r.block_on(submitters(b, SUBMITTERS, 1)),
            taking.clone(),
        ),
    );
    cases.add(
        MANY_KERNEL,
        LOG_MANY,
        on(|r, b| r.block_on(submitters(b, SUBMITTERS, 1)), kernel),
    );
    cases.add(LOG_BATCH, LOG_BATCH, || {
        Sample::of(|| runtime.block_on(log.submitters(1, BATCH_SIZE)))
    });
    cases.add(
        BATCH,
        LOG_BATCH,
        on(|r, b| r.block_on(submitters(b, 1, BATCH_SIZE)), taking),
    );
    cases.add(WHOLE, LOG_MANY, on(|r, b| r.block_on(end_to_end(b)), whole));
    cases.add(
        WHOLE_KERNEL,
        LOG_MANY,
        on(|r, b| r.block_on(end_to_end(b)), quick),
    );
    let results = cases.run();

    let bars = support::bars([
        (
            "taken from 64 submitters, by the raw log",
            Bound::AtLeast(0.8),
            results.ratio(MANY, LOG_MANY),
        ),
        (
            "tasks a second from submit to result on disk, busy disk",
            Bound::AtLeast(10_000.0),
            results.rate(WHOLE),
        ),
        (
            "seconds to start with a million tasks waiting",
            Bound::AtMost(1.0),
            backlog.start,
        ),
        (
            "milliseconds for a page in the middle of them",
            Bound::AtMost(5.0),
            backlog.page,
        ),
        (
            "MiB of memory with them",
            Bound::AtMost(300.0),
            backlog.memory,
        ),
    ]);
    support::print("Durable tasks", &[results.table(), bars]);
}

struct Home(Option<tempfile::TempDir>, PathBuf);

impl Home {
    fn path(&self) -> &Path {
        self.0.as_ref().map_or(&self.1, |folder| folder.path())
    }
}

fn home() -> Home {
    let parent = std::env::var_os("BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(&parent).expect("the folder can be written");
    Home(Some(folder), parent)
}

fn engine(folder: &Path, durability: Durability) -> Embedded {
    let mut registry = Registry::new();
    add::register(&mut registry);
    let config = BrokerConfig {
        limits: BrokerLimits {
            backlog: 100_000_000,
            ..BrokerLimits::default()
        },
        store: StorageConfig {
            durability,
            folder: Some(folder.to_owned()),
            ..StorageConfig::default()
        },
        ..BrokerConfig::default()
    };
    Embedded::start(config, registry).expect("the folder can be written")
}

async fn paused(folder: &Path, durability: Durability) -> Embedded {
    let broker = engine(folder, durability);
    broker.pause(None).await.expect("it runs");
    broker
}

fn tasks(count: usize) -> Vec<NewTask> {
    (0..count)
        .map(|i| NewTask::new(add::NAME, format!("[{i},{}]", i + 1)))
        .collect()
}

/// Many submitters, each waiting for one answer before it submits again.
async fn submitters(broker: &Embedded, count: usize, batch: usize) -> u64 {
    let until = Instant::now() + SPAN;
    let mut submitters = JoinSet::new();
    for _ in 0..count {
        let broker = broker.clone();
        submitters.spawn(async move {
            let mut taken = 0;
            while Instant::now() < until {
                let receipts = broker.submit(tasks(batch)).await.expect("there is room");
                taken += receipts.len() as u64;
            }
            taken
        });
    }
    submitters.join_all().await.into_iter().sum()
}

/// Until every task has its result on disk: an event or a count tells of it only then.
async fn end_to_end(broker: &Embedded) -> u64 {
    let mut submitters = JoinSet::new();
    for _ in 0..SUBMITTERS {
        let broker = broker.clone();
        submitters.spawn(async move {
            for _ in 0..EACH {
                broker.submit(tasks(1)).await.expect("there is room");
            }
        });
    }
    submitters.join_all().await;
    loop {
        let stats = broker.stats().await.expect("it runs");
        if stats.unfinished() == 0 {
            assert_eq!(stats.count(State::Failed), 0, "additions do not fail");
            return (SUBMITTERS * EACH) as u64;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// What a million waiting tasks cost.
struct Backlog {
    /// Seconds from nothing to an engine that answers.
    start: f64,
    /// Milliseconds for fifty tasks from the middle.
    page: f64,
    /// MiB that the process takes more with them.
    memory: f64,
}

async fn with_backlog(home: &Path) -> Backlog {
    let folder = home.join("backlog");
    let broker = paused(&folder, Durability::Process).await;
    for _ in 0..BACKLOG / 10_000 {
        broker.submit(tasks(10_000)).await.expect("there is room");
    }
    broker.shutdown(SPAN).await.expect("it runs");
    drop(broker);
    let (mut starts, mut pages, mut memories) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let (since, before) = (Instant::now(), memory::resident("self"));
        let broker = paused(&folder, Durability::Power).await;
        let stats = broker.stats().await.expect("it runs");
        starts.push(since.elapsed().as_secs_f64());
        assert!(
            stats.unfinished() > BACKLOG - 100_000,
            "few have run before the pause"
        );
        let middle = Query {
            filter: Filter::by_ids([TaskId::Sequence(BACKLOG as u64 / 2)]),
            limit: 1,
            ..Query::default()
        };
        let middle = broker.list(middle).await.expect("it runs").rows[0].cursor;
        let query = Query {
            from: PageStart::At(middle),
            limit: 50,
            ..Query::default()
        };
        let since = Instant::now();
        let page = broker.list(query).await.expect("it runs");
        pages.push(since.elapsed().as_secs_f64() * 1e3);
        assert_eq!(page.rows.len(), 50);
        // What the engine before has given back may be used again, so this is a lower bound but for the
        // first.
        memories.push(memory::resident("self").saturating_sub(before) as f64 / f64::from(1 << 20));
        broker.shutdown(SPAN).await.expect("it runs");
    }
    let median = |numbers: &mut Vec<f64>| {
        numbers.sort_by(f64::total_cmp);
        numbers[STARTS / 2]
    };
    Backlog {
        start: median(&mut starts),
        page: median(&mut pages),
        memory: memories.into_iter().fold(0.0, f64::max),
    }
}

/// Lines of a group, and where the word that they are on disk goes.
type Record = (Vec<u8>, oneshot::Sender<()>);

/// An append-only log with a thread that writes all that has gathered and syncs once.
struct Log {
    lines: Option<mpsc::Sender<Record>>,
    thread: Option<JoinHandle<()>>,
}

impl Log {
    fn start(path: &Path) -> Self {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .expect("the folder can be written");
        let (lines, inbox) = mpsc::channel::<Record>();
        let thread = std::thread::spawn(move || write_all(&file, &inbox));
        Self {
            lines: Some(lines),
            thread: Some(thread),
        }
    }

    async fn submitters(&self, count: usize, batch: usize) -> u64 {
        let until = Instant::now() + SPAN;
        let mut submitters = JoinSet::new();
        for _ in 0..count {
            let lines = self.lines.clone().expect("it runs");
            submitters.spawn(async move {
                let mut taken = 0;
                while Instant::now() < until {
                    // What one row of the table says, as text.
                    let one =
                        |i| format!("{i},queued,add,[{i},{}],5,0,5,1800000000000000\n", i + 1);
                    let text: String = (0..batch).map(one).collect();
                    let (answer, written) = oneshot::channel();
                    lines.send((text.into_bytes(), answer)).expect("it runs");
                    written.await.expect("it is written");
                    taken += batch as u64;
                }
                taken
            });
        }
        submitters.join_all().await.into_iter().sum()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.lines = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn write_all(mut file: &File, inbox: &mpsc::Receiver<Record>) {
    while let Ok(first) = inbox.recv() {
        let group: Vec<Record> = std::iter::once(first)
            .chain(inbox.try_iter().take(1_023))
            .collect();
        let bytes: Vec<u8> = group.iter().flat_map(|(text, _)| text).copied().collect();
        file.write_all(&bytes).expect("there is room on the disk");
        file.sync_data().expect("the disk works");
        for (_, answer) in group {
            answer.send(()).ok();
        }
    }
}

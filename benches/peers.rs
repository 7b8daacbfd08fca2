//! From submitting a task to its result, beside queues that others use: apalis in memory, and when they
//! are installed beanstalkd with a sync for every write (`beanstalkd -b DIR -f 0`) and huey on SQLite with
//! its `fsync` (`pip install huey`). One that is missing is left out with a word.
//!
//! ```text
//! cargo bench --bench peers
//! ```
//!
//! They do not promise the same, and beanstalkd and huey cross a socket or a language: what is compared
//! is what a user gets.

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use apalis::prelude::{BoxDynError, MemoryStorage, TaskSink, WorkerBuilder};
use distro_tui::queue::{
    add,
    broker::{Inspect, Submit},
    embedded::{BrokerConfig, Embedded},
    registry::Registry,
    state::State,
    storage::{Durability, StorageConfig},
    task::NewTask,
};
use serde::{Deserialize, Serialize};
use support::{Bound, Cases, Sample};
use tokio::task::JoinSet;

const MEMORY: &str = "distro-tui in memory";
const APALIS: &str = "apalis in memory";
const DURABLE: &str = "distro-tui, results on disk, 64 submitters";
const BEANSTALKD: &str = "beanstalkd -b -f 0, 8 connections";
const HUEY: &str = "huey on SQLite with fsync, 4 threads";

const MANY: usize = 50_000;
const SUBMITTERS: usize = 64;
const EACH: usize = 150;
const CONNECTIONS: usize = 8;
const JOBS: usize = 1_000;
const CALLS: usize = 100;
const POLL: Duration = Duration::from_millis(1);

fn main() {
    if !support::is_requested() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime needs nothing that a benchmark cannot have");
    let home = tempfile::tempdir().expect("a folder");
    let memory = engine(StorageConfig::default());
    let durable = engine(StorageConfig {
        durability: Durability::Power,
        folder: Some(home.path().join("ours")),
        ..StorageConfig::default()
    });
    let beanstalkd = Beanstalkd::start(&home.path().join("bean"));
    let mut huey = Huey::start(&home.path().join("huey.db"));
    let mut cases = Cases::default();
    cases.add(APALIS, APALIS, || Sample::of(|| runtime.block_on(apalis())));
    cases.add(MEMORY, APALIS, || {
        Sample::of(|| runtime.block_on(in_memory(&memory)))
    });
    cases.add(DURABLE, DURABLE, || {
        Sample::of(|| runtime.block_on(submitters(&durable)))
    });
    match &beanstalkd {
        Some(server) => cases.add(BEANSTALKD, DURABLE, || Sample::of(|| server.round())),
        None => println!("beanstalkd is not installed and is left out"),
    }
    match &mut huey {
        Some(huey) => cases.add(HUEY, DURABLE, || huey.round()),
        None => println!("huey is not installed and is left out"),
    }
    let results = cases.run();
    let bars = support::bars([(
        "in memory, by apalis",
        Bound::AtLeast(1.0),
        results.ratio(MEMORY, APALIS),
    )]);
    support::print("Beside other queues", &[results.table(), bars]);
}

fn engine(store: StorageConfig) -> Embedded {
    let mut registry = Registry::new();
    add::register(&mut registry);
    let config = BrokerConfig {
        store,
        ..BrokerConfig::default()
    };
    Embedded::start(config, registry).expect("the folder can be written")
}

fn task(i: usize) -> NewTask {
    NewTask::new(add::NAME, format!("[{i},7]"))
}

async fn drained(broker: &Embedded) {
    loop {
        let stats = broker.stats().await.expect("it runs");
        if stats.unfinished() == 0 {
            assert_eq!(stats.count(State::Failed), 0, "additions do not fail");
            return;
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn in_memory(broker: &Embedded) -> u64 {
    let tasks = (0..MANY).map(task).collect();
    broker.submit(tasks).await.expect("there is room");
    drained(broker).await;
    MANY as u64
}

async fn submitters(broker: &Embedded) -> u64 {
    let mut submitters = JoinSet::new();
    for _ in 0..SUBMITTERS {
        let broker = broker.clone();
        submitters.spawn(async move {
            for i in 0..EACH {
                broker.submit(vec![task(i)]).await.expect("there is room");
            }
        });
    }
    submitters.join_all().await;
    drained(broker).await;
    (SUBMITTERS * EACH) as u64
}

static DONE: AtomicUsize = AtomicUsize::new(0);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Job {
    x: i64,
    y: i64,
}

async fn run(job: Job) -> Result<i64, BoxDynError> {
    DONE.fetch_add(1, Ordering::Relaxed);
    Ok(job.x + job.y)
}

async fn apalis() -> u64 {
    DONE.store(0, Ordering::Relaxed);
    let mut storage = MemoryStorage::new();
    for i in 0..MANY {
        let job = Job { x: i as i64, y: 7 };
        storage.push(job).await.expect("it takes everything");
    }
    let worker = tokio::spawn(async move {
        WorkerBuilder::new("bench")
            .backend(storage)
            .build(run)
            .run()
            .await
    });
    while DONE.load(Ordering::Relaxed) < MANY {
        tokio::time::sleep(POLL).await;
    }
    worker.abort();
    MANY as u64
}

/// A server of beanstalkd of our own.
struct Beanstalkd {
    server: Child,
    port: u16,
}

impl Beanstalkd {
    fn start(folder: &Path) -> Option<Self> {
        std::fs::create_dir_all(folder).expect("a folder");
        let free = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let server = Command::new("beanstalkd")
            .args(["-l", "127.0.0.1", "-p", &port.to_string(), "-f", "0", "-b"])
            .arg(folder)
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let server = Self { server, port };
        let since = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                since.elapsed() < Duration::from_secs(5),
                "it does not listen"
            );
            std::thread::sleep(POLL);
        }
        Some(server)
    }

    fn connect(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        BufReader::new(stream)
    }

    /// Puts all jobs, and then reserves and deletes them.
    fn round(&self) -> u64 {
        for step in [push_task, pop_task] {
            std::thread::scope(|scope| {
                for _ in 0..CONNECTIONS {
                    scope.spawn(|| {
                        let mut connection = self.connect();
                        (0..JOBS / CONNECTIONS).for_each(|i| step(&mut connection, i));
                    });
                }
            });
        }
        JOBS as u64
    }
}

impl Drop for Beanstalkd {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

fn request(connection: &mut BufReader<TcpStream>, text: &str) -> String {
    let stream = connection.get_mut();
    stream.write_all(text.as_bytes()).expect("it listens");
    let mut answer = String::new();
    connection.read_line(&mut answer).expect("it answers");
    answer
}

fn push_task(connection: &mut BufReader<TcpStream>, i: usize) {
    let job = format!("{{\"task\":\"add\",\"args\":[{i},7]}}");
    let command = format!("put 1024 0 60 {}\r\n{job}\r\n", job.len());
    assert!(request(connection, &command).starts_with("INSERTED"));
}

fn pop_task(connection: &mut BufReader<TcpStream>, _: usize) {
    let reserved = request(connection, "reserve\r\n");
    let words: Vec<&str> = reserved.split_whitespace().collect();
    let length: usize = words[2].parse().expect("a length");
    let mut job = vec![0; length + 2];
    connection.read_exact(&mut job).expect("the job");
    let deleted = request(connection, &format!("delete {}\r\n", words[1]));
    assert!(deleted.starts_with("DELETED"));
}

/// A process of Python with huey in it.
struct Huey {
    process: Child,
    orders: ChildStdin,
    times: BufReader<ChildStdout>,
}

impl Huey {
    fn start(file: &Path) -> Option<Self> {
        let installed = Command::new("python3")
            .args(["-c", "import huey"])
            .stderr(Stdio::null())
            .status()
            .ok()?;
        if !installed.success() {
            return None;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/additions.py");
        let mut process = Command::new("python3")
            .arg(script)
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let orders = process.stdin.take()?;
        let times = BufReader::new(process.stdout.take()?);
        Some(Self {
            process,
            orders,
            times,
        })
    }

    fn round(&mut self) -> Sample {
        writeln!(self.orders, "{CALLS}").expect("it listens");
        let mut seconds = String::new();
        self.times.read_line(&mut seconds).expect("it answers");
        let seconds = seconds.trim().parse().expect("seconds");
        Sample {
            count: CALLS as u64,
            elapsed: Duration::from_secs_f64(seconds),
            cpu: Duration::ZERO,
        }
    }
}

impl Drop for Huey {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

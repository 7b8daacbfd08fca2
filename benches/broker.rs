//! From submitting a task to having its result, through the embedded broker, beside the least that
//! could do the same: a bounded channel, as many workers, and a oneshot back for each result.
//!
//! ```text
//! cargo bench --bench broker
//! ```
//!
//! Both run the task `add` on arguments in JSON on as many workers and threads. The channel keeps
//! nothing: no states, no list, no cancelling, no retry. What it is faster by is what those cost.

#[path = "support/memory.rs"]
mod memory;
mod support;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use distro_tui::queue::{
    add::{self, Add},
    broker::{Broker, Inspect, Submit},
    embedded::{BrokerConfig, Embedded},
    event::{Event, Subscription},
    id::TaskId,
    registry::Registry,
    state::State,
    storage::{Retention, StorageConfig},
    task::NewTask,
};
use support::{Bound, Cases, Results, SPAN, Sample};
use tokio::{runtime::Runtime, sync::oneshot, task::JoinSet};

const RAW_ONE: &str = "channel: 1 submitter, 1 task at a time";
const ONE: &str = "broker: 1 submitter, 1 task at a time (submit, event, get)";
const RAW_MANY: &str = "channel: 64 submitters, batches of 100, all results awaited";
const MANY: &str = "broker: 64 submitters, batches of 100, until all have ended";
const RAW_BATCH: &str = "channel: 1 batch of 100,000, all results awaited";
const BATCH: &str = "broker: 1 batch of 100,000, until all have ended";

const SUBMITTERS: usize = 64;
/// Batches of each submitter in a round, and tasks in a batch.
const BATCHES: usize = 15;
const BATCH_SIZE: usize = 100;
/// Tasks in the big batch.
const BIG: usize = 100_000;
/// Tasks in a batch while memory is measured: what a batch needs on its way is not kept.
const SMALL: usize = 10_000;

/// What the channel holds before a sender waits.
const CAPACITY: usize = 1_024;

/// How often the broker is asked whether all tasks have ended.
const POLL: Duration = Duration::from_millis(1);

/// Finished tasks that are kept when their memory is measured.
const RETAINED: usize = 1_000_000;

fn main() {
    if !support::is_requested() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime needs nothing that a benchmark cannot have");
    // First of all, while nothing has been given back to the allocator that could be used again.
    let bytes = runtime.block_on(retained_bytes());
    let (broker, raw) = (engine(RETAINED_USUALLY), Raw::start());
    // A full history is what a broker has for most of its life: each new task makes it forget one.
    runtime.block_on(batch(&broker, BIG));
    let results = cases(&runtime, &broker, &raw).run();
    support::print(
        "Submit to result",
        &[results.table(), bars(&results, bytes)],
    );
    runtime.block_on(broker.shutdown(SPAN)).expect("it runs");
}

/// The cases, each beside the channel doing the same.
fn cases<'a>(runtime: &'a Runtime, broker: &'a Embedded, raw: &'a Raw) -> Cases<'a> {
    let mut cases = Cases::default();
    cases.add(RAW_ONE, RAW_ONE, || {
        Sample::of(|| runtime.block_on(raw.one_at_a_time()))
    });
    cases.add(ONE, RAW_ONE, || {
        Sample::of(|| runtime.block_on(one_at_a_time(broker)))
    });
    cases.add(RAW_MANY, RAW_MANY, || {
        Sample::of(|| runtime.block_on(raw.many_submitters()))
    });
    cases.add(MANY, RAW_MANY, || {
        Sample::of(|| runtime.block_on(many_submitters(broker)))
    });
    cases.add(RAW_BATCH, RAW_BATCH, || {
        Sample::of(|| runtime.block_on(raw.batch(BIG)))
    });
    cases.add(BATCH, RAW_BATCH, || {
        Sample::of(|| runtime.block_on(batch(broker, BIG)))
    });
    cases
}

/// What is expected of the broker.
fn bars(results: &Results, bytes: f64) -> support::Table {
    use Bound::{AtLeast, AtMost};
    support::bars([
        (
            "tasks a second of a big batch",
            AtLeast(500_000.0),
            results.rate(BATCH),
        ),
        ("bytes of memory a retained task", AtMost(400.0), bytes),
    ])
}

/// The default number of finished tasks that are kept in memory.
const RETAINED_USUALLY: usize = 100_000;

fn engine(count: usize) -> Embedded {
    let mut registry = Registry::new();
    add::register(&mut registry);
    let retention = Retention {
        count,
        ..Retention::default()
    };
    let config = BrokerConfig {
        store: StorageConfig {
            retention,
            ..StorageConfig::default()
        },
        ..BrokerConfig::default()
    };
    Embedded::start(config, registry).expect("the system has threads")
}

fn args(i: usize) -> String {
    format!("[{i},{}]", i + 1)
}

fn tasks(count: usize) -> Vec<NewTask> {
    (0..count)
        .map(|i| NewTask::new(add::NAME, args(i)))
        .collect()
}

/// Submits a task, waits for the event of its end, and fetches its result; again and again.
async fn one_at_a_time(broker: &Embedded) -> u64 {
    let events = broker.subscribe();
    let (until, mut count) = (Instant::now() + SPAN, 0);
    while Instant::now() < until {
        let receipts = broker.submit(tasks(1)).await.expect("there is room");
        let id = &receipts.first().expect("a receipt for the task").id;
        ended(&events, id).await;
        let task = broker
            .get(id)
            .await
            .expect("it runs")
            .expect("it is retained");
        assert_eq!(task.result.as_deref(), Some("1"));
        count += 1;
    }
    count
}

/// Waits for the end of a task that is the only one.
async fn ended(events: &Subscription, wanted: &TaskId) {
    loop {
        let batch = events.next().await.expect("the broker runs");
        assert_eq!(batch.dropped, 0, "one task at a time overruns nobody");
        let ends = |event: &Event| matches!(event, Event::Finished { id, .. } if id == wanted);
        if batch.events.iter().any(ends) {
            return;
        }
    }
}

/// Many submitters hand in batches as fast as they are taken; it is over when every task has ended.
async fn many_submitters(broker: &Embedded) -> u64 {
    let mut submitters = JoinSet::new();
    for _ in 0..SUBMITTERS {
        let broker = broker.clone();
        submitters.spawn(async move {
            for _ in 0..BATCHES {
                broker
                    .submit(tasks(BATCH_SIZE))
                    .await
                    .expect("there is room");
            }
        });
    }
    submitters.join_all().await;
    drained(broker).await;
    (SUBMITTERS * BATCHES * BATCH_SIZE) as u64
}

/// One batch from submitting it to the end of its last task.
async fn batch(broker: &Embedded, size: usize) -> u64 {
    broker.submit(tasks(size)).await.expect("there is room");
    drained(broker).await;
    size as u64
}

/// Waits until every task has ended. It asks now and then, because following the events of every task
/// would be work of its own.
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

/// The resident bytes that a finished task takes. A first batch is left out of it: with it come the
/// stacks of the threads and the room that a batch needs on its way.
async fn retained_bytes() -> f64 {
    let broker = engine(RETAINED);
    for _ in 0..BIG / SMALL {
        batch(&broker, SMALL).await;
    }
    let before = memory::resident("self");
    for _ in 0..(RETAINED - BIG) / SMALL {
        batch(&broker, SMALL).await;
    }
    let bytes = memory::resident("self").saturating_sub(before);
    let stats = broker.stats().await.expect("it runs");
    assert_eq!((stats.total(), stats.evicted), (RETAINED, 0));
    broker.shutdown(SPAN).await.expect("it runs");
    bytes as f64 / (RETAINED - BIG) as f64
}

/// An addition on its way to a worker, and where its result goes.
struct Job {
    args: String,
    answer: oneshot::Sender<String>,
}

/// A bounded channel with workers behind it.
#[derive(Clone)]
struct Raw {
    jobs: async_channel::Sender<Job>,
    /// Drives the workers; kept, because dropping it ends them.
    _workers: Arc<Runtime>,
}

impl Raw {
    /// Starts as many workers on as many threads as the broker does.
    fn start() -> Self {
        let workers = tokio::runtime::Builder::new_multi_thread()
            .build()
            .expect("the system has threads");
        let (jobs, inbox) = async_channel::bounded(CAPACITY);
        for _ in 0..BrokerConfig::default().workers {
            workers.spawn(work(inbox.clone()));
        }
        Self {
            jobs,
            _workers: Arc::new(workers),
        }
    }

    /// Sends an addition and waits for its result; again and again.
    async fn one_at_a_time(&self) -> u64 {
        let (until, mut count) = (Instant::now() + SPAN, 0);
        while Instant::now() < until {
            let result = self.send(0).await;
            assert_eq!(result.await.as_deref(), Ok("1"));
            count += 1;
        }
        count
    }

    /// Many senders, each waiting for the results of a batch before it sends the next.
    async fn many_submitters(&self) -> u64 {
        let mut submitters = JoinSet::new();
        for _ in 0..SUBMITTERS {
            let raw = self.clone();
            submitters.spawn(async move {
                for _ in 0..BATCHES {
                    raw.batch(BATCH_SIZE).await;
                }
            });
        }
        submitters.join_all().await;
        (SUBMITTERS * BATCHES * BATCH_SIZE) as u64
    }

    /// Sends a batch and waits for every result of it.
    async fn batch(&self, size: usize) -> u64 {
        let mut results = Vec::with_capacity(size);
        for i in 0..size {
            results.push(self.send(i).await);
        }
        for result in results {
            assert!(!result.await.expect("a worker answers").is_empty());
        }
        size as u64
    }

    async fn send(&self, i: usize) -> oneshot::Receiver<String> {
        let (answer, result) = oneshot::channel();
        let job = Job {
            args: args(i),
            answer,
        };
        self.jobs
            .send(job)
            .await
            .expect("workers live as long as this");
        result
    }
}

/// A worker of the channel: what the task `add` does, and nothing else.
async fn work(jobs: async_channel::Receiver<Job>) {
    while let Ok(Job { args, answer }) = jobs.recv().await {
        let Add { x, y, .. } = serde_json::from_str(&args).expect("arguments that fit");
        let sum = x.add(&y).expect("two integers");
        answer.send(sum.to_json()).expect("the submitter waits");
    }
}

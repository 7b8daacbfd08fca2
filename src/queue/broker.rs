//! What every engine can do. Screens, programs and tests see only this.

use std::{borrow::Cow, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio_util::sync::DropGuard;

use super::{
    query::{Filter, Page, Query, StateSet},
    registry::InvalidTask,
    task::{
        IdempotencyKey, InvalidTransition, NewTask, Receipt, State, Task, TaskId, Timestamp,
        Transition, WorkerId,
    },
    worker::WorkerStatus,
};

/// Takes tasks, has them run by workers and keeps what came of them.
///
/// Every answer is the broker's own; [`Broker::subscribe`] is for showing, may leave out what came too
/// fast, and is never needed to know how a task ended.
pub trait Broker: Send + Sync {
    /// Which engine this is, for people.
    fn engine(&self) -> &str;

    /// Takes tasks, all or none of them, and answers in the same order. An answer means that they are
    /// kept as safely as the engine promises.
    fn submit(&self, tasks: Vec<NewTask>) -> BrokerFuture<'_, Vec<Receipt>>;

    /// The same under a name of its own: submitted again under that name, it is not taken again, and the
    /// answer is that of the first time. The name is known for at least [`IDEMPOTENCY_WINDOW`], across
    /// restarts where tasks are.
    fn submit_idempotent(
        &self,
        id: IdempotencyKey,
        tasks: Vec<NewTask>,
    ) -> BrokerFuture<'_, Vec<Receipt>>;

    /// One task, with the log of its attempts.
    fn get(&self, id: TaskId) -> BrokerFuture<'_, Option<Task>>;

    /// A page of tasks.
    fn list(&self, query: Query) -> BrokerFuture<'_, Page>;

    /// How many tasks match, exactly.
    fn count(&self, filter: Filter) -> BrokerFuture<'_, usize>;

    /// Why tasks have failed for good: the most frequent reason first, at most [`MAX_REASONS`], from
    /// the newest [`MAX_FAILURES`] failures.
    fn reasons(&self) -> BrokerFuture<'_, Vec<FailureGroup>>;

    /// Cancels a task: one that waits at once; one that runs is asked to stop and stays `running`,
    /// marked *cancelling*, until it does.
    fn cancel(&self, id: TaskId) -> BrokerFuture<'_, State>;

    /// Takes back the cancellation of a task that had not been started: it waits again as before, with
    /// the attempts that it had.
    fn restore(&self, id: TaskId) -> BrokerFuture<'_, State>;

    /// Runs a task that failed, was cancelled or expired again, with its original arguments and all
    /// its attempts.
    fn retry(&self, id: TaskId) -> BrokerFuture<'_, State>;

    /// Does one thing to every task that matches, in steps that hold up nothing else, and answers when
    /// it is through.
    fn bulk(&self, deed: BulkAction, filter: Filter) -> BrokerFuture<'_, BulkOutcome>;

    /// Hands out no further task of a queue, or of any, until [`Broker::resume`]; what runs goes on.
    fn pause(&self, queue: Option<&str>) -> BrokerFuture<'_, ()>;

    /// Hands out tasks again.
    fn resume(&self, queue: Option<&str>) -> BrokerFuture<'_, ()>;

    /// Counts, rates and percentiles.
    fn stats(&self) -> BrokerFuture<'_, Stats>;

    /// Every worker.
    fn workers(&self) -> BrokerFuture<'_, Vec<WorkerStatus>>;

    /// Asks for this many workers. More start at once; fewer end when they have finished what they
    /// run. Answers the number that was accepted, which has limits.
    fn scale(&self, workers: usize) -> BrokerFuture<'_, usize>;

    /// What happens from now on, for showing.
    fn subscribe(&self) -> Subscription;

    /// Stops: hands out nothing more, waits at most `grace` for running tasks, hands back the rest.
    /// Everything after it is [`BrokerError::Closed`].
    fn shutdown(&self, grace: Duration) -> BrokerFuture<'_, ShutdownReport>;
}

/// How long the name of a submit is known.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(60 * 60);

/// The most reasons that [`Broker::reasons`] tells.
pub const MAX_REASONS: usize = 200;
/// The most failures that [`Broker::reasons`] looks at.
pub const MAX_FAILURES: usize = 100_000;

/// What can be done to many tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BulkAction {
    /// Cancel what has not ended.
    Cancel,
    /// Run what failed, was cancelled or expired again.
    Retry,
    /// Forget what has ended.
    Purge,
}

impl BulkAction {
    /// The states that it can be done to.
    #[must_use]
    pub fn applies_to(self) -> StateSet {
        let fits = |state: &State| match self {
            Self::Cancel => !state.is_finished(),
            Self::Retry => state.apply(Transition::Retry).is_ok(),
            Self::Purge => state.is_finished(),
        };
        State::ALL.into_iter().filter(fits).collect()
    }
}

/// What came of a [`Broker::bulk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BulkOutcome {
    /// Tasks to which it was done.
    pub done: usize,
    /// Tasks that matched and had changed before it was their turn, or that there was no room for.
    pub skipped: usize,
}

/// Tasks that failed for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureGroup {
    /// What they run.
    pub name: Arc<str>,
    /// What the last attempt said, its first line.
    pub error: Box<str>,
    /// How many they are.
    pub count: usize,
    /// The newest of them.
    pub newest: TaskId,
    /// When the last one failed.
    pub last: Timestamp,
}

/// An answer on its way.
pub type BrokerFuture<'a, T> = BoxFuture<'a, Result<T, BrokerError>>;

/// Why a broker did not do what was asked. Nothing has changed then, but for
/// [`BrokerError::PersistPending`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BrokerError {
    /// The backlog is full.
    #[error(
        "the queue is full: {backlog} tasks wait and the limit is {limit}; try again when some have run"
    )]
    Overloaded {
        /// How many tasks are unfinished.
        backlog: usize,
        /// How many may be.
        limit: usize,
    },
    /// There is no such task to run, or the arguments do not fit it.
    #[error(transparent)]
    InvalidTask(#[from] InvalidTask),
    /// There is no task with this id, or no longer.
    #[error("there is no task {0}; it may have been purged")]
    NotFound(TaskId),
    /// The task's state does not allow it.
    #[error("{id}: {why}")]
    InvalidTransition {
        /// Which task.
        id: TaskId,
        /// Its state and what was asked.
        why: InvalidTransition,
    },
    /// It cannot run again while another with its unique key is alive.
    #[error("{id} cannot run again: {by} has its unique key now")]
    DuplicateKey {
        /// Which task.
        id: TaskId,
        /// Which task is alive with the same name and key.
        by: TaskId,
    },
    /// It cannot be saved, and so it was not done.
    #[error("not taken, because it cannot be saved: {0}; it can again when that has been mended")]
    NotPersisted(String),
    /// It was done and cannot be saved yet.
    #[error("done, but not saved: {0}; it is saved as soon as that has been mended")]
    PersistPending(String),
    /// What is kept cannot be read.
    #[error("the task file cannot be read: {0}")]
    Storage(String),
    /// Too many questions wait for an answer.
    #[error("too many questions at once; ask again")]
    Busy,
    /// It was asked for in parts, and only the first were taken.
    #[error("only the first {taken} tasks were taken: {why}")]
    PartialSubmit {
        /// How many were.
        taken: usize,
        /// Why the next ones were not.
        why: Box<Self>,
    },
    /// Whoever asked may not do this.
    #[error("{0}")]
    Denied(String),
    /// The broker is another process's, and that cannot be asked now. It may have done it.
    #[error("{0}")]
    Unreachable(String),
    /// The broker has stopped.
    #[error("the broker has stopped")]
    Closed,
}

/// A broker in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Tasks by state, in the order of [`State::ALL`].
    pub counts: [usize; 8],
    /// Whether it is paused as a whole.
    pub paused: bool,
    /// The queues that are paused by themselves.
    pub paused_queues: Vec<Arc<str>>,
    /// How many workers were asked for; those that work are fewer while some are stuck or still
    /// stopping.
    pub wanted: usize,
    /// Workers whose task did not stop when it had to, and that are given up.
    pub stuck: usize,
    /// Why changes cannot be saved, if they cannot.
    pub trouble: Option<String>,
    /// Changes that are done and not saved yet.
    pub unsaved: usize,
    /// How long the oldest task that may run has been waiting.
    pub oldest: Option<Duration>,
    /// Tasks submitted since the start.
    pub submitted: u64,
    /// Submits that were given the id of a living task with the same unique key.
    pub duplicates: u64,
    /// Tasks that ended, by their last state, since the start, in the order of [`State::ALL`].
    pub ended: [u64; 8],
    /// Attempts that failed and were followed by another since the start.
    pub retried: u64,
    /// Finished tasks that were forgotten to make room, or purged.
    pub forgotten: u64,
    /// Results that came after their task had ended otherwise, and were dropped.
    pub late: u64,
    /// The most unfinished tasks that are taken.
    pub backlog_limit: usize,
    /// The most finished tasks that are kept.
    pub retained_limit: usize,
    /// Tasks that ended in each of the last [`RATE_SECONDS`] whole seconds, oldest first.
    pub rate: Vec<u32>,
    /// The second that [`Stats::rate`] ends before, since 1970.
    pub rate_until: u64,
    /// From being ready to being started.
    pub wait: Percentiles,
    /// From being started to the end.
    pub run: Percentiles,
    /// The same for each name that has run, by name.
    pub names: Vec<NameStats>,
    /// How changes are kept.
    pub keeping: StorageStats,
    /// When it was taken.
    pub at: Timestamp,
}

/// How many seconds of throughput are kept.
pub const RATE_SECONDS: usize = 120;

impl Stats {
    /// How many tasks are in a state.
    #[must_use]
    pub fn count(&self, state: State) -> usize {
        self.counts.get(state.index()).copied().unwrap_or_default()
    }

    /// Tasks that have not ended.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        State::ALL
            .into_iter()
            .filter(|state| !state.is_finished())
            .map(|state| self.count(state))
            .sum()
    }

    /// Whether what was acknowledged survives the end of the process.
    #[must_use]
    pub fn survives(&self) -> bool {
        matches!(&*self.keeping.durability, "power" | "process")
    }

    /// Tasks of every state.
    #[must_use]
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }
}

/// One task name in numbers, since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameStats {
    /// The name.
    pub name: Arc<str>,
    /// Runs that succeeded.
    pub succeeded: u64,
    /// Runs that failed.
    pub failed: u64,
    /// From being ready to being started.
    pub wait: Percentiles,
    /// From being started to the end.
    pub run: Percentiles,
}

/// How long the runs of one task name waited and took, as counts in [`BUCKET_BOUNDS`].
#[derive(Debug, Clone, PartialEq)]
pub struct NameHistograms {
    /// The name.
    pub name: Arc<str>,
    /// From being ready to being started.
    pub wait: Buckets,
    /// From being started to the end.
    pub run: Buckets,
}

/// The upper bounds of [`Buckets`]; what took longer than the last is in one more.
pub const BUCKET_BOUNDS: [Duration; 14] = [
    Duration::from_micros(10),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(300),
];

/// How many took how long.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Buckets {
    /// How many are within each of [`BUCKET_BOUNDS`] and above the one before, and how many are above all.
    pub within: Vec<u64>,
    /// The sum of all of them, to a hundredth.
    pub seconds: f64,
}

impl Buckets {
    /// Of a histogram in microseconds.
    pub(super) fn of(histogram: &Histogram<u64>) -> Self {
        let micros = |bound: &Duration| u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        let mut from = 0;
        let mut within: Vec<u64> = Vec::with_capacity(BUCKET_BOUNDS.len() + 1);
        for bound in BUCKET_BOUNDS.iter().map(micros) {
            within.push(histogram.count_between(from, bound));
            // What one bucket holds cannot be told apart, so the next begins behind it.
            from = histogram.highest_equivalent(bound) + 1;
        }
        let counted: u64 = within.iter().sum();
        within.push(histogram.len().saturating_sub(counted));
        Self {
            within,
            seconds: histogram.mean() * histogram.len() as f64 / 1e6,
        }
    }
}

/// How an engine keeps what it was given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StorageStats {
    /// The word for it: `power`, `process` or `memory`.
    pub durability: Cow<'static, str>,
    /// Bytes that tasks and results take.
    pub bytes: u64,
    /// From which size on the oldest finished tasks are forgotten, in bytes.
    pub limit: u64,
    /// How long a commit took.
    pub commits: Percentiles,
}

/// What half, nearly all and all but the slowest stayed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many were measured.
    pub count: u64,
    /// The median.
    pub p50: Duration,
    /// 95 of 100.
    pub p95: Duration,
    /// 99 of 100.
    pub p99: Duration,
    /// The slowest.
    pub max: Duration,
}

impl Percentiles {
    /// Of a histogram in microseconds.
    #[must_use]
    pub(super) fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |quantile| Duration::from_micros(histogram.value_at_quantile(quantile));
        Self {
            count: histogram.len(),
            p50: at(0.50),
            p95: at(0.95),
            p99: at(0.99),
            max: Duration::from_micros(histogram.max()),
        }
    }
}

/// What came of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ShutdownReport {
    /// Tasks that were running and did not end in time.
    pub abandoned: usize,
    /// Tasks that had not been started.
    pub unstarted: usize,
    /// Whether they are on disk and go on with the next start.
    pub kept: bool,
}

/// Something that happened, for showing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Tasks were submitted, with consecutive ids.
    Submitted {
        /// The first of them.
        first: TaskId,
        /// How many.
        count: usize,
    },
    /// A worker took a task.
    Started {
        /// Which task.
        id: TaskId,
        /// Which worker.
        worker: WorkerId,
    },
    /// A task ended or will be tried again.
    Finished {
        /// Which task.
        id: TaskId,
        /// What it is now.
        state: State,
        /// Who ran it, if anybody did.
        worker: Option<WorkerId>,
        /// How long it ran.
        ran: Duration,
    },
    /// A finished task was put into the queue again.
    Requeued {
        /// Which task.
        id: TaskId,
    },
    /// A submit met a living task with the same unique key, and was given its id.
    Duplicate {
        /// The living task.
        id: TaskId,
    },
    /// Finished tasks were purged.
    Purged {
        /// How many.
        count: usize,
    },
    /// It was paused or resumed.
    Paused(bool),
    /// A queue was paused or resumed; [`Stats`] tells which are paused.
    QueuePaused(bool),
    /// A task did not stop when it had to; its worker is given up and replaced.
    Stuck {
        /// Which task.
        id: TaskId,
        /// Who ran it.
        worker: WorkerId,
    },
    /// Changes can be saved again, or no longer; [`Stats`] tells why.
    Persistence(bool),
    /// A worker started or ended.
    Worker {
        /// Which.
        id: WorkerId,
        /// Whether it started.
        started: bool,
    },
}

/// Events in batches, as they come.
#[derive(Debug)]
pub struct Subscription {
    batches: async_channel::Receiver<EventBatch>,
    /// Ends what brings them here, when nobody wants them any more.
    _end: Option<DropGuard>,
}

/// Events that happened together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EventBatch {
    /// When.
    pub at: Timestamp,
    /// What, in order.
    pub events: Vec<Event>,
    /// How many events before these were left out because the subscriber was too slow.
    pub dropped: u64,
}

impl Subscription {
    /// Batches that are put in at the other end for as long as it has a receiver.
    pub(super) const fn new(batches: async_channel::Receiver<EventBatch>) -> Self {
        Self {
            batches,
            _end: None,
        }
    }

    /// The same, with something that is told when the subscription is dropped.
    pub(super) const fn ending(
        batches: async_channel::Receiver<EventBatch>,
        end: DropGuard,
    ) -> Self {
        Self {
            batches,
            _end: Some(end),
        }
    }

    /// The next batch; `None` when the broker has stopped.
    pub async fn next(&self) -> Option<EventBatch> {
        self.batches.recv().await.ok()
    }

    /// The next batch, if it is there already.
    #[must_use]
    pub fn try_next(&self) -> Option<EventBatch> {
        self.batches.try_recv().ok()
    }
}

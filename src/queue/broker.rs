//! What every engine can do. Screens, programs and tests see only this.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;

use super::{
    query::{Filter, Page, Query},
    registry::Unfit,
    task::{Illegal, NewTask, State, Task, TaskId, Timestamp, WorkerId},
    worker::WorkerStatus,
};

/// Takes tasks, has them run by workers and keeps what came of them.
///
/// Every answer is the broker's own; [`Broker::subscribe`] is for showing, may leave out what came too
/// fast, and is never needed to know how a task ended.
pub trait Broker: Send + Sync {
    /// Which engine this is, for people.
    fn engine(&self) -> &str;

    /// Takes tasks, all or none of them, and answers with their ids in the same order.
    fn submit(&self, tasks: Vec<NewTask>) -> Reply<'_, Vec<TaskId>>;

    /// One task.
    fn get(&self, id: TaskId) -> Reply<'_, Option<Task>>;

    /// A page of tasks.
    fn list(&self, query: Query) -> Reply<'_, Page>;

    /// Cancels a task: one that waits at once; one that runs is asked to stop and stays `running`,
    /// marked *cancelling*, until it does.
    fn cancel(&self, id: TaskId) -> Reply<'_, State>;

    /// Runs a task that failed, was cancelled or expired again, with its original arguments and all
    /// its attempts.
    fn retry(&self, id: TaskId) -> Reply<'_, State>;

    /// Hands out no further task until [`Broker::resume`]; what runs goes on.
    fn pause(&self) -> Reply<'_, ()>;

    /// Hands out tasks again.
    fn resume(&self) -> Reply<'_, ()>;

    /// Forgets finished tasks that match, and answers how many. Unfinished ones are never purged.
    fn purge(&self, filter: Filter) -> Reply<'_, usize>;

    /// Counts, rates and percentiles.
    fn stats(&self) -> Reply<'_, Stats>;

    /// Every worker.
    fn workers(&self) -> Reply<'_, Vec<WorkerStatus>>;

    /// Asks for this many workers. More start at once; fewer end when they have finished what they
    /// run. Answers the number that was accepted, which has limits.
    fn scale(&self, workers: usize) -> Reply<'_, usize>;

    /// What happens from now on, for showing.
    fn subscribe(&self) -> Subscription;

    /// Stops: hands out nothing more, waits at most `grace` for running tasks, cancels the rest.
    /// Everything after it is [`BrokerError::Closed`].
    fn shutdown(&self, grace: Duration) -> Reply<'_, Drained>;
}

/// An answer on its way.
pub type Reply<'a, T> = BoxFuture<'a, Result<T, BrokerError>>;

/// Why a broker did not do what was asked; nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    Unfit(#[from] Unfit),
    /// There is no task with this id, or no longer.
    #[error("there is no task {0}; it may have been purged")]
    NotFound(TaskId),
    /// The task's state does not allow it.
    #[error("{id}: {why}")]
    Illegal {
        /// Which task.
        id: TaskId,
        /// Its state and what was asked.
        why: Illegal,
    },
    /// The broker has stopped.
    #[error("the broker has stopped")]
    Closed,
}

/// A broker in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Stats {
    /// Tasks by state, in the order of [`State::ALL`].
    pub counts: [usize; 8],
    /// Whether it is paused.
    pub paused: bool,
    /// Tasks ever submitted.
    pub submitted: u64,
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

    /// Tasks of every state.
    #[must_use]
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }
}

/// What half, nearly all and all but the slowest stayed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
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

/// What came of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drained {
    /// Tasks that were running and did not end in time.
    pub abandoned: usize,
    /// Tasks that had not been started.
    pub unstarted: usize,
}

/// Something that happened, for showing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    Ended {
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
    /// Finished tasks were purged.
    Purged {
        /// How many.
        count: usize,
    },
    /// It was paused or resumed.
    Paused(bool),
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
    pub(super) batches: async_channel::Receiver<Batch>,
}

/// Events that happened together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// When.
    pub at: Timestamp,
    /// What, in order.
    pub events: Vec<Event>,
    /// How many events before these were left out because the subscriber was too slow.
    pub dropped: u64,
}

impl Subscription {
    /// The next batch; `None` when the broker has stopped.
    pub async fn next(&self) -> Option<Batch> {
        self.batches.recv().await.ok()
    }

    /// The next batch, if it is there already.
    #[must_use]
    pub fn try_next(&self) -> Option<Batch> {
        self.batches.try_recv().ok()
    }
}

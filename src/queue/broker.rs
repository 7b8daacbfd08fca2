//! The interface of every engine; screens, programs and tests see only this.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::{
    error::{BrokerError, FailureGroup},
    event::Subscription,
    id::{IdempotencyKey, TaskId},
    query::{Filter, Page, Query},
    state::{State, StateSet, Transition},
    stats::Stats,
    task::{NewTask, Receipt, Task},
    worker::WorkerStatus,
};

/// Accepts tasks, runs them on workers and stores their results.
///
/// Every reply is authoritative. [`Broker::subscribe`] is for display: it may drop events, and is
/// never needed to know how a task finished.
pub trait Broker: Send + Sync {
    /// The name of the engine, for people.
    fn engine(&self) -> &str;

    /// Submits tasks, all or none of them, and returns a receipt for each in the same order. The
    /// tasks are then stored as safely as the engine promises.
    fn submit(&self, tasks: Vec<NewTask>) -> BrokerFuture<'_, Vec<Receipt>>;

    /// Like [`Broker::submit`], at most once per key: a repeated submit returns the receipts of the
    /// first. A key is remembered for at least [`IDEMPOTENCY_WINDOW`], and across restarts where
    /// tasks are.
    fn submit_idempotent(
        &self,
        key: IdempotencyKey,
        tasks: Vec<NewTask>,
    ) -> BrokerFuture<'_, Vec<Receipt>>;

    /// Returns one task with its attempts history.
    fn get(&self, id: TaskId) -> BrokerFuture<'_, Option<Task>>;

    /// Returns a page of tasks.
    fn list(&self, query: Query) -> BrokerFuture<'_, Page>;

    /// Returns the exact number of matching tasks.
    fn count(&self, filter: Filter) -> BrokerFuture<'_, usize>;

    /// Returns failed tasks by name and error, the largest group first; at most
    /// [`MAX_FAILURE_GROUPS`](super::error::MAX_FAILURE_GROUPS) groups of the newest
    /// [`MAX_FAILURES`](super::error::MAX_FAILURES) failures.
    fn dead_letters(&self) -> BrokerFuture<'_, Vec<FailureGroup>>;

    /// Cancels a task: a pending task at once. A running task is asked to stop and stays `running`,
    /// marked as *cancelling*, until it has stopped.
    fn cancel(&self, id: TaskId) -> BrokerFuture<'_, State>;

    /// Undoes the cancellation of a task that had not been started: it waits again as before, with
    /// the attempts that it had left.
    fn undo_cancel(&self, id: TaskId) -> BrokerFuture<'_, State>;

    /// Runs a failed, cancelled or expired task again, with its original arguments and all its
    /// attempts.
    fn retry(&self, id: TaskId) -> BrokerFuture<'_, State>;

    /// Applies an action to every matching task in small steps that block nothing else, and returns
    /// when all are done.
    fn bulk(&self, action: BulkAction, filter: Filter) -> BrokerFuture<'_, BulkOutcome>;

    /// Stops dispatching tasks of one queue, or of all, until [`Broker::resume`]; running tasks go on.
    fn pause(&self, queue: Option<&str>) -> BrokerFuture<'_, ()>;

    /// Resumes dispatching.
    fn resume(&self, queue: Option<&str>) -> BrokerFuture<'_, ()>;

    /// Returns counts, rates and percentiles.
    fn stats(&self) -> BrokerFuture<'_, Stats>;

    /// Returns every worker.
    fn workers(&self) -> BrokerFuture<'_, Vec<WorkerStatus>>;

    /// Requests a number of workers and returns the number that was accepted, which has limits. New
    /// workers start at once; surplus workers end after their current task.
    fn scale(&self, workers: usize) -> BrokerFuture<'_, usize>;

    /// Subscribes to future events, for display.
    fn subscribe(&self) -> Subscription;

    /// Stops the broker: dispatches nothing more, waits at most `grace` for running tasks and returns
    /// the rest to the queue. Every later call fails with [`BrokerError::Closed`].
    fn shutdown(&self, grace: Duration) -> BrokerFuture<'_, ShutdownReport>;
}

/// The minimum time for which an idempotency key is remembered.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(60 * 60);

/// A pending reply of a broker.
pub type BrokerFuture<'a, T> = BoxFuture<'a, Result<T, BrokerError>>;

/// An action on many tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BulkAction {
    /// Cancel unfinished tasks.
    Cancel,
    /// Retry failed, cancelled and expired tasks.
    Retry,
    /// Remove finished tasks.
    Purge,
}

impl BulkAction {
    /// The states of the tasks to which it applies.
    #[must_use]
    pub fn applies_to(self) -> StateSet {
        let applies = |state: &State| match self {
            Self::Cancel => !state.is_finished(),
            Self::Retry => state.apply(Transition::Retry).is_ok(),
            Self::Purge => state.is_finished(),
        };
        State::ALL.into_iter().filter(applies).collect()
    }
}

/// The outcome of a [`Broker::bulk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BulkOutcome {
    /// The number of changed tasks.
    pub done: usize,
    /// The number of matching tasks that had changed in the meantime, or for which there was no room.
    pub skipped: usize,
}

/// The outcome of a [`Broker::shutdown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ShutdownReport {
    /// The number of running tasks that did not end in time.
    pub abandoned: usize,
    /// The number of unfinished tasks that had not been started.
    pub unstarted: usize,
    /// True if unfinished tasks are stored and continue with the next start.
    pub persisted: bool,
}

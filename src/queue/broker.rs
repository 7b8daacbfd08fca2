//! The interface of every engine; screens, programs and tests see only this.

use std::time::Duration;

use futures_util::{
    FutureExt,
    future::{BoxFuture, ready},
};
use serde::{Deserialize, Serialize};

use super::{
    capabilities::{Capabilities, Operation},
    error::{BrokerError, FailureGroup},
    event::Subscription,
    id::{IdempotencyKey, TaskId},
    query::{Filter, Page, Query},
    state::{State, StateSet, Transition},
    stats::{Count, NameHistograms, QueueStatus, Stats},
    submitter::Submitter,
    task::{NewTask, Receipt, Task},
    worker::WorkerStatus,
};
use crate::text::fmt_count;

/// An engine: its name and the operations that it supports.
pub trait Engine: Send + Sync {
    /// The name of the engine, for people.
    fn engine(&self) -> &str;

    /// The operations that the engine supports.
    fn capabilities(&self) -> Capabilities;

    /// Returns the error of an operation that the engine does not implement.
    fn unsupported(&self, operation: Operation) -> BrokerError {
        BrokerError::Unsupported { operation }
    }
}

/// Accepts tasks.
pub trait Submit: Engine {
    /// Submits tasks, all or none of them, and returns a receipt for each in the same order. The
    /// tasks are then stored as safely as the engine promises.
    fn submit(&self, _tasks: Vec<NewTask>) -> BrokerFuture<'_, Vec<Receipt>> {
        unsupported(self, Operation::Submit)
    }

    /// Like [`Submit::submit`], at most once per key: a repeated submit returns the receipts of the
    /// first. A key is remembered for at least [`IDEMPOTENCY_WINDOW`], and across restarts where
    /// tasks are.
    fn submit_idempotent(
        &self,
        _key: IdempotencyKey,
        _tasks: Vec<NewTask>,
    ) -> BrokerFuture<'_, Vec<Receipt>> {
        unsupported(self, Operation::SubmitIdempotent)
    }

    /// Submits tasks for a submitter, with a key or without: its quotas are checked, and its keys are
    /// its own. An engine that does not know submitters treats all of them alike.
    fn submit_for(
        &self,
        _submitter: Submitter,
        key: Option<IdempotencyKey>,
        tasks: Vec<NewTask>,
    ) -> BrokerFuture<'_, Vec<Receipt>> {
        match key {
            Some(key) => self.submit_idempotent(key, tasks),
            None => self.submit(tasks),
        }
    }
}

/// Reports tasks, workers, queues and statistics.
pub trait Inspect: Engine {
    /// Returns one task with its attempts history.
    fn get(&self, _id: &TaskId) -> BrokerFuture<'_, Option<Task>> {
        unsupported(self, Operation::Get)
    }

    /// Returns a page of tasks.
    fn list(&self, _query: Query) -> BrokerFuture<'_, Page> {
        unsupported(self, Operation::List)
    }

    /// Returns the number of matching tasks. It is exact for a filter of states only; a scan of very many
    /// tasks returns a lower bound, and counts each task as it is when the scan comes to it.
    fn count(&self, _filter: Filter) -> BrokerFuture<'_, Count> {
        unsupported(self, Operation::Count)
    }

    /// Returns failed tasks by name and error, the largest group first; at most
    /// [`MAX_FAILURE_GROUPS`](super::error::MAX_FAILURE_GROUPS) groups of the newest
    /// [`MAX_FAILURES`](super::error::MAX_FAILURES) failures.
    fn dead_letters(&self) -> BrokerFuture<'_, Vec<FailureGroup>> {
        unsupported(self, Operation::DeadLetters)
    }

    /// Returns counts, rates and percentiles.
    fn stats(&self) -> BrokerFuture<'_, Stats> {
        unsupported(self, Operation::Stats)
    }

    /// Returns every worker.
    fn workers(&self) -> BrokerFuture<'_, Vec<WorkerStatus>> {
        unsupported(self, Operation::Workers)
    }

    /// Returns every queue.
    fn queues(&self) -> BrokerFuture<'_, Vec<QueueStatus>> {
        unsupported(self, Operation::Queues)
    }

    /// Returns the latencies of each task name since the start.
    fn histograms(&self) -> BrokerFuture<'_, Vec<NameHistograms>> {
        unsupported(self, Operation::Histograms)
    }

    /// Subscribes to future events, for display: a slow subscriber loses some. The subscription of an
    /// engine without events stays open and empty.
    fn subscribe(&self) -> Subscription;
}

/// Changes tasks, queues and workers.
pub trait Control: Engine {
    /// Cancels a task: a pending task at once. A running task is asked to stop and stays `running`,
    /// marked as *cancelling*, until it has stopped.
    fn cancel(&self, _id: &TaskId) -> BrokerFuture<'_, CancelOutcome> {
        unsupported(self, Operation::Cancel)
    }

    /// Undoes the cancellation of a task that had not been started: it waits again as before, with
    /// the attempts that it had left.
    fn undo_cancel(&self, _id: &TaskId) -> BrokerFuture<'_, State> {
        unsupported(self, Operation::UndoCancel)
    }

    /// Runs a failed, cancelled or expired task again, with its original arguments and all its
    /// attempts. An engine may submit it as a new task; it needs the whole payload for that.
    fn retry(&self, _id: &TaskId) -> BrokerFuture<'_, RetryOutcome> {
        unsupported(self, Operation::Retry)
    }

    /// Applies an action to every matching task in small steps that block nothing else, and returns
    /// when all are done. It ends between two steps when nobody waits for it any more, or the engine
    /// stops; what was done stays, and [`BrokerError::PartialBulk`] says how much it is.
    fn bulk(&self, _action: BulkAction, _filter: Filter) -> BrokerFuture<'_, BulkOutcome> {
        unsupported(self, Operation::Bulk)
    }

    /// Stops dispatching tasks of one queue, or of all, until [`Control::resume`]; running tasks go on.
    fn pause(&self, _queue: Option<&str>) -> BrokerFuture<'_, ()> {
        unsupported(self, Operation::Pause)
    }

    /// Resumes dispatching.
    fn resume(&self, _queue: Option<&str>) -> BrokerFuture<'_, ()> {
        unsupported(self, Operation::Pause)
    }

    /// Requests a number of workers and returns the number that was accepted, which has limits. New
    /// workers start at once; surplus workers end after their current task.
    fn scale(&self, _workers: usize) -> BrokerFuture<'_, usize> {
        unsupported(self, Operation::Scale)
    }
}

/// Accepts tasks, runs them on workers and stores their results.
///
/// Every reply is authoritative. [`Inspect::subscribe`] is for display and is never needed to know
/// how a task finished.
pub trait Broker: Submit + Inspect + Control {
    /// Stops the broker: dispatches nothing more, waits at most `grace` for running tasks and returns
    /// the rest to the queue. Every later call fails with [`BrokerError::Closed`]. A broker that
    /// belongs to another process goes on.
    fn shutdown(&self, _grace: Duration) -> BrokerFuture<'_, ShutdownReport> {
        ready(Ok(ShutdownReport::default())).boxed()
    }
}

fn unsupported<T: Send + 'static>(
    engine: &(impl Engine + ?Sized),
    operation: Operation,
) -> BrokerFuture<'static, T> {
    ready(Err(engine.unsupported(operation))).boxed()
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

/// The outcome of a [`Control::bulk`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BulkOutcome {
    /// The number of changed tasks.
    pub done: usize,
    /// The number of matching tasks that were not changed.
    pub skipped: usize,
    /// The reasons why the first [`MAX_REASONS`] of them were not.
    pub reasons: Vec<BrokerError>,
}

/// The most reasons in a [`BulkOutcome`].
pub const MAX_REASONS: usize = 5;

impl BulkOutcome {
    /// Counts a task that was not changed, and keeps the reason if there is room.
    pub fn skip(&mut self, reason: BrokerError) {
        self.skipped += 1;
        if self.reasons.len() < MAX_REASONS {
            self.reasons.push(reason);
        }
    }

    /// Adds the outcome of further tasks.
    pub fn add(&mut self, further: Self) {
        self.done += further.done;
        self.skipped += further.skipped;
        self.reasons.extend(further.reasons);
        self.reasons.truncate(MAX_REASONS);
    }

    /// Describes the tasks that were skipped, to follow those that were changed: `, 2 skipped: …`; empty
    /// when there are none.
    #[must_use]
    pub fn skipped_text(&self) -> String {
        if self.skipped == 0 {
            return String::new();
        }
        let reasons: Vec<String> = self.reasons.iter().map(ToString::to_string).collect();
        let reasons = match (reasons.join("; "), self.skipped > self.reasons.len()) {
            (none, _) if none.is_empty() => none,
            (some, true) => format!(": {some}; …"),
            (all, false) => format!(": {all}"),
        };
        format!(", {} skipped{reasons}", fmt_count(self.skipped))
    }
}

/// The outcome of a [`Control::cancel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CancelOutcome {
    /// The task is cancelled.
    Cancelled,
    /// The task, or its worker, has been asked to stop.
    Requested,
}

/// The outcome of a [`Control::retry`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryOutcome {
    /// The id of the task that runs: the same, or a new one.
    pub id: TaskId,
    /// Its state.
    pub state: State,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_tasks_come_with_the_first_reasons() {
        let mut outcome = BulkOutcome::default();
        assert_eq!(outcome.skipped_text(), "");
        outcome.skip(BrokerError::IncompletePayload(TaskId::Sequence(4)));
        let one =
            ", 1 skipped: #4 cannot run again: only a shortened text of its arguments is known";
        assert_eq!(outcome.skipped_text(), one);
        for _ in 0..2 * MAX_REASONS {
            outcome.skip(BrokerError::Busy);
        }
        assert_eq!(outcome.reasons.len(), MAX_REASONS);
        let text = outcome.skipped_text();
        assert!(
            text.starts_with(", 11 skipped: #4 ") && text.ends_with("; …"),
            "{text}"
        );
        let mut sum = outcome.clone();
        sum.add(outcome);
        assert_eq!((sum.skipped, sum.reasons.len()), (22, MAX_REASONS));
    }
}

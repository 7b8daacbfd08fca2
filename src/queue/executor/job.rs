//! The jobs of an engine, and the reports of the workers that run them.

use std::{sync::Arc, time::Duration};

use crate::queue::{
    clock::Timestamp,
    id::{TaskId, WorkerNumber},
    registry::TaskFunction,
    task::TaskFailure,
};

/// A task on its way to a worker.
#[derive(Debug)]
pub(in crate::queue) struct Job {
    pub(in crate::queue) id: TaskId,
    /// The number of this run among all runs of all tasks; a report about another run is stale.
    pub(in crate::queue) run: u64,
    pub(in crate::queue) attempt: u8,
    pub(in crate::queue) function: Arc<TaskFunction>,
    pub(in crate::queue) args: Arc<str>,
    /// The time after which it must not start.
    pub(in crate::queue) expires_at: Option<Timestamp>,
}

impl Job {
    pub(in crate::queue) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// The outcome of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::queue) enum RunOutcome {
    Succeeded(Box<str>),
    Failed {
        error: TaskFailure,
        /// Another attempt may succeed.
        retryable: bool,
    },
    Cancelled,
    /// Its hard time limit was over.
    TimedOut,
}

/// A message from a worker. In a steady stream there is one per task: the end of one run and the
/// start of the next.
#[derive(Debug)]
pub(in crate::queue) struct WorkerReport {
    pub(in crate::queue) worker: WorkerNumber,
    pub(in crate::queue) ended: Option<RunEnded>,
    pub(in crate::queue) started: Option<RunStarted>,
    /// A task that the worker has received after it had expired, and did not start.
    pub(in crate::queue) expired: Option<JobExpired>,
    /// It is the worker's last report.
    pub(in crate::queue) stopped: bool,
}

/// The start of a run.
#[derive(Debug, Clone)]
pub(in crate::queue) struct RunStarted {
    pub(in crate::queue) id: TaskId,
    pub(in crate::queue) run: u64,
    pub(in crate::queue) at: Timestamp,
}

/// A job that was too late.
#[derive(Debug, Clone)]
pub(in crate::queue) struct JobExpired {
    pub(in crate::queue) id: TaskId,
    pub(in crate::queue) run: u64,
    pub(in crate::queue) at: Timestamp,
}

/// The end of a run.
#[derive(Debug)]
pub(in crate::queue) struct RunEnded {
    pub(in crate::queue) id: TaskId,
    pub(in crate::queue) run: u64,
    pub(in crate::queue) at: Timestamp,
    pub(in crate::queue) run_time: Duration,
    pub(in crate::queue) outcome: RunOutcome,
}

//! Errors of a broker, and groups of failed tasks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    capabilities::{Operation, UnsupportedOption},
    clock::Timestamp,
    id::TaskId,
    limits::LimitExceeded,
    registry::InvalidTask,
    state::InvalidTransition,
    task::TaskFailure,
};
use crate::cause::Cause;

/// An error of a broker. Except for [`BrokerError::PersistPending`], [`BrokerError::PartialSubmit`] and
/// [`BrokerError::PartialBulk`], nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BrokerError {
    /// The backlog is full.
    #[error("the backlog is full: {backlog} unfinished tasks, limit {limit}; try again later")]
    Overloaded {
        /// The number of unfinished tasks.
        backlog: usize,
        /// The maximum number of unfinished tasks.
        limit: usize,
    },
    /// A quota of the member is used up.
    #[error(
        "your quota of {} is used up: {used} of {limit}; submit again when some tasks have finished",
        quota.description()
    )]
    OverQuota {
        /// The quota.
        quota: TaskQuota,
        /// The part that is used.
        used: u64,
        /// The whole.
        limit: u64,
    },
    /// The task name is not registered, or the arguments or options are invalid.
    #[error(transparent)]
    InvalidTask(#[from] InvalidTask),
    /// The engine does not honour an option of the task.
    #[error(transparent)]
    UnsupportedOption(#[from] UnsupportedOption),
    /// A part of the request is over its limit.
    #[error(transparent)]
    LimitExceeded(#[from] LimitExceeded),
    /// There is no task with this id, or it has been purged.
    #[error("there is no task {0}; it may have been purged")]
    NotFound(TaskId),
    /// The state of the task does not allow the operation.
    #[error("{id} {source}")]
    InvalidTransition {
        /// The task.
        id: TaskId,
        /// Its state and the requested transition.
        source: InvalidTransition,
    },
    /// It cannot run again while another unfinished task has its unique key.
    #[error("{id} cannot run again: {holder} has its unique key")]
    DuplicateKey {
        /// The task.
        id: TaskId,
        /// The unfinished task with the same name and key.
        holder: TaskId,
    },
    /// It cannot run again, because only a representation of its arguments is known.
    #[error("{0} cannot run again: only a shortened text of its arguments is known")]
    IncompletePayload(TaskId),
    /// The change could not be persisted and was not made.
    #[error("not accepted, because it cannot be saved: {0}")]
    NotPersisted(#[source] Cause),
    /// The change was made and is not persisted yet; the broker keeps trying.
    #[error("done, but not saved yet: {0}")]
    PersistPending(#[source] Cause),
    /// The storage cannot be read.
    #[error("the task file cannot be read: {0}")]
    Storage(#[source] Cause),
    /// Too many requests are pending.
    #[error("too many requests at once; try again")]
    Busy,
    /// A large submit was sent in parts, and only the first were accepted.
    #[error("only the first {accepted} tasks were accepted: {source}")]
    PartialSubmit {
        /// The number of accepted tasks.
        accepted: usize,
        /// The error of the first part that was not accepted.
        source: Box<Self>,
    },
    /// A bulk action ended before it was applied to every matching task.
    #[error("it ended after {done} tasks: {source}")]
    PartialBulk {
        /// The number of changed tasks; those stay changed.
        done: usize,
        /// The reason.
        source: Box<Self>,
    },
    /// The role of the caller does not allow the operation.
    #[error("{0}")]
    Denied(String),
    /// The broker cannot be reached. It may have carried out the operation.
    #[error("{0}")]
    Unreachable(#[source] Cause),
    /// The engine does not support the operation.
    #[error("this broker cannot {}", operation.description())]
    Unsupported {
        /// The operation.
        operation: Operation,
    },
    /// The broker has stopped.
    #[error("the broker has stopped")]
    Closed,
}

/// An error that prevents an engine from starting.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A thread could not be started.
    #[error("cannot start the broker: {0}")]
    Threads(#[from] std::io::Error),
    /// The storage cannot be used.
    #[error("cannot start the broker: {0}")]
    Store(#[source] Cause),
}

/// A quota of the unfinished tasks of each member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskQuota {
    /// Their number: the setting `member-tasks`.
    Tasks,
    /// Their size: the setting `member-bytes`.
    Bytes,
}

impl TaskQuota {
    /// The quota and the setting of the node that changes it.
    const fn description(self) -> &'static str {
        match self {
            Self::Tasks => "unfinished tasks (`member-tasks`)",
            Self::Bytes => "bytes of unfinished tasks (`member-bytes`)",
        }
    }
}

/// The maximum number of groups that [`Inspect::dead_letters`](super::broker::Inspect::dead_letters)
/// returns.
pub const MAX_FAILURE_GROUPS: usize = 200;
/// The number of failures, newest first, from which the groups are built.
pub const MAX_FAILURES: usize = 100_000;

/// Failed tasks with the same name and error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureGroup {
    /// The task name.
    pub name: Arc<str>,
    /// The error of the last attempt: its kind and the first line of its message.
    pub error: TaskFailure,
    /// The number of tasks.
    pub count: usize,
    /// The newest task.
    pub newest: TaskId,
    /// The time of the last failure.
    pub last: Timestamp,
}

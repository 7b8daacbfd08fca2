//! The methods of a broker, declared once for its object and its client.

use serde::{Deserialize, Serialize};

use super::event_log::{EventCursor, EventPage};
use crate::{
    net::{
        rpc::service::{Method, NoArgs, StreamMethod},
        trust::role::Role,
    },
    queue::{
        broker::{BulkAction, BulkOutcome, CancelOutcome, RetryOutcome},
        capabilities::Capabilities,
        error::FailureGroup,
        id::{IdempotencyKey, TaskId},
        query::{Filter, Page, Query},
        state::State,
        stats::{Count, NameHistograms, QueueStatus, Stats},
        storage::Recovery,
        task::{NewTask, Receipt, Task},
        worker::WorkerStatus,
    },
};

/// The engine of a broker and the outcome of its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BrokerInfo {
    pub(super) engine: String,
    pub(super) capabilities: Capabilities,
    pub(super) recovery: Recovery,
}

pub(super) const ABOUT: Method<NoArgs, BrokerInfo> = Method::new(
    "about() -> map",
    "Returns the engine, and what it recovered at its start.",
);

pub(super) const EVENTS: StreamMethod<(Option<EventCursor>,), EventPage> = StreamMethod::new(
    "events(from: map?) -> stream",
    "Returns events after a cursor, or from now on; each page has the next cursor.",
);

pub(super) const GET: Method<(TaskId,), Option<Task>> = Method::new(
    "get(id: int|str) -> map",
    "Returns one task with its attempts; null when there is none.",
);

pub(super) const LIST: Method<(Option<Query>,), Page> = Method::new(
    "list(query: map?) -> map",
    "Returns a page of tasks. Query: filter, order, from, limit.",
);

pub(super) const COUNT: Method<(Option<Filter>,), Count> = Method::new(
    "count(filter: map?) -> map",
    "Returns the number of matching tasks: exact, or a lower bound.",
);

pub(super) const DEAD_LETTERS: Method<NoArgs, Vec<FailureGroup>> = Method::new(
    "dead_letters() -> list",
    "Returns failed tasks grouped by error, the most frequent first.",
);

pub(super) const STATS: Method<NoArgs, Stats> =
    Method::new("stats() -> map", "Returns counts, rates and percentiles.");

pub(super) const WORKERS: Method<NoArgs, Vec<WorkerStatus>> = Method::new(
    "workers() -> list",
    "Returns every worker with the task that it runs.",
);

pub(super) const QUEUES: Method<NoArgs, Vec<QueueStatus>> = Method::new(
    "queues() -> list",
    "Returns every queue with its depth and consumers.",
);

pub(super) const HISTOGRAMS: Method<NoArgs, Vec<NameHistograms>> = Method::new(
    "histograms() -> list",
    "Returns the latencies of each task name since the start.",
);

pub(super) const SUBMIT: Method<(Vec<NewTask>, Option<IdempotencyKey>), Vec<Receipt>> =
    Method::new(
        "submit(tasks: list, key: int?) -> list",
        "Accepts tasks, all or none. Submits with the same idempotency key are accepted once.",
    )
    .requires(Role::Member);

pub(super) const CANCEL: Method<(TaskId,), CancelOutcome> = Method::new(
    "cancel(id: int|str) -> str",
    "Cancels a task; returns cancelled, or requested for a running task.",
)
.requires(Role::Member);

pub(super) const UNDO_CANCEL: Method<(TaskId,), State> = Method::new(
    "undo_cancel(id: int|str) -> str",
    "Undoes the cancellation of a task that had not been started; returns its state.",
)
.requires(Role::Member);

pub(super) const RETRY: Method<(TaskId,), RetryOutcome> = Method::new(
    "retry(id: int|str) -> map",
    "Retries a task that failed, was cancelled or expired; returns its id and state.",
)
.requires(Role::Member);

pub(super) const BULK: Method<(BulkAction, Filter), BulkOutcome> = Method::new(
    "bulk(action: str, filter: map) -> map",
    "Applies an action to every matching task: cancel, retry or purge.",
)
.requires(Role::Member);

pub(super) const PAUSE: Method<(Option<String>,), ()> = Method::new(
    "pause(queue: str?) -> null",
    "Stops the dispatch of tasks of a queue, or of every queue.",
)
.requires(Role::Member);

pub(super) const RESUME: Method<(Option<String>,), ()> = Method::new(
    "resume(queue: str?) -> null",
    "Resumes the dispatch of tasks.",
)
.requires(Role::Member);

pub(super) const SCALE: Method<(usize,), usize> = Method::new(
    "scale(workers: int) -> int",
    "Requests a number of workers; returns the number that there will be.",
)
.requires(Role::Member);

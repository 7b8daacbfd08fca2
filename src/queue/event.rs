//! Events of a broker: notifications for display, delivered in batches.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio_util::sync::DropGuard;

use super::{
    clock::Timestamp,
    id::{TaskId, WorkerId},
    state::State,
};

/// A change in a broker, for display.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A task was submitted.
    Submitted {
        /// The task.
        id: TaskId,
        /// The task name.
        name: Arc<str>,
    },
    /// A worker started a task.
    Started {
        /// The task.
        id: TaskId,
        /// The task name.
        name: Arc<str>,
        /// The worker.
        worker: WorkerId,
    },
    /// A run ended: the task finished or will be retried.
    Finished {
        /// The task.
        id: TaskId,
        /// The task name.
        name: Arc<str>,
        /// Its state after the run.
        state: State,
        /// The worker that ran it, if it was started.
        worker: Option<WorkerId>,
        /// The duration of the run.
        run_time: Duration,
    },
    /// A finished task was requeued.
    Requeued {
        /// The task.
        id: TaskId,
    },
    /// A submit was deduplicated by a unique key.
    Duplicate {
        /// The unfinished task that has the key.
        id: TaskId,
    },
    /// Finished tasks were purged.
    Purged {
        /// The number of tasks.
        count: usize,
    },
    /// All queues were paused or resumed.
    Paused(bool),
    /// A queue was paused or resumed; [`Stats`](super::stats::Stats) lists the paused queues.
    QueuePaused(bool),
    /// A task did not stop in time; its worker is abandoned and replaced.
    Stuck {
        /// The task.
        id: TaskId,
        /// The abandoned worker.
        worker: WorkerId,
    },
    /// Changes can be persisted again (`true`) or no longer (`false`);
    /// [`Stats`](super::stats::Stats) carries the reason.
    Persistence(bool),
    /// A worker started or ended.
    Worker {
        /// The worker.
        id: WorkerId,
        /// True if it started.
        started: bool,
    },
}

/// A stream of event batches.
#[derive(Debug)]
pub struct Subscription {
    batches: async_channel::Receiver<EventBatch>,
    end: SubscriptionEnd,
    /// Stops the sender when the subscription is dropped.
    _end: Option<DropGuard>,
}

/// The reason for which a subscription ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionEnd {
    /// The broker has stopped.
    Stopped,
    /// The broker was too busy to accept the subscription; another one may succeed.
    Busy,
}

/// The maximum number of events in one batch.
pub const MAX_BATCH: usize = 1_024;

/// A batch of events with a common time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EventBatch {
    /// The time of the events.
    pub at: Timestamp,
    /// The events in order, at most [`MAX_BATCH`]; shared by all subscribers.
    pub events: Arc<[Event]>,
    /// The number of events that were dropped before these because the subscriber was too slow.
    pub dropped: u64,
}

impl Subscription {
    /// Returns a subscription to the batches of a channel, which ends when the channel closes.
    #[must_use]
    pub const fn new(batches: async_channel::Receiver<EventBatch>) -> Self {
        Self {
            batches,
            end: SubscriptionEnd::Stopped,
            _end: None,
        }
    }

    /// Returns a subscription that a busy broker did not accept: it ends at once.
    pub(super) fn busy() -> Self {
        let (_closed, batches) = async_channel::bounded(1);
        Self {
            batches,
            end: SubscriptionEnd::Busy,
            _end: None,
        }
    }

    /// Like [`Subscription::new`], with a guard that is dropped together with the subscription.
    pub(super) const fn with_guard(
        batches: async_channel::Receiver<EventBatch>,
        end: DropGuard,
    ) -> Self {
        Self {
            batches,
            end: SubscriptionEnd::Stopped,
            _end: Some(end),
        }
    }

    /// The reason for which [`Subscription::next`] returns, or will return, `None`.
    #[must_use]
    pub const fn end(&self) -> SubscriptionEnd {
        self.end
    }

    /// Returns the next batch; `None` after the [end](Subscription::end).
    pub async fn next(&self) -> Option<EventBatch> {
        self.batches.recv().await.ok()
    }

    /// Returns the next batch without waiting, if there is one.
    #[must_use]
    pub fn try_next(&self) -> Option<EventBatch> {
        self.batches.try_recv().ok()
    }
}

//! The status of a worker, for display.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    clock::Timestamp,
    id::{TaskId, WorkerId},
    task::Progress,
    timeline::{ActivityTimeline, WINDOW},
};

/// The state of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerState {
    /// It waits for a task.
    Idle,
    /// It runs a task.
    Busy,
    /// It runs its last task.
    Stopping,
    /// Its task did not stop in time: the worker is abandoned and has been replaced.
    Stuck,
}

impl WorkerState {
    /// The name in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Stopping => "stopping",
            Self::Stuck => "stuck",
        }
    }
}

/// A task that a worker runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningTask {
    /// The task.
    pub id: TaskId,
    /// The task name.
    pub name: Arc<str>,
    /// The start of the run.
    pub since: Timestamp,
    /// The progress that it reports, if any.
    pub progress: Option<Progress>,
}

/// The status of a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its id.
    pub id: WorkerId,
    /// Its state.
    pub state: WorkerState,
    /// The task that it runs.
    pub current: Option<RunningTask>,
    /// The number of tasks that succeeded on it.
    pub done: u64,
    /// The number of attempts that failed on it.
    pub failed: u64,
    /// The number of tasks that were stopped on it.
    pub cancelled: u64,
    /// When it started.
    pub started_at: Timestamp,
    /// Its activity in the last half minute.
    pub timeline: ActivityTimeline,
}

impl WorkerStatus {
    /// Returns the busy share of the last half minute, or of its lifetime if that is shorter, 0 to 1.
    #[must_use]
    pub fn busy_share(&self, now: Timestamp) -> f64 {
        let half_minute = u64::try_from(WINDOW.as_micros()).unwrap_or(u64::MAX);
        let from = Timestamp(now.0.saturating_sub(half_minute)).max(self.started_at);
        let window = now.since(from).as_secs_f64();
        let current = self.current.as_ref().map_or(0.0, |current| {
            now.since(current.since.max(from)).as_secs_f64() / window.max(f64::MIN_POSITIVE)
        });
        (self.timeline.busy_share(from, now) + current).min(1.0)
    }
}

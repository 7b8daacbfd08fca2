//! What a worker is doing, for showing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    task::{Progress, TaskId, Timestamp, WorkerId},
    timeline::{ActivityTimeline, WINDOW},
};

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerState {
    /// It waits for a task.
    Idle,
    /// It runs one.
    Busy,
    /// It runs its last one.
    Stopping,
    /// Its task did not stop when it had to. It is given up, and another has taken its place.
    Stuck,
}

impl WorkerState {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Stopping => "stopping",
            Self::Stuck => "stuck",
        }
    }
}

/// The task that a worker runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningTask {
    /// Which task.
    pub id: TaskId,
    /// What it runs.
    pub name: Arc<str>,
    /// Since when.
    pub since: Timestamp,
    /// How far it is, if it tells.
    pub progress: Option<Progress>,
}

/// A worker as its broker shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Which worker.
    pub id: WorkerId,
    /// What it is doing.
    pub state: WorkerState,
    /// What it runs.
    pub current: Option<RunningTask>,
    /// Tasks that succeeded on it.
    pub done: u64,
    /// Attempts that failed on it.
    pub failed: u64,
    /// Tasks that were stopped on it.
    pub cancelled: u64,
    /// When it started.
    pub started_at: Timestamp,
    /// The last half minute.
    pub lane: ActivityTimeline,
}

impl WorkerStatus {
    /// The share of the last half minute, or of its life if that is shorter, that it worked: 0 to 1.
    #[must_use]
    pub fn busy_share(&self, now: Timestamp) -> f64 {
        let half_minute = u64::try_from(WINDOW.as_micros()).unwrap_or(u64::MAX);
        let from = Timestamp(now.0.saturating_sub(half_minute)).max(self.started_at);
        let window = now.since(from).as_secs_f64();
        let current = self.current.as_ref().map_or(0.0, |current| {
            now.since(current.since.max(from)).as_secs_f64() / window.max(f64::MIN_POSITIVE)
        });
        (self.lane.busy_share(from, now) + current).min(1.0)
    }
}

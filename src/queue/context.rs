//! The context of a task function: its id and attempt, progress and requests to stop.

use std::sync::Arc;

use super::{
    clock::Timestamp,
    control::WorkerControl,
    id::{TaskId, WorkerNumber},
    task::Progress,
};

/// The context of one run of one task. Clones refer to the same run.
///
/// Delivery is at-least-once: after a crash a task may run again. Non-idempotent work can detect a
/// rerun by [`Context::id`], and tell runs apart by [`Context::run`].
#[derive(Debug, Clone)]
pub struct Context {
    id: TaskId,
    run: u64,
    attempt: u8,
    control: Arc<WorkerControl>,
}

impl Context {
    pub(super) const fn new(
        id: TaskId,
        run: u64,
        attempt: u8,
        control: Arc<WorkerControl>,
    ) -> Self {
        Self {
            id,
            run,
            attempt,
            control,
        }
    }

    /// Returns a context without a worker, to call a task function directly.
    #[must_use]
    pub fn detached(id: TaskId, attempt: u8) -> Self {
        let control = WorkerControl::new(WorkerNumber(0), Timestamp::default());
        Self::new(id, 1, attempt, Arc::new(control))
    }

    /// The id of the task.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id.clone()
    }

    /// The number of this run among all runs of this process.
    #[must_use]
    pub const fn run(&self) -> u64 {
        self.run
    }

    /// The number of the attempt, from 1.
    #[must_use]
    pub const fn attempt(&self) -> u8 {
        self.attempt
    }

    /// Reports progress, which the screen draws as a bar. It is cheap enough for a tight loop.
    pub fn progress(&self, done: u64, total: u64) {
        let total = total.max(done);
        self.control
            .report_progress(self.run, Progress { done, total });
    }

    /// Returns true if the run should stop: its soft time limit has passed or it has been cancelled.
    /// Work on another thread has to check it; a task function is stopped at an `await`.
    #[must_use]
    pub fn is_stop_requested(&self) -> bool {
        self.control.is_stop_requested(self.run)
    }

    /// Waits until the run should stop.
    pub async fn stop_requested(&self) {
        self.control.stop_requested(self.run).await;
    }
}

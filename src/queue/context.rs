//! What a task function knows of its own run, and what it can say about it.

use std::sync::Arc;

use super::{
    executor::control::WorkerControl,
    task::{Progress, TaskId, Timestamp, WorkerId},
};

/// One run of one task, seen from inside it. Clones speak for the same run.
///
/// A task that others must not do twice can be told apart by its [`Context::id`], and one run of it
/// by its [`Context::run`]: after a crash a task may run again.
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

    /// A run that nobody watches, to call a task function by hand.
    #[must_use]
    pub fn detached(id: TaskId, attempt: u8) -> Self {
        let control = WorkerControl::new(WorkerId(0), Timestamp::default());
        Self::new(id, 1, attempt, Arc::new(control))
    }

    /// Which task.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// The number of this run among all runs of this process.
    #[must_use]
    pub const fn run(&self) -> u64 {
        self.run
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub const fn attempt(&self) -> u8 {
        self.attempt
    }

    /// Tells how far the task is; the screen draws it as a bar. It costs next to nothing and may be
    /// called as often as one likes.
    pub fn progress(&self, done: u64, total: u64) {
        let total = total.max(done);
        self.control
            .report_progress(self.run, Progress { done, total });
    }

    /// Whether the run should end: its soft time limit is over or somebody cancelled it. What runs on
    /// another thread has to ask; everything else is ended at its next `await` when it must be.
    #[must_use]
    pub fn is_asked_to_stop(&self) -> bool {
        self.control.is_stop_requested(self.run)
    }

    /// Waits until the run should end.
    pub async fn stop_requested(&self) {
        self.control.stop_requested(self.run).await;
    }
}

//! The budget of one operation on the network thread: long work runs in steps, and yields between them.

use tokio::{
    task::yield_now,
    time::{Duration, Instant},
};

/// Limit of the time between two yields. It is exceeded by one step at most.
const MAX_TURN: Duration = Duration::from_millis(2);

/// The running time of one operation. Time that other tasks take between its turns does not count.
#[derive(Debug)]
pub(super) struct Turn {
    began: Instant,
    spent: Duration,
}

impl Turn {
    /// Begins the first turn.
    pub(super) fn begin() -> Self {
        Self {
            began: Instant::now(),
            spent: Duration::ZERO,
        }
    }

    /// Ends a step: yields to other tasks if the turn has used its time.
    pub(super) async fn step(&mut self) {
        let elapsed = self.began.elapsed();
        if elapsed >= MAX_TURN {
            self.spent += elapsed;
            yield_now().await;
            self.began = Instant::now();
        }
    }

    /// Returns the running time so far.
    pub(super) fn spent(&self) -> Duration {
        self.spent + self.began.elapsed()
    }
}

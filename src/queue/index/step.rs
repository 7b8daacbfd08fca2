//! Reads in steps of a limited work. A read does as many steps as it needs; between two of them others
//! get their turn, and a read for which nobody waits any more ends.

use std::time::{Duration, Instant};

use super::rows::{Rows, Running, StorageError};

/// A read that is carried out in steps.
pub(in crate::queue) trait SteppedRead: Send {
    /// Its result.
    type Output;

    /// True for a read whose work grows with the number of tasks.
    const IS_SCAN: bool;

    /// Does one step within the budget. Between two steps the rows may change.
    fn step(
        &mut self,
        rows: &dyn Rows,
        running: &Running,
        budget: &mut Budget,
    ) -> Result<Progress, StorageError>;

    /// The result, after the last step.
    fn finish(self) -> Self::Output;
}

/// The state of a read after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum Progress {
    /// It needs another step.
    Paused,
    /// It is complete.
    Complete,
}

/// The limits of one step. They are checked before each row, so a step exceeds them by one row at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) struct StepLimits {
    /// The most rows that are examined.
    pub(in crate::queue) rows: usize,
    /// The most bytes that are examined; a byte counts once for each word that is searched for in it.
    pub(in crate::queue) bytes: usize,
    /// The longest time, whatever was examined in it.
    pub(in crate::queue) time: Duration,
}

/// The limits of the steps of every read.
pub(in crate::queue) const STEP: StepLimits = StepLimits {
    rows: 1_000,
    bytes: 4 << 20,
    time: Duration::from_millis(5),
};

/// The rest of the budget of one step.
#[derive(Debug)]
pub(in crate::queue) struct Budget {
    rows: usize,
    bytes: usize,
    until: Option<Instant>,
}

impl Budget {
    /// Begins a step.
    pub(in crate::queue) fn begin(limits: StepLimits) -> Self {
        Self {
            rows: limits.rows,
            bytes: limits.bytes,
            until: Instant::now().checked_add(limits.time),
        }
    }

    /// Takes a row with this many examined bytes from the budget.
    pub(in crate::queue) const fn spend(&mut self, bytes: usize) {
        self.rows = self.rows.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Returns true when the step has to end.
    pub(in crate::queue) fn is_spent(&self) -> bool {
        self.rows == 0 || self.bytes == 0 || self.until.is_some_and(|at| Instant::now() >= at)
    }
}

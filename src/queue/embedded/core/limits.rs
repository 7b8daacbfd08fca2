//! The limits of an engine.

use std::time::Duration;

use crate::queue::options::TimeLimits;

/// The limits of one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreLimits {
    /// The most unfinished tasks; beyond it submits fail with
    /// [`BrokerError::Overloaded`](crate::queue::error::BrokerError::Overloaded).
    pub backlog: usize,
    /// The time limits of a run whose task sets none.
    pub run: TimeLimits,
    /// The time that a run has to stop before its worker is abandoned and replaced.
    pub stop_grace: Duration,
}

impl Default for CoreLimits {
    fn default() -> Self {
        Self {
            backlog: 1_000_000,
            run: TimeLimits {
                soft: None,
                hard: Some(Duration::from_secs(2 * 60 * 60)),
            },
            stop_grace: Duration::from_secs(10),
        }
    }
}

/// The retention of finished tasks by their outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue::embedded) struct RetentionAges {
    /// Tasks that succeeded, were cancelled or expired.
    pub(in crate::queue::embedded) age: Duration,
    /// Tasks that failed.
    pub(in crate::queue::embedded) failed_age: Duration,
}

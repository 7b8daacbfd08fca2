//! The retention of finished tasks, as far as the core decides on it.

use std::time::Duration;

/// The retention of finished tasks by their outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue::embedded) struct RetentionAges {
    /// Tasks that succeeded, were cancelled or expired.
    pub(in crate::queue::embedded) age: Duration,
    /// Tasks that failed.
    pub(in crate::queue::embedded) failed_age: Duration,
}

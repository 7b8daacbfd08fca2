//! The operations that an engine supports.

use serde::{Deserialize, Serialize};

/// An operation of a broker that an engine may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// [`Submit::submit`](super::broker::Submit::submit).
    Submit,
    /// [`Submit::submit_idempotent`](super::broker::Submit::submit_idempotent).
    SubmitIdempotent,
    /// [`Inspect::get`](super::broker::Inspect::get).
    Get,
    /// [`Inspect::list`](super::broker::Inspect::list).
    List,
    /// [`Inspect::count`](super::broker::Inspect::count).
    Count,
    /// [`Inspect::dead_letters`](super::broker::Inspect::dead_letters).
    DeadLetters,
    /// [`Inspect::stats`](super::broker::Inspect::stats).
    Stats,
    /// [`Inspect::workers`](super::broker::Inspect::workers).
    Workers,
    /// [`Inspect::queues`](super::broker::Inspect::queues).
    Queues,
    /// [`Inspect::histograms`](super::broker::Inspect::histograms).
    Histograms,
    /// [`Control::cancel`](super::broker::Control::cancel).
    Cancel,
    /// [`Control::undo_cancel`](super::broker::Control::undo_cancel).
    UndoCancel,
    /// [`Control::retry`](super::broker::Control::retry).
    Retry,
    /// [`Control::bulk`](super::broker::Control::bulk).
    Bulk,
    /// [`Control::pause`](super::broker::Control::pause) and
    /// [`Control::resume`](super::broker::Control::resume).
    Pause,
    /// [`Control::scale`](super::broker::Control::scale).
    Scale,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 16] = [
        Self::Submit,
        Self::SubmitIdempotent,
        Self::Get,
        Self::List,
        Self::Count,
        Self::DeadLetters,
        Self::Stats,
        Self::Workers,
        Self::Queues,
        Self::Histograms,
        Self::Cancel,
        Self::UndoCancel,
        Self::Retry,
        Self::Bulk,
        Self::Pause,
        Self::Scale,
    ];

    /// A description that completes "this broker cannot …".
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Submit => "accept tasks",
            Self::SubmitIdempotent => "deduplicate repeated submits",
            Self::Get => "look up a task",
            Self::List => "list tasks",
            Self::Count => "count tasks",
            Self::DeadLetters => "group failed tasks",
            Self::Stats => "report statistics",
            Self::Workers => "list workers",
            Self::Queues => "list queues",
            Self::Histograms => "report latency histograms",
            Self::Cancel => "cancel tasks",
            Self::UndoCancel => "undo a cancellation",
            Self::Retry => "retry tasks",
            Self::Bulk => "change many tasks at once",
            Self::Pause => "pause queues",
            Self::Scale => "change the number of workers",
        }
    }
}

/// The set of operations that an engine supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Operation>", into = "Vec<Operation>")]
pub struct Capabilities(u32);

impl Capabilities {
    /// No operation.
    pub const NONE: Self = Self(0);

    /// Returns the set with one more operation.
    #[must_use]
    pub const fn with(self, operation: Operation) -> Self {
        Self(self.0 | 1 << operation as u32)
    }

    /// Returns the set without an operation.
    #[must_use]
    pub const fn without(self, operation: Operation) -> Self {
        Self(self.0 & !(1 << operation as u32))
    }

    /// Returns the set of all operations.
    #[must_use]
    pub fn all() -> Self {
        Operation::ALL.into_iter().collect()
    }

    /// Returns true if the engine supports the operation.
    #[must_use]
    pub const fn supports(self, operation: Operation) -> bool {
        self.0 & (1 << operation as u32) != 0
    }
}

impl FromIterator<Operation> for Capabilities {
    fn from_iter<T: IntoIterator<Item = Operation>>(operations: T) -> Self {
        operations.into_iter().fold(Self::NONE, Self::with)
    }
}

impl From<Vec<Operation>> for Capabilities {
    fn from(operations: Vec<Operation>) -> Self {
        operations.into_iter().collect()
    }
}

impl From<Capabilities> for Vec<Operation> {
    fn from(capabilities: Capabilities) -> Self {
        let supported = |operation: &Operation| capabilities.supports(*operation);
        Operation::ALL.into_iter().filter(supported).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_contains_what_was_added() {
        let all = Capabilities::all();
        let fewer = all.without(Operation::Scale);
        assert!(all.supports(Operation::Scale) && !fewer.supports(Operation::Scale));
        assert_eq!(Capabilities::from(Vec::from(fewer)), fewer);
    }
}

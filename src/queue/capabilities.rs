//! The operations that an engine supports, and the options of a task that it honours.

use serde::{Deserialize, Serialize};

use super::options::{TaskOption, TaskOptions};

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

/// The operations that an engine supports, and the options of a task that it honours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "CapabilityLists", into = "CapabilityLists")]
pub struct Capabilities {
    operations: u32,
    options: u32,
}

/// The set of all options.
const ALL_OPTIONS: u32 = (1 << TaskOption::ALL.len()) - 1;

impl Capabilities {
    /// No operation, and no option.
    pub const NONE: Self = Self {
        operations: 0,
        options: 0,
    };

    /// Returns the set with one more operation.
    #[must_use]
    pub const fn with(mut self, operation: Operation) -> Self {
        self.operations |= 1 << operation as u32;
        self
    }

    /// Returns the set without an operation.
    #[must_use]
    pub const fn without(mut self, operation: Operation) -> Self {
        self.operations &= !(1 << operation as u32);
        self
    }

    /// Returns the set with one more option of a task.
    #[must_use]
    pub const fn with_option(mut self, option: TaskOption) -> Self {
        self.options |= 1 << option as u32;
        self
    }

    /// Returns the set without an option of a task.
    #[must_use]
    pub const fn without_option(mut self, option: TaskOption) -> Self {
        self.options &= !(1 << option as u32);
        self
    }

    /// Returns the set of all operations and options.
    #[must_use]
    pub fn all() -> Self {
        CapabilityLists {
            operations: Operation::ALL.into(),
            options: TaskOption::ALL.into(),
        }
        .into()
    }

    /// Returns true if the engine supports the operation.
    #[must_use]
    pub const fn supports(self, operation: Operation) -> bool {
        self.operations & (1 << operation as u32) != 0
    }

    /// Returns true if the engine honours the option of a task.
    #[must_use]
    pub const fn honours(self, option: TaskOption) -> bool {
        self.options & (1 << option as u32) != 0
    }

    /// Checks that the engine honours every option that a task gives.
    ///
    /// # Errors
    /// [`UnsupportedOption`] for the first that it does not.
    pub fn check_options(self, options: &TaskOptions) -> Result<(), UnsupportedOption> {
        if self.options == ALL_OPTIONS {
            return Ok(());
        }
        let mut all = TaskOption::ALL.into_iter();
        match all.find(|option| !self.honours(*option) && options.is_given(*option)) {
            Some(option) => Err(UnsupportedOption(option)),
            None => Ok(()),
        }
    }
}

/// An option of a task that the engine does not honour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("this broker does not support the option `{}`; leave it out", .0.as_str())]
pub struct UnsupportedOption(pub TaskOption);

/// The serialized form of capabilities.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct CapabilityLists {
    operations: Vec<Operation>,
    options: Vec<TaskOption>,
}

impl From<CapabilityLists> for Capabilities {
    fn from(lists: CapabilityLists) -> Self {
        let operations = lists.operations.into_iter();
        let set = operations.fold(Self::NONE, Self::with);
        lists.options.into_iter().fold(set, Self::with_option)
    }
}

impl From<Capabilities> for CapabilityLists {
    fn from(set: Capabilities) -> Self {
        let supported = |operation: &Operation| set.supports(*operation);
        let honoured = |option: &TaskOption| set.honours(*option);
        Self {
            operations: Operation::ALL.into_iter().filter(supported).collect(),
            options: TaskOption::ALL.into_iter().filter(honoured).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::options::{KeyPolicy, TaskKey};

    #[test]
    fn a_set_contains_what_was_added() {
        let all = Capabilities::all();
        let fewer = all.without(Operation::Scale).without_option(TaskOption::At);
        assert!(all.supports(Operation::Scale) && !fewer.supports(Operation::Scale));
        assert!(all.honours(TaskOption::At) && !fewer.honours(TaskOption::At));
        let json = serde_json::to_string(&fewer).expect("serializes");
        let back: Capabilities = serde_json::from_str(&json).expect("parses");
        assert_eq!(back, fewer);
    }

    #[test]
    fn an_option_that_is_not_honoured_is_refused_by_name_where_it_is_given() {
        let serial = TaskOptions {
            key: Some(TaskKey {
                text: "acme".into(),
                policy: KeyPolicy::Serial,
            }),
            ..TaskOptions::default()
        };
        for option in TaskOption::ALL {
            let fewer = Capabilities::all().without_option(option);
            assert_eq!(fewer.check_options(&TaskOptions::default()), Ok(()));
            let given = matches!(option, TaskOption::Key | TaskOption::Serial);
            let refused = fewer.check_options(&serial).is_err();
            assert_eq!(refused, given, "{option:?}");
        }
        let none = Capabilities::NONE.check_options(&serial);
        let why = none.expect_err("no option").to_string();
        assert_eq!(
            why,
            "this broker does not support the option `key`; leave it out"
        );
    }
}

//! Options of a task: its queue, key, priority, times and limits; and the limits of an engine.

use std::{str::FromStr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;

/// The highest priority; it runs first.
pub const MAX_PRIORITY: u8 = 9;
/// The largest number of attempts of one task.
pub const MAX_ATTEMPTS: u8 = 20;
/// The queue of tasks that name none.
pub const DEFAULT_QUEUE: &str = "default";

/// The effect of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyPolicy {
    /// It labels the task and changes nothing else.
    #[default]
    Tag,
    /// A submit is deduplicated while an unfinished task has the same name and key: the receipt
    /// carries the id of that task.
    Unique,
    /// Of all tasks with the key one runs at a time, in the order in which they became ready.
    Serial,
}

impl KeyPolicy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Tag, Self::Unique, Self::Serial];

    /// The name in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Unique => "unique",
            Self::Serial => "serial",
        }
    }
}

impl FromStr for KeyPolicy {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut all = Self::ALL.into_iter();
        all.find(|policy| policy.as_str() == text).ok_or(())
    }
}

/// A key of a task and its effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaskKey {
    /// The key: an order number, a customer, a file.
    pub text: Arc<str>,
    /// Its effect.
    #[serde(default)]
    pub policy: KeyPolicy,
}

/// Time limits of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeLimits {
    /// After this time the task is asked to stop through its context.
    pub soft: Option<Duration>,
    /// After this time the run is stopped and has failed; another attempt may follow.
    pub hard: Option<Duration>,
}

/// The limits of the backlog and of runs of one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokerLimits {
    /// The most unfinished tasks; beyond it submits fail with
    /// [`BrokerError::Overloaded`](super::error::BrokerError::Overloaded).
    pub backlog: usize,
    /// The time limits of a run whose task sets none.
    pub run: TimeLimits,
    /// The time that a run has to stop before its worker is abandoned and replaced.
    pub stop_grace: Duration,
}

impl Default for BrokerLimits {
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

/// Options of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskOptions {
    /// The queue, which can be paused on its own; `None` is [`DEFAULT_QUEUE`].
    pub queue: Option<Arc<str>>,
    /// 0 to [`MAX_PRIORITY`]; a higher priority runs first. Waiting raises the rank of a task.
    pub priority: u8,
    /// The time before it may start, measured on a monotonic clock.
    pub delay: Option<Duration>,
    /// The wall-clock time before which it may not start; the later of it and `delay` counts.
    pub eta: Option<Timestamp>,
    /// The time after which it is no longer started.
    pub expires: Option<Duration>,
    /// The maximum number of attempts of a task with retryable errors; 1 to [`MAX_ATTEMPTS`].
    pub max_attempts: u8,
    /// Its key.
    pub key: Option<TaskKey>,
    /// The time limits of one run; the engine's apply where none is given.
    pub limits: TimeLimits,
    /// The time for which the finished task is stored; `None` is the engine's retention.
    pub result_ttl: Option<Duration>,
}

impl Default for TaskOptions {
    fn default() -> Self {
        Self {
            queue: None,
            priority: 5,
            delay: None,
            eta: None,
            expires: None,
            max_attempts: 5,
            key: None,
            limits: TimeLimits::default(),
            result_ttl: None,
        }
    }
}

//! Options of a task: its queue, key, priority, times and limits; and the limits of an engine.

use std::{str::FromStr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    clock::Timestamp,
    limits::{MAX_NAME, MAX_SPAN, MAX_TIME},
};

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
    /// The quota of each member of the node. Whatever it is, one member may use half of the backlog, and
    /// all members together nine tenths; the owner has no quota.
    pub member: MemberQuota,
    /// The time limits of a run whose task sets none.
    pub run: TimeLimits,
    /// The time that a run has to stop before its worker is abandoned and replaced.
    pub stop_grace: Duration,
}

/// The unfinished tasks that one member may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberQuota {
    /// The most tasks.
    pub tasks: usize,
    /// The most bytes of their arguments, with 256 bytes for each task in addition.
    pub bytes: u64,
}

impl Default for MemberQuota {
    fn default() -> Self {
        Self {
            tasks: 100_000,
            bytes: 256 << 20,
        }
    }
}

impl Default for BrokerLimits {
    fn default() -> Self {
        Self {
            backlog: 1_000_000,
            member: MemberQuota::default(),
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

/// An option of a task that an engine may not honour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskOption {
    /// [`TaskOptions::queue`].
    Queue,
    /// [`TaskOptions::priority`].
    Priority,
    /// [`TaskOptions::delay`].
    Delay,
    /// [`TaskOptions::eta`].
    At,
    /// [`TaskOptions::expires`].
    Expires,
    /// [`TaskOptions::max_attempts`].
    Attempts,
    /// [`TaskOptions::key`] with any policy.
    Key,
    /// [`KeyPolicy::Unique`].
    Unique,
    /// [`KeyPolicy::Serial`].
    Serial,
    /// [`TimeLimits::hard`].
    Limit,
    /// [`TimeLimits::soft`].
    SoftLimit,
    /// [`TaskOptions::result_ttl`].
    ResultTtl,
}

impl TaskOption {
    /// Every option.
    pub const ALL: [Self; 12] = [
        Self::Queue,
        Self::Priority,
        Self::Delay,
        Self::At,
        Self::Expires,
        Self::Attempts,
        Self::Key,
        Self::Unique,
        Self::Serial,
        Self::Limit,
        Self::SoftLimit,
        Self::ResultTtl,
    ];

    /// The name under which people write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Priority => "priority",
            Self::Delay => "delay",
            Self::At => "at",
            Self::Expires => "expires",
            Self::Attempts => "attempts",
            Self::Key => "key",
            Self::Unique => "unique",
            Self::Serial => "serial",
            Self::Limit => "limit",
            Self::SoftLimit => "soft-limit",
            Self::ResultTtl => "result-ttl",
        }
    }
}

impl TaskOptions {
    /// Returns true if the option is given and is not the default.
    #[must_use]
    pub fn is_given(&self, option: TaskOption) -> bool {
        let default = Self::default();
        let policy = self.key.as_ref().map(|key| key.policy);
        match option {
            TaskOption::Queue => self.queue.is_some(),
            TaskOption::Priority => self.priority != default.priority,
            TaskOption::Delay => self.delay.is_some(),
            TaskOption::At => self.eta.is_some(),
            TaskOption::Expires => self.expires.is_some(),
            TaskOption::Attempts => self.max_attempts != default.max_attempts,
            TaskOption::Key => self.key.is_some(),
            TaskOption::Unique => policy == Some(KeyPolicy::Unique),
            TaskOption::Serial => policy == Some(KeyPolicy::Serial),
            TaskOption::Limit => self.limits.hard.is_some(),
            TaskOption::SoftLimit => self.limits.soft.is_some(),
            TaskOption::ResultTtl => self.result_ttl.is_some(),
        }
    }
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

/// An option of a task that no engine accepts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOption {
    /// The name of a queue or a key is empty.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// The name of a queue or a key is longer than [`MAX_NAME`].
    #[error("the {0} is longer than {MAX_NAME} bytes")]
    LongName(&'static str),
    /// The name of a queue or a key contains a space or an invisible character, with which no filter
    /// could find it.
    #[error("the {0} contains a space or a control character; write for example {0}:order-1")]
    Blank(&'static str),
    /// A time is longer than [`MAX_SPAN`].
    #[error("the {0} is longer than {days} days", days = MAX_SPAN.as_secs() / (24 * 60 * 60))]
    LongSpan(&'static str),
    /// A time is zero, with which the task could never run.
    #[error("the {0} must be longer than zero")]
    Zero(&'static str),
    /// The soft limit is longer than the time limit, which ends the run before.
    #[error("the soft limit of {soft:?} is longer than the time limit of {hard:?}")]
    SoftLimit {
        /// The soft limit.
        soft: Duration,
        /// The time limit.
        hard: Duration,
    },
    /// The task expires before it may start.
    #[error("the task expires after {expires:?}, before its delay of {delay:?} is over")]
    Expiry {
        /// The expiry.
        expires: Duration,
        /// The delay.
        delay: Duration,
    },
    /// The earliest start is after [`MAX_TIME`].
    #[error("the time to start at is after the year 9999")]
    LateStart,
}

impl TaskOptions {
    /// Checks the options as every engine does, so that a caller can do it before it connects.
    ///
    /// # Errors
    /// The first option that is invalid.
    pub fn validate(&self) -> Result<(), InvalidOption> {
        let key = self.key.as_ref().map(|key| &*key.text);
        validate_name("queue", self.queue.as_deref())?;
        validate_name("key", key)?;
        let limits = self.limits;
        for (option, span, may_be_zero) in [
            ("delay", self.delay, true),
            ("expiry", self.expires, false),
            ("soft limit", limits.soft, false),
            ("time limit", limits.hard, false),
            ("result lifetime", self.result_ttl, true),
        ] {
            match span {
                Some(span) if span > MAX_SPAN => return Err(InvalidOption::LongSpan(option)),
                Some(Duration::ZERO) if !may_be_zero => return Err(InvalidOption::Zero(option)),
                _ => {}
            }
        }
        match (limits.soft, limits.hard, self.expires, self.delay) {
            (Some(soft), Some(hard), ..) if soft > hard => {
                Err(InvalidOption::SoftLimit { soft, hard })
            }
            (.., Some(expires), Some(delay)) if expires <= delay => {
                Err(InvalidOption::Expiry { expires, delay })
            }
            _ if self.eta.is_some_and(|eta| eta.0 > MAX_TIME) => Err(InvalidOption::LateStart),
            _ => Ok(()),
        }
    }
}

fn validate_name(option: &'static str, name: Option<&str>) -> Result<(), InvalidOption> {
    match name {
        Some("") => Err(InvalidOption::Empty(option)),
        Some(name) if name.len() > MAX_NAME => Err(InvalidOption::LongName(option)),
        Some(name) if name.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            Err(InvalidOption::Blank(option))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_cannot_be_meant_are_rejected_by_name() {
        let second = Duration::from_secs;
        let key = |text: &str| {
            Some(TaskKey {
                text: text.into(),
                policy: KeyPolicy::Tag,
            })
        };
        type Change<'a> = &'a dyn Fn(&mut TaskOptions);
        let cases: [(Change<'_>, &str); 10] = [
            (&|o| o.queue = Some("".into()), "the queue is empty"),
            (
                &|o| o.queue = Some("a b".into()),
                "the queue contains a space or a control character; write for example queue:order-1",
            ),
            (
                &|o| o.key = key("a\tb"),
                "the key contains a space or a control character; write for example key:order-1",
            ),
            (
                &|o| o.key = key(&"x".repeat(201)),
                "the key is longer than 200 bytes",
            ),
            (
                &|o| o.expires = Some(Duration::ZERO),
                "the expiry must be longer than zero",
            ),
            (
                &|o| o.limits.hard = Some(Duration::ZERO),
                "the time limit must be longer than zero",
            ),
            (
                &|o| o.limits.soft = Some(Duration::ZERO),
                "the soft limit must be longer than zero",
            ),
            (
                &|o| {
                    o.limits = TimeLimits {
                        soft: Some(second(5)),
                        hard: Some(second(2)),
                    };
                },
                "the soft limit of 5s is longer than the time limit of 2s",
            ),
            (
                &|o| (o.expires, o.delay) = (Some(second(1)), Some(second(5))),
                "the task expires after 1s, before its delay of 5s is over",
            ),
            (
                &|o| o.eta = Some(Timestamp(u64::MAX)),
                "the time to start at is after the year 9999",
            ),
        ];
        for (change, expected) in cases {
            let mut options = TaskOptions::default();
            change(&mut options);
            let error = options.validate().expect_err(expected);
            assert_eq!(error.to_string(), expected);
        }
        assert_eq!(TaskOptions::default().validate(), Ok(()));
        let zero = TaskOptions {
            delay: Some(Duration::ZERO),
            ..TaskOptions::default()
        };
        assert_eq!(zero.validate(), Ok(()));
    }
}

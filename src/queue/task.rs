//! A task and its life.
//!
//! ```text
//! scheduled ─ due ─▶ queued ─ start ─▶ running ─▶ succeeded
//!                      ▲                  ├─────▶ failed ──────┐
//!                      └──── due ─ retrying ◀─────┤            │
//!                      ▲                  └─────▶ cancelled ───┤
//!                      └────────────────── retry ──────────────┘
//! ```
//!
//! Everything that waits can be cancelled or expire; what has ended changes only by a retry that
//! somebody asked for. [`State::after`] is the whole truth about it.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

/// Names one task at its broker: a number here, a UUID at brokers that have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId(pub u128);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u64::try_from(self.0) {
            Ok(number) => write!(f, "#{number}"),
            Err(_uuid) => {
                let hex = format!("{:032x}", self.0);
                let mut at = 0;
                for (i, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
                    let part = hex.get(at..at + length).unwrap_or_default();
                    write!(f, "{}{part}", if i == 0 { "" } else { "-" })?;
                    at += length;
                }
                Ok(())
            }
        }
    }
}

/// Microseconds since 1970, by the engine's [`Clock`](super::clock::Clock).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This much later; at the end of time it stays there.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(wait))
    }

    /// This much earlier; at the beginning of time it stays there.
    #[must_use]
    pub fn before(self, wait: Duration) -> Self {
        let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(wait))
    }

    /// How long ago `earlier` was; nothing when it was not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Where a task is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// A worker has it.
    Running,
    /// It failed and will be tried again.
    Retrying,
    /// It may run now and waits for a worker.
    Queued,
    /// It may run later.
    Scheduled,
    /// It will not be tried again: every attempt's error is kept.
    Failed,
    /// Somebody asked for it not to run, or to stop.
    Cancelled,
    /// It was not started in time.
    Expired,
    /// It ran, and its result is kept.
    Succeeded,
}

/// What can happen to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    /// The time it waited for has come.
    Due,
    /// A worker takes it.
    Start,
    /// It gave a result.
    Succeed,
    /// It failed and has attempts left.
    FailRetryable,
    /// It failed for the last time.
    FailPermanent,
    /// It is not to run, or it has stopped running.
    Cancel,
    /// Its time to start is over.
    Expire,
    /// Its worker gives it back untouched.
    Release,
    /// Somebody wants it to run again.
    Retry,
    /// Its cancellation is taken back, and it may run now.
    Restore,
    /// Its cancellation is taken back, and it waits for its time.
    Postpone,
}

/// A step that a task in this state cannot take; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("a task that is {state} cannot {step}")]
pub struct InvalidTransition {
    /// Where the task is.
    pub state: State,
    /// What was asked of it.
    pub step: Transition,
}

impl State {
    /// Every state, in the order in which a person wants to see them: what moves, what went wrong,
    /// what is done.
    pub const ALL: [Self; 8] = [
        Self::Running,
        Self::Retrying,
        Self::Queued,
        Self::Scheduled,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
        Self::Succeeded,
    ];

    /// The state after a step: the one place where a task's life is written down.
    ///
    /// # Errors
    /// [`InvalidTransition`] when this state does not allow the step.
    pub const fn apply(self, step: Transition) -> Result<Self, InvalidTransition> {
        Ok(match (self, step) {
            (Self::Scheduled | Self::Retrying, Transition::Due)
            | (Self::Running, Transition::Release)
            | (Self::Failed | Self::Cancelled | Self::Expired, Transition::Retry)
            | (Self::Cancelled, Transition::Restore) => Self::Queued,
            (Self::Cancelled, Transition::Postpone) => Self::Scheduled,
            (Self::Queued, Transition::Start) => Self::Running,
            (Self::Running, Transition::Succeed) => Self::Succeeded,
            (Self::Running, Transition::FailRetryable) => Self::Retrying,
            (Self::Running, Transition::FailPermanent) => Self::Failed,
            (
                Self::Scheduled | Self::Queued | Self::Retrying | Self::Running,
                Transition::Cancel,
            ) => Self::Cancelled,
            (Self::Scheduled | Self::Queued | Self::Retrying, Transition::Expire) => Self::Expired,
            (state, step) => return Err(InvalidTransition { state, step }),
        })
    }

    /// Whether it has ended: only a retry changes it.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Expired
        )
    }

    /// Its place in [`State::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The word for it, in lower case.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Queued => "queued",
            Self::Scheduled => "scheduled",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Succeeded => "succeeded",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for State {
    type Err = ();

    /// A word, or the beginning of one that only one state has.
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.to_lowercase();
        let mut fits = Self::ALL
            .into_iter()
            .filter(|s| s.word().starts_with(&text));
        match (fits.next(), fits.next()) {
            (Some(state), None) => Ok(state),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Due => "become due",
            Self::Start => "start",
            Self::Succeed => "succeed",
            Self::FailRetryable | Self::FailPermanent => "fail",
            Self::Cancel => "be cancelled",
            Self::Expire => "expire",
            Self::Release => "be handed back",
            Self::Retry => "be retried",
            Self::Restore | Self::Postpone => "be brought back",
        })
    }
}

/// The highest priority; it goes first.
pub const MAX_PRIORITY: u8 = 9;
/// The most attempts that can be asked for.
pub const MAX_ATTEMPTS: u8 = 20;
/// The longest arguments, and the longest result that is kept, in bytes.
pub const MAX_PAYLOAD: usize = 64 << 10;

/// The queue of tasks that name none.
pub const DEFAULT_QUEUE: &str = "default";
/// The longest name of a queue, and the longest key, in bytes.
pub const MAX_NAME: usize = 200;
/// The most attempts of one task that are kept; beyond it the oldest go.
pub const MAX_ATTEMPTS_HISTORY: usize = 100;

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyPolicy {
    /// It only says what the task is about.
    #[default]
    Tag,
    /// While a task of this name and key is alive, another is not taken: whoever submits it is given
    /// the first one's id.
    Unique,
    /// Of all tasks with this key one runs at a time, in the order in which they became ready.
    Serial,
}

impl KeyPolicy {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::Tag, Self::Unique, Self::Serial];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tag => "label",
            Self::Unique => "unique",
            Self::Serial => "serial",
        }
    }
}

impl FromStr for KeyPolicy {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut all = Self::ALL.into_iter();
        all.find(|rule| rule.word() == text).ok_or(())
    }
}

/// What a task is about, and what follows from that.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The key: an order's number, a customer, a file.
    pub text: Arc<str>,
    /// What it does.
    #[serde(default)]
    pub rule: KeyPolicy,
}

/// How long a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeLimits {
    /// After this time the task is told through its context, and may end in order.
    pub soft: Option<Duration>,
    /// After this time the run is ended and has failed; another attempt may follow.
    pub hard: Option<Duration>,
}

/// How a task is to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskOptions {
    /// The queue, which can be paused on its own; `None` is [`DEFAULT_QUEUE`].
    pub queue: Option<Arc<str>>,
    /// 0 to [`MAX_PRIORITY`]; the higher goes first, and waiting makes up for a lower one in time.
    pub priority: u8,
    /// Do not start before this much time has passed. A wall clock that is set does not change it.
    pub delay: Option<Duration>,
    /// Do not start before it is this time on the wall; the later of it and `delay` counts.
    pub eta: Option<Timestamp>,
    /// Do not start after this much time has passed.
    pub expires: Option<Duration>,
    /// Attempts in all when it fails with an error that may pass; 1 to [`MAX_ATTEMPTS`].
    pub max_attempts: u8,
    /// What it is about.
    pub key: Option<Key>,
    /// How long a run may take; what is not said here the engine says.
    pub limits: TimeLimits,
    /// How long it is kept when it has ended; `None` as long as the engine keeps everything.
    pub keep: Option<Duration>,
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
            keep: None,
        }
    }
}

/// A task to be submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTask {
    /// The registered name of what to run.
    pub name: String,
    /// The arguments as JSON: an array by position or an object by name, at most [`MAX_PAYLOAD`] bytes.
    pub args: String,
    /// How to run it.
    #[serde(default)]
    pub options: TaskOptions,
}

/// Names one submit: whoever does not know whether it was heard says it again under the same id, and it
/// is taken once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IdempotencyKey(pub u128);

impl NewTask {
    /// A task with the default options.
    pub fn new(name: impl Into<String>, args: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            args: args.into(),
            options: TaskOptions::default(),
        }
    }
}

/// What became of a submitted task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its id, or that of the living task with the same unique key.
    pub id: TaskId,
    /// It was there already, and nothing was added.
    pub deduplicated: bool,
}

/// A worker's number, counted from 1; shown as `w1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkerId(pub u16);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("w{}", self.0))
    }
}

/// An attempt that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Who made it; a process that crashed cannot tell.
    pub worker: Option<WorkerId>,
    /// How long it had been ready before.
    pub waited: Duration,
    /// When it started.
    pub started_at: Timestamp,
    /// How long it ran.
    pub ran: Duration,
    /// What it said; the causes of an error follow in lines of their own.
    pub error: Box<str>,
}

/// How far a running task says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How much is done.
    pub done: u64,
    /// How much there is to do; never less than `done`.
    pub total: u64,
}

impl Progress {
    /// The share that is done, 0 to 1.
    #[must_use]
    pub fn share(self) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        self.done as f64 / self.total as f64
    }
}

/// A task as its broker shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Which task.
    pub id: TaskId,
    /// What it runs.
    pub name: Arc<str>,
    /// With which arguments, as JSON.
    pub args: Arc<str>,
    /// Where it is in its life.
    pub state: State,
    /// It runs, and was asked to stop.
    pub cancelling: bool,
    /// It runs, and tells how far it is.
    pub progress: Option<Progress>,
    /// The queue it is in; `None` is [`DEFAULT_QUEUE`].
    pub queue: Option<Arc<str>>,
    /// What it is about.
    pub key: Option<Key>,
    /// 0 to [`MAX_PRIORITY`].
    pub priority: u8,
    /// How often it was started since it was submitted or retried by hand.
    pub attempts: u8,
    /// How often it may be started before it fails for good.
    pub max_attempts: u8,
    /// How often it was running when its process crashed.
    pub crashes: u8,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When it may run, for a scheduled or retrying task.
    pub due_at: Option<Timestamp>,
    /// When it is no longer to be started.
    pub expires_at: Option<Timestamp>,
    /// When the last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How long the last attempt had been ready before it started.
    pub waited: Option<Duration>,
    /// How long the last attempt ran, for a task that has ended after running.
    pub ran: Option<Duration>,
    /// Who ran the last attempt.
    pub worker: Option<WorkerId>,
    /// What it gave, as JSON.
    pub result: Option<Box<str>>,
    /// What the last attempt that failed said.
    pub error: Option<Box<str>>,
    /// The attempts that did not succeed, oldest first, at most [`MAX_ATTEMPTS_HISTORY`]. Only
    /// [`Broker::get`](super::broker::Broker::get) fills it; in a list it is empty.
    pub log: Vec<Attempt>,
}

impl Task {
    /// How long the last attempt took, for a task that has ended after running.
    #[must_use]
    pub const fn duration(&self) -> Option<Duration> {
        self.ran
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Transition; 11] = [
        Transition::Due,
        Transition::Start,
        Transition::Succeed,
        Transition::FailRetryable,
        Transition::FailPermanent,
        Transition::Cancel,
        Transition::Expire,
        Transition::Release,
        Transition::Retry,
        Transition::Restore,
        Transition::Postpone,
    ];

    /// The whole table, written a second time by hand. `-` is illegal.
    #[test]
    fn the_life_of_a_task() {
        let table = "
            .         due    start   succeed   now      good   cancel    expire  back   retry  restore postpone
            scheduled queued -       -         -        -      cancelled expired -      -      -       -
            queued    -      running -         -        -      cancelled expired -      -      -       -
            running   -      -       succeeded retrying failed cancelled -       queued -      -       -
            retrying  queued -       -         -        -      cancelled expired -      -      -       -
            succeeded -      -       -         -        -      -         -       -      -      -       -
            failed    -      -       -         -        -      -         -       -      queued -       -
            cancelled -      -       -         -        -      -         -       -      queued queued  scheduled
            expired   -      -       -         -        -      -         -       -      queued -       -";
        let rows = table.trim().lines().skip(1);
        assert_eq!(rows.clone().count(), State::ALL.len());
        for row in rows {
            let mut words = row.split_whitespace();
            let state: State = words
                .next()
                .and_then(|word| word.parse().ok())
                .expect("a state");
            assert_eq!(words.clone().count(), STEPS.len());
            for (step, expected) in STEPS.into_iter().zip(words) {
                let found = state.apply(step).map_or("-", State::word);
                assert_eq!(found, expected, "{state} + {step:?}");
            }
        }
    }

    #[test]
    fn states_are_in_the_order_of_their_index() {
        for (i, state) in State::ALL.into_iter().enumerate() {
            assert_eq!(state.index(), i);
            assert_eq!(state.word().parse(), Ok(state));
        }
        assert_eq!("succ".parse(), Ok(State::Succeeded));
        assert_eq!("s".parse::<State>(), Err(()), "scheduled or succeeded");
    }

    #[test]
    fn ids_are_numbers_or_uuids() {
        assert_eq!(TaskId(41).to_string(), "#41");
        let uuid = TaskId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(uuid.to_string(), "01234567-89ab-cdef-0123-456789abcdef");
    }
}

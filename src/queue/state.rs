//! The states of a task and the transitions between them.
//!
//! ```text
//! scheduled ─ due ─▶ queued ─ start ─▶ running ─▶ succeeded
//!                      ▲                  ├─────▶ failed ──────┐
//!                      └──── due ─ retrying ◀─────┤            │
//!                      ▲                  └─────▶ cancelled ───┤
//!                      └────────────────── retry ──────────────┘
//! ```
//!
//! A pending task can be cancelled or expire; a finished task changes only by an explicit retry.
//! [`State::apply`] is the only definition of these rules. `received`, `rejected` and `unknown` are
//! states that some engines report; no transition leads to them or out of them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// A worker executes it.
    Running,
    /// It failed and waits for another attempt.
    Retrying,
    /// A worker has received it and has not started it.
    Received,
    /// It is ready and waits for a worker.
    Queued,
    /// It waits for its time.
    Scheduled,
    /// It failed and no attempt is left; the error of every attempt is stored.
    Failed,
    /// A worker has rejected it.
    Rejected,
    /// It was cancelled, before or while it ran.
    Cancelled,
    /// It was not started in time.
    Expired,
    /// It ran, and its result is stored.
    Succeeded,
    /// The engine does not know its state.
    Unknown,
}

/// A change of a task's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    /// The time that it waited for has come.
    Due,
    /// A worker starts it.
    Start,
    /// It returned a result.
    Succeed,
    /// It failed and has attempts left.
    FailRetryable,
    /// It failed for the last time.
    FailPermanent,
    /// It is cancelled, or has stopped after a request to cancel it.
    Cancel,
    /// Its time to start has passed.
    Expire,
    /// Its worker returns it to the queue.
    Release,
    /// It is retried by hand.
    Retry,
    /// Its cancellation is undone and it is ready.
    UndoCancel,
    /// Its cancellation is undone and it waits for its time.
    UndoCancelScheduled,
}

/// A transition that the state of a task does not allow; nothing has changed. Displayed without the task,
/// as "has succeeded and cannot be retried".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{} and {}", .state.clause(), .transition.refusal())]
pub struct InvalidTransition {
    /// The state of the task.
    pub state: State,
    /// The transition that was requested.
    pub transition: Transition,
}

impl State {
    /// The number of states.
    pub const COUNT: usize = 11;
    /// Every state in the order of display: active, failed, finished.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Running,
        Self::Retrying,
        Self::Received,
        Self::Queued,
        Self::Scheduled,
        Self::Failed,
        Self::Rejected,
        Self::Cancelled,
        Self::Expired,
        Self::Succeeded,
        Self::Unknown,
    ];

    /// Returns true for a state of the diagram, which every engine has. The others are only observed:
    /// some engines report them, no transition leads to them, and displays show them where tasks are
    /// in them.
    #[must_use]
    pub const fn is_common(self) -> bool {
        !matches!(self, Self::Received | Self::Rejected | Self::Unknown)
    }

    /// Returns the state after a transition.
    ///
    /// # Errors
    /// [`InvalidTransition`] when this state does not allow it.
    pub const fn apply(self, transition: Transition) -> Result<Self, InvalidTransition> {
        Ok(match (self, transition) {
            (Self::Scheduled | Self::Retrying, Transition::Due)
            | (Self::Running, Transition::Release)
            | (Self::Failed | Self::Cancelled | Self::Expired, Transition::Retry)
            | (Self::Cancelled, Transition::UndoCancel) => Self::Queued,
            (Self::Cancelled, Transition::UndoCancelScheduled) => Self::Scheduled,
            (Self::Queued, Transition::Start) => Self::Running,
            (Self::Running, Transition::Succeed) => Self::Succeeded,
            (Self::Running, Transition::FailRetryable) => Self::Retrying,
            (Self::Running, Transition::FailPermanent) => Self::Failed,
            (
                Self::Scheduled | Self::Queued | Self::Retrying | Self::Running,
                Transition::Cancel,
            ) => Self::Cancelled,
            (Self::Scheduled | Self::Queued | Self::Retrying, Transition::Expire) => Self::Expired,
            (state, transition) => return Err(InvalidTransition { state, transition }),
        })
    }

    /// Returns true for a task that only a retry or an undone cancellation changes.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Rejected | Self::Cancelled | Self::Expired
        )
    }

    /// The index in [`State::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// A clause that completes "the task …".
    #[must_use]
    pub const fn clause(self) -> &'static str {
        match self {
            Self::Running => "is running",
            Self::Retrying => "waits for another attempt",
            Self::Received => "has been received by a worker",
            Self::Queued => "is queued",
            Self::Scheduled => "is scheduled",
            Self::Failed => "has failed",
            Self::Rejected => "has been rejected",
            Self::Cancelled => "has been cancelled",
            Self::Expired => "has expired",
            Self::Succeeded => "has succeeded",
            Self::Unknown => "is in an unknown state",
        }
    }

    /// The name in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Received => "received",
            Self::Queued => "queued",
            Self::Scheduled => "scheduled",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Succeeded => "succeeded",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for State {
    type Err = ();

    /// Parses a name, or an unambiguous prefix of one.
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.to_lowercase();
        let mut matching = Self::ALL
            .into_iter()
            .filter(|state| state.as_str().starts_with(&text));
        match (matching.next(), matching.next()) {
            (Some(state), None) => Ok(state),
            _ => Err(()),
        }
    }
}

impl Transition {
    /// A clause that completes "the task is running and …" where its state does not allow the transition.
    const fn refusal(self) -> &'static str {
        match self {
            Self::Due => "cannot become due",
            Self::Start => "cannot start",
            Self::Succeed => "cannot succeed",
            Self::FailRetryable | Self::FailPermanent => "cannot fail",
            Self::Cancel => "cannot be cancelled",
            Self::Expire => "cannot expire",
            Self::Release => "cannot be returned to the queue",
            Self::Retry => "cannot be retried",
            Self::UndoCancel | Self::UndoCancelScheduled => "has no cancellation to undo",
        }
    }
}

/// A set of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<State>", into = "Vec<State>")]
pub struct StateSet(u16);

impl StateSet {
    /// Every state.
    pub const ALL: Self = Self((1 << State::COUNT) - 1);
    /// No state.
    pub const NONE: Self = Self(0);

    /// Returns the set with one more state.
    #[must_use]
    pub const fn with(self, state: State) -> Self {
        Self(self.0 | 1 << state.index())
    }

    /// Returns the intersection of two sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns the states that are not in the set.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self(Self::ALL.0 & !self.0)
    }

    /// Returns true if the state is in the set.
    #[must_use]
    pub const fn contains(self, state: State) -> bool {
        self.0 & (1 << state.index()) != 0
    }

    /// The states in the set, in the order of [`State::ALL`].
    pub fn iter(self) -> impl DoubleEndedIterator<Item = State> {
        State::ALL
            .into_iter()
            .filter(move |state| self.contains(*state))
    }
}

impl Default for StateSet {
    /// No state.
    fn default() -> Self {
        Self::NONE
    }
}

impl FromIterator<State> for StateSet {
    fn from_iter<T: IntoIterator<Item = State>>(states: T) -> Self {
        states.into_iter().fold(Self::NONE, Self::with)
    }
}

impl From<Vec<State>> for StateSet {
    fn from(states: Vec<State>) -> Self {
        states.into_iter().collect()
    }
}

impl From<StateSet> for Vec<State> {
    fn from(states: StateSet) -> Self {
        states.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSITIONS: [Transition; 11] = [
        Transition::Due,
        Transition::Start,
        Transition::Succeed,
        Transition::FailRetryable,
        Transition::FailPermanent,
        Transition::Cancel,
        Transition::Expire,
        Transition::Release,
        Transition::Retry,
        Transition::UndoCancel,
        Transition::UndoCancelScheduled,
    ];

    /// The whole table, written a second time by hand. `-` is an invalid transition.
    #[test]
    fn transitions_follow_the_table() {
        let table = "
            .         due    start   succeed   again    fail   cancel    expire  release retry  undo   undo-scheduled
            scheduled queued -       -         -        -      cancelled expired -      -      -       -
            received  -      -       -         -        -      -         -       -      -      -       -
            queued    -      running -         -        -      cancelled expired -      -      -       -
            running   -      -       succeeded retrying failed cancelled -       queued -      -       -
            retrying  queued -       -         -        -      cancelled expired -      -      -       -
            succeeded -      -       -         -        -      -         -       -      -      -       -
            failed    -      -       -         -        -      -         -       -      queued -       -
            rejected  -      -       -         -        -      -         -       -      -      -       -
            cancelled -      -       -         -        -      -         -       -      queued queued  scheduled
            expired   -      -       -         -        -      -         -       -      queued -       -
            unknown   -      -       -         -        -      -         -       -      -      -       -";
        let rows = table.trim().lines().skip(1);
        assert_eq!(rows.clone().count(), State::ALL.len());
        for row in rows {
            let mut words = row.split_whitespace();
            let state: State = words
                .next()
                .and_then(|word| word.parse().ok())
                .expect("a state");
            assert_eq!(words.clone().count(), TRANSITIONS.len());
            for (transition, expected) in TRANSITIONS.into_iter().zip(words) {
                let found = state.apply(transition).map_or("-", State::as_str);
                assert_eq!(found, expected, "{state} + {transition:?}");
            }
        }
    }

    #[test]
    fn an_invalid_transition_is_a_sentence_with_the_task_before_it() {
        let refused = |state: State, transition| {
            let why = state.apply(transition).expect_err("invalid");
            format!("#2 {why}")
        };
        for (state, transition, sentence) in [
            (
                State::Succeeded,
                Transition::Retry,
                "#2 has succeeded and cannot be retried",
            ),
            (
                State::Running,
                Transition::Retry,
                "#2 is running and cannot be retried",
            ),
            (
                State::Retrying,
                Transition::Retry,
                "#2 waits for another attempt and cannot be retried",
            ),
            (
                State::Cancelled,
                Transition::Cancel,
                "#2 has been cancelled and cannot be cancelled",
            ),
            (
                State::Expired,
                Transition::UndoCancel,
                "#2 has expired and has no cancellation to undo",
            ),
        ] {
            assert_eq!(refused(state, transition), sentence);
        }
        // Nothing is left without words.
        for state in State::ALL {
            for transition in TRANSITIONS {
                if state.apply(transition).is_err() {
                    let sentence = refused(state, transition);
                    assert!(sentence.contains(" and "), "{sentence}");
                }
            }
        }
    }

    #[test]
    fn states_are_in_the_order_of_their_index() {
        for (i, state) in State::ALL.into_iter().enumerate() {
            assert_eq!(state.index(), i);
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        let every: StateSet = State::ALL.into_iter().collect();
        assert_eq!(every, StateSet::ALL);
        assert_eq!("succ".parse(), Ok(State::Succeeded));
        assert_eq!("s".parse::<State>(), Err(()), "scheduled or succeeded");
    }
}

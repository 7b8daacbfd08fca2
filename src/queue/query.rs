//! Finding tasks: which, in what order, and a page at a time by key, so that a page costs the same
//! at the start and in the middle of a million.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use super::task::{State, Task, TaskId};

/// A set of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<State>", into = "Vec<State>")]
pub struct StateSet(u8);

impl StateSet {
    /// Every state.
    pub const ALL: Self = Self(u8::MAX);
    /// No state.
    pub const NONE: Self = Self(0);

    /// These states and one more.
    #[must_use]
    pub const fn with(self, state: State) -> Self {
        Self(self.0 | 1 << state.index())
    }

    /// The states that both have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether a state is one of them.
    #[must_use]
    pub const fn has(self, state: State) -> bool {
        self.0 & (1 << state.index()) != 0
    }

    /// The states in it, in the order of [`State::ALL`].
    pub fn iter(self) -> impl DoubleEndedIterator<Item = State> {
        State::ALL.into_iter().filter(move |state| self.has(*state))
    }
}

impl FromIterator<State> for StateSet {
    fn from_iter<T: IntoIterator<Item = State>>(states: T) -> Self {
        states.into_iter().fold(Self::NONE, Self::with)
    }
}

impl std::convert::From<Vec<State>> for StateSet {
    fn from(states: Vec<State>) -> Self {
        states.into_iter().collect()
    }
}

impl std::convert::From<StateSet> for Vec<State> {
    fn from(states: StateSet) -> Self {
        states.iter().collect()
    }
}

/// In what order tasks are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
    /// By state, in the order of [`State::ALL`], and the newest first within one.
    State,
    /// Finished tasks, the slowest first; those that ran less than [`BRIEF`] are all alike, and the
    /// newest of them goes first.
    Slowest,
}

/// Tasks that ran less than this are not sorted by how long they ran.
pub const BRIEF: Duration = Duration::from_millis(1);

impl Order {
    /// Every order, in the order in which a key goes through them.
    pub const ALL: [Self; 4] = [Self::Newest, Self::Oldest, Self::State, Self::Slowest];

    /// The next one.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Newest => Self::Oldest,
            Self::Oldest => Self::State,
            Self::State => Self::Slowest,
            Self::Slowest => Self::Newest,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
            Self::State => "state",
            Self::Slowest => "slowest",
        }
    }
}

/// Which tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// In one of these states.
    pub states: StateSet,
    /// With all of these texts in their id, name, key, arguments, result or error; upper and lower
    /// case are the same.
    pub has: Vec<String>,
    /// With none of these texts.
    pub lacks: Vec<String>,
    /// Of this name.
    pub name: Option<String>,
    /// In this queue.
    pub queue: Option<String>,
    /// With this key.
    pub key: Option<String>,
    /// Last run by this worker.
    pub worker: Option<u16>,
    /// Only these, if any are given.
    pub ids: Option<BTreeSet<TaskId>>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            states: StateSet::ALL,
            has: Vec::new(),
            lacks: Vec::new(),
            name: None,
            queue: None,
            key: None,
            worker: None,
            ids: None,
        }
    }
}

/// The words before a colon that a filter understands.
pub const FILTER_WORDS: [&str; 5] = ["state", "name", "queue", "key", "worker"];

impl Filter {
    /// Only these tasks.
    #[must_use]
    pub fn of(ids: impl IntoIterator<Item = TaskId>) -> Self {
        Self {
            ids: Some(ids.into_iter().collect()),
            ..Self::default()
        }
    }

    /// Reads what a person types: words that a task must have, `!word` for what it must not have,
    /// `state:failed,retrying`, `name:add`, `queue:mail`, `key:acme` and `worker:w2`.
    ///
    /// # Errors
    /// A sentence that names the word that means nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for word in text.split_whitespace() {
            match word.split_once(':') {
                Some((what, value)) if FILTER_WORDS.contains(&what) => filter.word(what, value)?,
                _ => match word.strip_prefix('!') {
                    Some("") => {}
                    Some(text) => filter.lacks.push(text.to_lowercase()),
                    None => filter.has.push(word.to_lowercase()),
                },
            }
        }
        Ok(filter)
    }

    fn word(&mut self, what: &str, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Err(format!("`{what}:` lacks what to look for"));
        }
        match what {
            "state" => {
                let states = value.split(',');
                let states = states.map(|s| s.parse::<State>().map_err(|()| unknown_state(s)));
                self.states = states.collect::<Result<_, _>>()?;
            }
            "name" => self.name = Some(value.to_owned()),
            "queue" => self.queue = Some(value.to_owned()),
            "key" => self.key = Some(value.to_owned()),
            _ => {
                let number = value.trim_start_matches('w').parse();
                self.worker =
                    Some(number.map_err(|_not_a_number| {
                        format!("`{value}` is no worker; write worker:w2")
                    })?);
            }
        }
        Ok(())
    }

    /// Whether it lets everything through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same for fewer states.
    #[must_use]
    pub fn within(mut self, states: StateSet) -> Self {
        self.states = self.states.and(states);
        self
    }

    /// Whether only states are asked for, which an index answers.
    #[must_use]
    pub fn only_states(&self) -> bool {
        let by_state = Self {
            states: self.states,
            ..Self::default()
        };
        *self == by_state
    }
}

fn unknown_state(text: &str) -> String {
    let words: Vec<_> = State::ALL.into_iter().map(State::word).collect();
    format!("`{text}` is no state; there is {}", words.join(", "))
}

/// The place of a task in an order. It stays meaningful when the task itself has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cursor {
    /// What the order compares first: the state's index, or the duration in microseconds.
    pub key: u64,
    /// Which task, among equals.
    pub id: TaskId,
}

/// Where a page starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// At the first task of the order.
    #[default]
    First,
    /// At this place, with the task that is there.
    At(Cursor),
    /// Behind this place.
    After(Cursor),
    /// The page that ends before this place.
    Before(Cursor),
    /// The page that ends with the last task.
    Last,
}

impl From {
    /// Whether the page is filled towards the beginning.
    #[must_use]
    pub const fn is_backwards(self) -> bool {
        matches!(self, Self::Before(_) | Self::Last)
    }
}

/// The most tasks on one page.
pub const MAX_PAGE: usize = 1_000;

/// A question to a broker.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    /// Which tasks.
    pub filter: Filter,
    /// In what order.
    pub order: Order,
    /// From where.
    pub from: From,
    /// How many at most; at most [`MAX_PAGE`].
    pub limit: usize,
}

/// Tasks in the order that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Page {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// The broker looked at as many tasks as one call may and stopped here: ask again from this
    /// place, after it or before it as the page was asked for. `None`: the page is full, or there is
    /// no more.
    pub more_from: Option<Cursor>,
}

/// What [`Order::Slowest`] compares: microseconds, and nothing for what ran briefly or not at all.
/// Most tasks run briefly, and to sort those would cost each of them a place in an index.
#[must_use]
pub fn slowness(ran: Option<Duration>) -> u64 {
    let ran = ran.filter(|ran| *ran >= BRIEF).unwrap_or_default();
    u64::try_from(ran.as_micros()).unwrap_or(u64::MAX)
}

impl Order {
    /// Where a task is in this order.
    #[must_use]
    pub fn cursor(self, task: &Task) -> Cursor {
        let key = match self {
            Self::Newest | Self::Oldest => 0,
            Self::State => task.state.index() as u64,
            Self::Slowest => slowness(task.ran),
        };
        Cursor { key, id: task.id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_reads_states_words_and_their_opposite() {
        let filter = Filter::parse("state:failed,run Add !ali worker:w2").expect("reads");
        assert!(filter.states.has(State::Failed) && filter.states.has(State::Running));
        assert!(!filter.states.has(State::Queued));
        assert_eq!(filter.has, ["add"]);
        assert_eq!(filter.lacks, ["ali"]);
        assert_eq!(filter.worker, Some(2));
        assert!(Filter::parse("").expect("reads").is_empty());
        assert!(Filter::parse("state:failed").expect("reads").only_states());
    }

    #[test]
    fn a_filter_that_means_nothing_says_which_word() {
        let why = Filter::parse("state:done").expect_err("no such state");
        assert!(why.contains("`done`") && why.contains("succeeded"), "{why}");
        assert!(Filter::parse("worker:x").is_err());
    }

    #[test]
    fn every_order_comes_round() {
        let mut order = Order::default();
        for expected in Order::ALL {
            assert_eq!(order, expected);
            order = order.next();
        }
        assert_eq!(order, Order::default());
    }
}

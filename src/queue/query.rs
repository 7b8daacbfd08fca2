//! Finding tasks: which, in what order, and a page at a time by key, so that a page costs the same
//! at the start and in the middle of a million.

use serde::Serialize;

use super::task::{State, Task, TaskId};

/// A set of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct States(u8);

impl States {
    /// Every state.
    pub const ALL: Self = Self(u8::MAX);
    /// No state.
    pub const NONE: Self = Self(0);

    /// These states and one more.
    #[must_use]
    pub const fn with(self, state: State) -> Self {
        Self(self.0 | 1 << state.index())
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

impl FromIterator<State> for States {
    fn from_iter<T: IntoIterator<Item = State>>(states: T) -> Self {
        states.into_iter().fold(Self::NONE, Self::with)
    }
}

/// In what order tasks are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
    /// By state, in the order of [`State::ALL`], and the newest first within one.
    State,
    /// The slowest first; only tasks that ran to an end.
    Slowest,
}

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// In one of these states.
    pub states: States,
    /// With all of these texts in their id, name, arguments, result or errors; upper and lower case
    /// are the same.
    pub has: Vec<String>,
    /// With none of these texts.
    pub lacks: Vec<String>,
    /// Last run by this worker.
    pub worker: Option<u16>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            states: States::ALL,
            has: Vec::new(),
            lacks: Vec::new(),
            worker: None,
        }
    }
}

impl Filter {
    /// Reads what a person types: words that a task must have, `!word` for what it must not have,
    /// `state:failed,retrying` and `worker:w2`.
    ///
    /// # Errors
    /// A sentence that names the word that means nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for word in text.split_whitespace() {
            if let Some(states) = word.strip_prefix("state:") {
                filter.states = states
                    .split(',')
                    .map(|s| s.parse::<State>().map_err(|()| unknown_state(s)))
                    .collect::<Result<_, _>>()?;
            } else if let Some(worker) = word.strip_prefix("worker:") {
                let number = worker.trim_start_matches('w').parse();
                filter.worker = Some(number.map_err(|_not_a_number| {
                    format!("`{worker}` is no worker; write worker:w2")
                })?);
            } else if let Some(text) = word.strip_prefix('!') {
                filter.lacks.push(text.to_lowercase());
            } else {
                filter.has.push(word.to_lowercase());
            }
        }
        filter.lacks.retain(|text| !text.is_empty());
        Ok(filter)
    }

    /// Whether it lets everything through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether only states are asked for, which an index answers.
    #[must_use]
    pub fn only_states(&self) -> bool {
        self.has.is_empty() && self.lacks.is_empty() && self.worker.is_none()
    }
}

fn unknown_state(text: &str) -> String {
    let words: Vec<_> = State::ALL.into_iter().map(State::word).collect();
    format!("`{text}` is no state; there is {}", words.join(", "))
}

/// The place of a task in an order. It stays meaningful when the task itself has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// What the order compares first: the state's index, or the duration in microseconds.
    pub key: u64,
    /// Which task, among equals.
    pub id: TaskId,
}

/// Where a page starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Page {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// The broker looked at as many tasks as one call may and stopped here: ask again from this
    /// place, after it or before it as the page was asked for. `None`: the page is full, or there is
    /// no more.
    #[serde(skip)]
    pub more_from: Option<Cursor>,
}

impl Order {
    /// Where a task is in this order.
    #[must_use]
    pub fn cursor(self, task: &Task) -> Cursor {
        let key = match self {
            Self::Newest | Self::Oldest => 0,
            Self::State => task.state.index() as u64,
            Self::Slowest => task
                .duration()
                .map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX)),
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

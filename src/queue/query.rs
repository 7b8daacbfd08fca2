//! Queries for tasks: a filter, an order and a page. Pages start at a key, so that a page in the
//! middle of a million tasks costs as much as the first.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    id::{TaskId, WorkerId},
    state::{State, StateSet},
    task::Task,
};

/// The order of a list of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
    /// By state in the order of [`State::ALL`], and newest first within a state.
    State,
    /// Finished tasks by the time that they ran, longest first; those below [`MIN_SORTED`] are equal
    /// and sorted newest first.
    Slowest,
}

/// Tasks that ran for less time are not sorted by it.
pub const MIN_SORTED: Duration = Duration::from_millis(1);

impl Order {
    /// Every order, in the order in which a key cycles through them.
    pub const ALL: [Self; 4] = [Self::Newest, Self::Oldest, Self::State, Self::Slowest];

    /// The next order in the cycle.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Newest => Self::Oldest,
            Self::Oldest => Self::State,
            Self::State => Self::Slowest,
            Self::Slowest => Self::Newest,
        }
    }

    /// The name in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
            Self::State => "state",
            Self::Slowest => "slowest",
        }
    }

    /// The position of a task in this order.
    #[must_use]
    pub fn cursor(self, task: &Task) -> Cursor {
        let key = match self {
            Self::Newest | Self::Oldest => 0,
            Self::State => task.state.index() as u64,
            Self::Slowest => duration_key(task.run_time),
        };
        Cursor {
            key,
            id: task.id.clone(),
        }
    }
}

/// The conditions that a task must meet, all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// In one of these states.
    pub states: StateSet,
    /// With each of these texts in its id, name, key, arguments, result or error; case is ignored.
    pub contains: Vec<String>,
    /// With none of these texts.
    pub excludes: Vec<String>,
    /// With this name.
    pub name: Option<String>,
    /// In this queue.
    pub queue: Option<String>,
    /// With this key.
    pub key: Option<String>,
    /// Last run by this worker.
    pub worker: Option<WorkerId>,
    /// With one of these ids, if any are given.
    pub ids: Option<BTreeSet<TaskId>>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            states: StateSet::ALL,
            contains: Vec::new(),
            excludes: Vec::new(),
            name: None,
            queue: None,
            key: None,
            worker: None,
            ids: None,
        }
    }
}

/// The fields that a filter text can name before a colon.
pub const FILTER_FIELDS: [&str; 5] = ["state", "name", "queue", "key", "worker"];

impl Filter {
    /// Returns a filter for tasks with these ids.
    #[must_use]
    pub fn by_ids(ids: impl IntoIterator<Item = TaskId>) -> Self {
        Self {
            ids: Some(ids.into_iter().collect()),
            ..Self::default()
        }
    }

    /// Parses a filter as a person types it: words to contain, `!word` to exclude,
    /// `state:failed,retrying`, `name:add`, `queue:mail`, `key:acme` and `worker:w2`.
    ///
    /// # Errors
    /// A sentence that names the invalid word.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for word in text.split_whitespace() {
            match word.split_once(':') {
                Some((field, value)) if FILTER_FIELDS.contains(&field) => {
                    filter.set_field(field, value)?;
                }
                _ => match word.strip_prefix('!') {
                    Some("") => {}
                    Some(text) => filter.excludes.push(text.to_lowercase()),
                    None => filter.contains.push(word.to_lowercase()),
                },
            }
        }
        Ok(filter)
    }

    fn set_field(&mut self, field: &str, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Err(format!("`{field}:` needs a value"));
        }
        match field {
            "state" => {
                let states = value.split(',');
                let states = states.map(|s| s.parse::<State>().map_err(|()| unknown_state(s)));
                self.states = states.collect::<Result<_, _>>()?;
            }
            "name" => self.name = Some(value.to_owned()),
            "queue" => self.queue = Some(value.to_owned()),
            "key" => self.key = Some(value.to_owned()),
            _ => {
                let worker = value.parse();
                self.worker =
                    Some(worker.map_err(|why: super::id::ParseWorkerIdError| why.to_string())?);
            }
        }
        Ok(())
    }

    /// Returns true for a filter that matches every task.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the filter restricted to these states.
    #[must_use]
    pub fn within(mut self, states: StateSet) -> Self {
        self.states = self.states.and(states);
        self
    }

    /// Returns true for a filter that names states only, which an index serves.
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
    let names: Vec<_> = State::ALL
        .into_iter()
        .filter(|state| state.is_common())
        .map(State::as_str)
        .collect();
    format!("`{text}` is not a state; use one of {}", names.join(", "))
}

/// The position of a task in an order. It stays valid after the task has been removed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cursor {
    /// The sort key of the order: the index of the state, or the duration in microseconds.
    pub key: u64,
    /// The task among those with an equal key.
    pub id: TaskId,
}

/// The start of a page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PageStart {
    /// The first task of the order.
    #[default]
    First,
    /// This position, including its task.
    At(Cursor),
    /// After this position.
    After(Cursor),
    /// The page that ends before this position.
    Before(Cursor),
    /// The page that ends with the last task.
    Last,
}

impl PageStart {
    /// Returns true for a page that is filled towards the beginning.
    #[must_use]
    pub const fn is_backwards(&self) -> bool {
        matches!(self, Self::Before(_) | Self::Last)
    }
}

/// The largest number of tasks on one page.
pub const MAX_PAGE: usize = 1_000;

/// A query for one page of tasks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    /// The conditions.
    pub filter: Filter,
    /// The order.
    pub order: Order,
    /// The start of the page.
    pub from: PageStart,
    /// The maximum number of tasks, up to [`MAX_PAGE`].
    pub limit: usize,
}

/// A page of tasks in the requested order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Page {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// The position at which the broker stopped because one call has a limit: the page resumes after
    /// it, or before it for a page that is filled backwards. `None`: the page is full or complete.
    pub resume_at: Option<Cursor>,
}

/// The sort key of [`Order::Slowest`] in microseconds; 0 for a task that ran for less than
/// [`MIN_SORTED`] or not at all. Most tasks are short, and sorting them would cost each of them an
/// index entry.
#[must_use]
pub fn duration_key(run_time: Option<Duration>) -> u64 {
    let run_time = run_time
        .filter(|run_time| *run_time >= MIN_SORTED)
        .unwrap_or_default();
    u64::try_from(run_time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_parses_fields_words_and_exclusions() {
        let filter = Filter::parse("state:failed,run Add !ali worker:w2").expect("reads");
        assert!(filter.states.contains(State::Failed) && filter.states.contains(State::Running));
        assert!(!filter.states.contains(State::Queued));
        assert_eq!(filter.contains, ["add"]);
        assert_eq!(filter.excludes, ["ali"]);
        assert_eq!(filter.worker, Some(WorkerId::Local(2)));
        assert!(Filter::parse("").expect("reads").is_empty());
        assert!(Filter::parse("state:failed").expect("reads").only_states());
    }

    #[test]
    fn an_invalid_filter_names_the_word() {
        let why = Filter::parse("state:done").expect_err("no such state");
        assert!(why.contains("`done`") && why.contains("succeeded"), "{why}");
        assert!(Filter::parse("worker:x").is_err());
    }

    #[test]
    fn orders_cycle() {
        let mut order = Order::default();
        for expected in Order::ALL {
            assert_eq!(order, expected);
            order = order.next();
        }
        assert_eq!(order, Order::default());
    }
}

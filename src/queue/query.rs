//! Queries for tasks: a filter, an order and a page. Pages start at a key, so that a page in the
//! middle of a million tasks costs as much as the first.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    id::{TaskId, WorkerId},
    limits::{LimitExceeded, MAX_FILTER_IDS, MAX_FILTER_TEXT, MAX_FILTER_WORDS},
    state::{State, StateSet},
    task::Task,
};
use crate::suggest::did_you_mean;

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
}

/// The conditions that a task must meet, all of them. Its size is limited; see
/// [`Filter::check_limits`].
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

    /// Parses a filter as a person types it: words to contain, `!word` to exclude, `"a text"` in double
    /// quotes, `state:failed,retrying`, `!state:failed`, `name:add`, `queue:mail`, `key:acme` and
    /// `worker:w2`.
    ///
    /// # Errors
    /// A sentence that names the invalid word, or the limit that the filter exceeds. A word such as
    /// `stat:failed`, with a field that there is not, is invalid and not a text, with and without `!`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for word in filter_words(text)? {
            filter.add_word(word)?;
        }
        let fits = filter.check_limits().map_err(|why| why.to_string());
        fits.map(|()| filter)
    }

    /// Checks the size of the filter: every row that a request examines costs as much as its filter is
    /// large.
    ///
    /// # Errors
    /// [`LimitExceeded`] names the limit: [`MAX_FILTER_WORDS`], [`MAX_FILTER_TEXT`] or
    /// [`MAX_FILTER_IDS`].
    pub fn check_limits(&self) -> Result<(), LimitExceeded> {
        let words = self.words();
        if words > MAX_FILTER_WORDS {
            return Err(LimitExceeded::FilterWords(words));
        }
        let ids = self.ids.as_ref().map_or(0, BTreeSet::len);
        if ids > MAX_FILTER_IDS {
            return Err(LimitExceeded::FilterIds(ids));
        }
        let names = [&self.name, &self.queue, &self.key].into_iter().flatten();
        let texts = self.contains.iter().chain(&self.excludes).chain(names);
        match texts.map(String::len).max() {
            Some(length) if length > MAX_FILTER_TEXT => Err(LimitExceeded::FilterText(length)),
            _ => Ok(()),
        }
    }

    /// Returns the number of words that each row is searched for.
    pub(super) const fn words(&self) -> usize {
        self.contains.len() + self.excludes.len()
    }

    fn add_word(&mut self, word: FilterWord<'_>) -> Result<(), String> {
        let FilterWord {
            excluded,
            text,
            quoted,
        } = word;
        if text.is_empty() {
            return Err(match (quoted, excluded) {
                (true, _) => "`\"\"` is empty; write a text between the quotes".to_owned(),
                (false, _) => "`!` needs a word to exclude".to_owned(),
            });
        }
        match split_field(text).filter(|_| !quoted) {
            Some((field, value)) => self.set_field(field, value, excluded),
            None => {
                let texts = match excluded {
                    true => &mut self.excludes,
                    false => &mut self.contains,
                };
                texts.push(text.to_lowercase());
                Ok(())
            }
        }
    }

    fn set_field(&mut self, field: &str, value: &str, excluded: bool) -> Result<(), String> {
        if !FILTER_FIELDS.contains(&field) {
            return Err(unknown_field(field, value));
        }
        if value.is_empty() {
            return Err(format!("`{field}:` needs a value"));
        }
        if field == "state" {
            let states = value.split(',');
            let states = states.map(|s| s.parse::<State>().map_err(|()| unknown_state(s)));
            let states: StateSet = states.collect::<Result<_, _>>()?;
            let states = if excluded {
                states.complement()
            } else {
                states
            };
            self.states = self.states.and(states);
            return match self.states == StateSet::NONE {
                true => Err(format!(
                    "no task is in the states of `{field}:{value}` and of the words before; for several \
                     states write state:failed,queued"
                )),
                false => Ok(()),
            };
        }
        if excluded {
            return Err(format!(
                "`!{field}:{value}`: only words and states can be excluded, for example !word or \
                 !state:failed"
            ));
        }
        let is_repeated = match field {
            "name" => self.name.replace(value.to_owned()).is_some(),
            "queue" => self.queue.replace(value.to_owned()).is_some(),
            "key" => self.key.replace(value.to_owned()).is_some(),
            _ => {
                let worker = value.parse();
                let worker = worker.map_err(|why: super::id::ParseWorkerIdError| why.to_string());
                self.worker.replace(worker?).is_some()
            }
        };
        match is_repeated {
            true => Err(format!("`{field}:` is given twice; a task has one {field}")),
            false => Ok(()),
        }
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

/// A word of a filter, as it was typed.
struct FilterWord<'a> {
    /// It began with `!`.
    excluded: bool,
    text: &'a str,
    /// It was in double quotes, so it is a text even with a colon or spaces in it.
    quoted: bool,
}

/// Splits a filter into words: at spaces, except for those in double quotes around a word.
fn filter_words(text: &str) -> Result<Vec<FilterWord<'_>>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let excluded = rest.starts_with('!');
        let word = rest.strip_prefix('!').unwrap_or(rest);
        let (text, quoted, after) = match word.strip_prefix('"') {
            Some(inside) => {
                let (text, after) = inside
                    .split_once('"')
                    .ok_or_else(|| format!("`\"{inside}` has no closing double quote"))?;
                (text, true, after)
            }
            None => {
                let end = word.find(char::is_whitespace).unwrap_or(word.len());
                let (text, after) = word.split_at(end);
                (text, false, after)
            }
        };
        words.push(FilterWord {
            excluded,
            text,
            quoted,
        });
        rest = after.trim_start();
    }
    Ok(words)
}

/// Returns true for a word that a filter reads as a field with a value, whether there is such a field or
/// not.
#[must_use]
pub(crate) fn is_filter_field(word: &str) -> bool {
    split_field(word).is_some()
}

/// Splits a word into a field and a value: `stat:failed`, but not `12:30` or `{"a":1}`.
fn split_field(word: &str) -> Option<(&str, &str)> {
    let (field, value) = word.split_once(':')?;
    let is_name = !field.is_empty()
        && field
            .chars()
            .all(|c| c.is_ascii_alphabetic() || matches!(c, '-' | '_'));
    is_name.then_some((field, value))
}

fn unknown_field(field: &str, value: &str) -> String {
    let near = did_you_mean(field, FILTER_FIELDS);
    let fields = FILTER_FIELDS.join(", ");
    match near.as_str() {
        "" => format!(
            "there is no field `{field}`, only {fields}; to look for the text, write \"{field}:{value}\""
        ),
        near => format!("there is no field `{field}`{near}"),
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

/// The position of a task in an order. Only an engine makes one and knows its content; it stays valid
/// after the task has been removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// The sort key of the order.
    key: u64,
    /// The number of the row among those with an equal key.
    row: u64,
}

impl Cursor {
    /// Returns the cursor of a row.
    pub(super) const fn new(key: u64, row: u64) -> Self {
        Self { key, row }
    }

    /// The sort key of the order, and the number of the row.
    pub(super) const fn position(self) -> (u64, u64) {
        (self.key, self.row)
    }
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

impl Query {
    /// The start of the page that follows `page` in the direction of this query; `None` when there is
    /// none.
    #[must_use]
    pub fn next_page(&self, page: &Page) -> Option<PageStart> {
        let backwards = self.from.is_backwards();
        let last = if backwards {
            page.rows.first()
        } else {
            page.rows.last()
        };
        let end = page.resume_at.or(last.map(|row| row.cursor))?;
        Some(if backwards {
            PageStart::Before(end)
        } else {
            PageStart::After(end)
        })
    }
}

/// A page of tasks in the requested order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Page {
    /// The tasks with their positions.
    pub rows: Vec<PageRow>,
    /// The position at which the broker stopped because one call has a limit: the page resumes after
    /// it, or before it for a page that is filled backwards. `None`: the page is full or complete.
    pub resume_at: Option<Cursor>,
}

/// A task of a page, with its position in the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRow {
    /// The position.
    pub cursor: Cursor,
    /// The task.
    pub task: Task,
}

impl Page {
    /// The tasks in order.
    pub fn tasks(&self) -> impl DoubleEndedIterator<Item = &Task> {
        self.rows.iter().map(|row| &row.task)
    }

    /// Returns the tasks in order.
    pub fn into_tasks(self) -> impl DoubleEndedIterator<Item = Task> {
        self.rows.into_iter().map(|row| row.task)
    }
}

/// A page for display only: its rows have no position.
impl FromIterator<Task> for Page {
    fn from_iter<T: IntoIterator<Item = Task>>(tasks: T) -> Self {
        let row = |task| PageRow {
            cursor: Cursor::default(),
            task,
        };
        Self {
            rows: tasks.into_iter().map(row).collect(),
            resume_at: None,
        }
    }
}

/// The sort key of [`Order::Slowest`] in microseconds; 0 for a task that ran for less than
/// [`MIN_SORTED`] or not at all. Most tasks are short, and sorting them would cost each of them an
/// index entry.
#[must_use]
pub(super) fn duration_key(run_time: Option<Duration>) -> u64 {
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
    fn a_state_can_be_excluded_and_a_text_can_be_quoted() {
        let filter = Filter::parse("!state:failed,rejected !state:queued").expect("reads");
        assert!(!filter.states.contains(State::Failed) && !filter.states.contains(State::Queued));
        assert!(filter.states.contains(State::Running));
        let filter = Filter::parse("\"Stat:failed\" !\"a b\" 12:30 {\"a\":1}").expect("reads");
        assert_eq!(filter.contains, ["stat:failed", "12:30", "{\"a\":1}"]);
        assert_eq!(filter.excludes, ["a b"]);
        assert!(filter.states == StateSet::ALL);
    }

    #[test]
    fn an_invalid_filter_names_the_word() {
        for (text, expected) in [
            ("state:done", "`done` is not a state; use one of"),
            ("worker:x", "`x` is not a worker"),
            (
                "stat:failed",
                "there is no field `stat`; did you mean `state`?",
            ),
            (
                "!sate:failed",
                "there is no field `sate`; did you mean `state`?",
            ),
            (
                "foo:bar",
                "there is no field `foo`, only state, name, queue, key, worker; to look for the text, write \"foo:bar\"",
            ),
            ("!foo:bar", "there is no field `foo`"),
            ("name:", "`name:` needs a value"),
            ("!name:add", "only words and states can be excluded"),
            ("name:add name:mul", "`name:` is given twice"),
            ("state:failed state:queued", "for several states write"),
            ("!", "`!` needs a word to exclude"),
            ("add ! b", "`!` needs a word to exclude"),
            ("\"\"", "is empty"),
            ("\"add", "has no closing double quote"),
        ] {
            let why = Filter::parse(text).expect_err(text);
            assert!(why.contains(expected), "{text}: {why}");
        }
    }

    #[test]
    fn a_filter_over_a_limit_names_it() {
        let words = |count: usize| vec!["x"; count].join(" ");
        assert!(Filter::parse(&words(MAX_FILTER_WORDS)).is_ok());
        let why = Filter::parse(&words(MAX_FILTER_WORDS + 1)).expect_err("too many");
        assert_eq!(
            why,
            "a filter has at most 32 words, and this one has 33; use fewer"
        );
        let both = Filter {
            contains: vec!["x".into(); MAX_FILTER_WORDS],
            excludes: vec!["y".into()],
            ..Filter::default()
        };
        assert_eq!(both.check_limits(), Err(LimitExceeded::FilterWords(33)));

        let long = "x".repeat(MAX_FILTER_TEXT + 1);
        for field in ["", "!", "name:", "queue:", "key:"] {
            let why = Filter::parse(&format!("{field}{long}")).expect_err("too long");
            assert!(why.contains("at most 256 bytes"), "{field}: {why}");
        }

        let ids = |count: usize| Filter::by_ids((0..count as u64).map(TaskId::Sequence));
        assert_eq!(ids(MAX_FILTER_IDS).check_limits(), Ok(()));
        let many = ids(MAX_FILTER_IDS + 1).check_limits();
        assert_eq!(many, Err(LimitExceeded::FilterIds(1_001)));
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

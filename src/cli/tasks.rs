//! `tasks`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{
    word_of,
    words::{non_blank, number},
};
use crate::queue::{
    id::{ParseTaskIdError, TaskId},
    query::{self, Filter, Order},
};

/// `tasks`
#[derive(Debug, Clone, Subcommand)]
pub enum TasksCommand {
    /// List tasks
    #[command(visible_alias = "ls")]
    List {
        /// Filter: word, !word, state:failed,running, name:add, key:K, queue:Q, worker:w2
        #[arg(value_parser = non_blank)]
        filter: Vec<String>,
        /// Sort order
        #[arg(long, value_name = "ORDER", default_value = "newest", value_parser = word_of(Order::ALL, Order::as_str))]
        sort: Order,
        /// Maximum number of tasks
        #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = number(1..=usize::MAX))]
        limit: usize,
    },
    /// Show the details of a task
    Show {
        /// Id of the task
        id: TaskId,
    },
    /// Cancel tasks by id or by filter
    Cancel(TaskSelector),
    /// Retry failed, cancelled or expired tasks
    Retry(TaskSelector),
    /// Purge finished tasks: delete them with their results
    Purge(TaskSelector),
    /// Print task events as they happen
    Watch,
    /// Write tasks to a new .json or .csv file
    Export {
        /// File to write, which must not exist
        file: PathBuf,
        /// Filter as for `tasks list`
        #[arg(value_parser = non_blank)]
        filter: Vec<String>,
        /// Sort order
        #[arg(long, value_name = "ORDER", default_value = "newest", value_parser = word_of(Order::ALL, Order::as_str))]
        sort: Order,
    },
}

/// The tasks that a command acts on.
#[derive(Debug, Clone, Args)]
pub struct TaskSelector {
    /// Ids, or a filter as for `tasks list`; required without --all
    pub tasks: Vec<String>,
    /// Every task to which the command applies, instead of ids or a filter
    #[arg(long, conflicts_with = "tasks")]
    pub all: bool,
}

/// The parsed words of a [`TaskSelector`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// The tasks with these ids.
    Ids(Vec<TaskId>),
    /// The tasks that match this filter.
    Filter(Filter),
}

impl TaskSelector {
    /// Returns the selected tasks: those with the given ids if every word is an id.
    ///
    /// # Errors
    /// A sentence that names the invalid word. An empty word, such as that of a shell variable without a
    /// value, is invalid: it would match every task.
    pub(crate) fn selection(&self) -> Result<Selection, String> {
        if self.tasks.is_empty() && !self.all {
            return Err(
                "no tasks given: name them by id or with a filter, or give --all".to_owned(),
            );
        }
        if self.tasks.iter().any(|word| word.trim().is_empty()) {
            return Err("an empty word selects no task; for all tasks give --all".to_owned());
        }
        let ids: Result<Vec<TaskId>, _> = self.tasks.iter().map(|word| task_id(word)).collect();
        match ids {
            Ok(ids) if !ids.is_empty() => Ok(Selection::Ids(ids)),
            Err(error @ ParseTaskIdError::TooLarge(_)) => Err(error.to_string()),
            _ => Filter::parse(&self.tasks.join(" ")).map(Selection::Filter),
        }
    }
}

/// Parses a task id; a word of a filter, such as `worker:w2`, is none.
fn task_id(word: &str) -> Result<TaskId, ParseTaskIdError> {
    match query::is_filter_field(word) {
        true => Err(ParseTaskIdError::Invalid(word.to_owned())),
        false => word.parse(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(words: &[&str]) -> Result<Selection, String> {
        let tasks = words.iter().map(ToString::to_string).collect();
        TaskSelector { tasks, all: false }.selection()
    }

    #[test]
    fn words_that_are_all_ids_select_tasks_and_others_are_a_filter() {
        let uuid = "01234567-89ab-cdef-0123-456789abcdef";
        let ids = [TaskId::Sequence(5), TaskId::External(uuid.into())];
        assert_eq!(selection(&["#5", uuid]), Ok(Selection::Ids(ids.to_vec())));
        for filter in ["worker:w2", "key:order-1", "state:queued", "add"] {
            let parsed = Filter::parse(filter).expect("reads");
            assert_eq!(selection(&[filter]), Ok(Selection::Filter(parsed)));
        }
        let mixed = Filter::parse("5 add").expect("reads");
        assert_eq!(selection(&["5", "add"]), Ok(Selection::Filter(mixed)));
        for empty in [&[""][..], &[" "], &["5", ""]] {
            let why = selection(empty).expect_err("empty");
            assert_eq!(
                why,
                "an empty word selects no task; for all tasks give --all"
            );
        }
        let why = selection(&[]).expect_err("nothing is selected");
        assert!(why.contains("--all"), "{why}");
        let all = TaskSelector {
            tasks: Vec::new(),
            all: true,
        };
        assert_eq!(all.selection(), Ok(Selection::Filter(Filter::default())));
        for mistyped in ["sate:failed", "!sate:failed"] {
            let why = selection(&[mistyped]).expect_err("no such field");
            assert_eq!(why, "there is no field `sate`; did you mean `state`?");
        }
        let large = "99999999999999999999999";
        let why = selection(&[large]).expect_err("too large");
        assert_eq!(why, format!("`{large}` is too large for a task id"));
    }
}

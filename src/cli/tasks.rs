//! `tasks`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::word_of;
use crate::queue::query::Order;

/// `tasks`
#[derive(Debug, Clone, Subcommand)]
pub enum TasksCommand {
    /// List tasks
    #[command(visible_alias = "ls")]
    List {
        /// Filter: word, !word, state:failed,running, name:add, key:K, queue:Q, worker:w2
        filter: Vec<String>,
        /// Sort order
        #[arg(long, value_name = "ORDER", default_value = "newest", value_parser = word_of(Order::ALL, Order::as_str))]
        sort: Order,
        /// Maximum number of tasks
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: usize,
    },
    /// Show the details of a task
    Show {
        /// Id of the task
        id: String,
    },
    /// Cancel tasks by id or by filter
    Cancel(TaskSelector),
    /// Retry failed, cancelled or expired tasks
    Retry(TaskSelector),
    /// Delete finished tasks
    Purge(TaskSelector),
    /// Print task events as they happen
    Watch,
    /// Write tasks to a new .json or .csv file
    Export {
        /// The file
        file: PathBuf,
        /// Filter, as for list
        filter: Vec<String>,
        /// Sort order
        #[arg(long, value_name = "ORDER", default_value = "newest", value_parser = word_of(Order::ALL, Order::as_str))]
        sort: Order,
    },
}

/// The tasks that a command acts on.
#[derive(Debug, Clone, Args)]
pub struct TaskSelector {
    /// Ids, or a filter as for list
    #[arg(required_unless_present = "all")]
    pub tasks: Vec<String>,
    /// All tasks to which the command applies
    #[arg(long, conflicts_with = "tasks")]
    pub all: bool,
}

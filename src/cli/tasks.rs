//! `tasks`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::OutputArgs;

/// `tasks`
#[derive(Debug, Clone, Subcommand)]
pub enum Tasks {
    /// List tasks
    #[command(visible_alias = "ls")]
    List {
        /// Words, !word, state:failed,running, name:add, key:K, queue:Q, worker:w2
        filter: Vec<String>,
        /// newest, oldest, state or slowest
        #[arg(long, value_name = "ORDER", default_value = "newest")]
        sort: String,
        /// At most so many
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
    /// Show everything about a task
    Show {
        /// Its number
        id: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
    /// Cancel tasks, by number or by filter
    Cancel(TaskSelector),
    /// Run tasks again that failed, were cancelled or expired
    Retry(TaskSelector),
    /// Forget finished tasks
    Purge(TaskSelector),
    /// Print what happens to tasks as it happens
    Watch(OutputArgs),
    /// Write tasks to a new .json or .csv file
    Export {
        /// The file
        file: PathBuf,
        /// As for list
        filter: Vec<String>,
        /// newest, oldest, state or slowest
        #[arg(long, value_name = "ORDER", default_value = "newest")]
        sort: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
}

/// Which tasks.
#[derive(Debug, Clone, Args)]
pub struct TaskSelector {
    /// Numbers, or a filter as for list
    #[arg(required_unless_present = "all")]
    pub which: Vec<String>,
    /// All that it can be done to
    #[arg(long, conflicts_with = "which")]
    pub all: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

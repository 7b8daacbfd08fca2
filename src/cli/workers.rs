//! `workers` and `queue`

use clap::Subcommand;

use super::words::{non_blank, number};
use crate::queue::limits::MAX_WORKERS;

/// `workers`
#[derive(Debug, Clone, Subcommand)]
pub enum WorkersCommand {
    /// List workers and the tasks they run
    #[command(visible_alias = "ls")]
    List,
    /// Set the number of workers
    Scale {
        /// Number of workers, 1 to 256
        #[arg(value_parser = worker_count)]
        count: usize,
    },
}

/// Accepts a number of workers.
pub(crate) fn worker_count(text: &str) -> Result<usize, String> {
    number(1..=MAX_WORKERS)(text)
}

/// `queue`
#[derive(Debug, Clone, Subcommand)]
pub enum QueueCommand {
    /// Stop starting tasks of one queue, or of all
    Pause {
        /// Name of the queue; without it, all queues
        #[arg(value_parser = non_blank)]
        queue: Option<String>,
    },
    /// Start tasks again
    Resume {
        /// Name of the queue; without it, all queues
        #[arg(value_parser = non_blank)]
        queue: Option<String>,
    },
    /// List queues and the tasks in them
    #[command(visible_alias = "ls")]
    List,
    /// Show task counts, rates and run times
    Stats,
}

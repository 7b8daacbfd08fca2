//! `workers` and `queue`

use clap::Subcommand;

/// `workers`
#[derive(Debug, Clone, Subcommand)]
pub enum WorkersCommand {
    /// List workers and the tasks they run
    #[command(visible_alias = "ls")]
    List,
    /// Set the number of workers
    Scale {
        /// Number of workers
        count: usize,
    },
}

/// `queue`
#[derive(Debug, Clone, Subcommand)]
pub enum QueueCommand {
    /// Stop starting tasks of one queue, or of all
    Pause {
        /// Name of the queue; without it, all queues
        queue: Option<String>,
    },
    /// Start tasks again
    Resume {
        /// Name of the queue; without it, all queues
        queue: Option<String>,
    },
    /// List queues and the tasks in them
    #[command(visible_alias = "ls")]
    List,
    /// Show counts, rates and durations
    Stats,
}

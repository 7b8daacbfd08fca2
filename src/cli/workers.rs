//! `workers` and `queue`

use clap::Subcommand;

use super::OutputArgs;

/// `workers`
#[derive(Debug, Clone, Subcommand)]
pub enum Workers {
    /// List workers and the tasks they run
    #[command(visible_alias = "ls")]
    List(OutputArgs),
    /// Set the number of workers
    Scale {
        /// Number of workers
        count: usize,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
}

/// `queue`
#[derive(Debug, Clone, Subcommand)]
pub enum Queue {
    /// Stop starting tasks of one queue, or of all
    Pause {
        /// Name of the queue; without it, all queues
        queue: Option<String>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
    /// Start tasks again
    Resume {
        /// Name of the queue; without it, all queues
        queue: Option<String>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
    /// Show counts, rates and durations
    Stats(OutputArgs),
}

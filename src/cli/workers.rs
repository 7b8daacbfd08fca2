//! `workers` and `queue`

use clap::Subcommand;

use super::OutputArgs;

/// `workers`
#[derive(Debug, Clone, Subcommand)]
pub enum Workers {
    /// List workers, and what they run
    #[command(visible_alias = "ls")]
    List(OutputArgs),
    /// Ask for so many
    Scale {
        /// How many
        count: usize,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
}

/// `queue`
#[derive(Debug, Clone, Subcommand)]
pub enum Queue {
    /// Hand out no further task, of one queue or of any
    Pause {
        /// The queue; all unless one is named
        queue: Option<String>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
    /// Hand out tasks again
    Resume {
        /// The queue; all unless one is named
        queue: Option<String>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
    /// Counts, rates and times
    Stats(OutputArgs),
}

//! `config`, `completions`, `record` and `replay`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::OutputArgs;

/// `config`
#[derive(Debug, Clone, Subcommand)]
pub enum Config {
    /// Print every setting as it is now, and where it comes from
    Show(OutputArgs),
    /// Write the default configuration, with every setting explained, where it is looked for
    Init {
        /// Print it instead
        #[arg(long, conflicts_with = "json")]
        print: bool,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
}

/// `completions`
#[derive(Debug, Clone, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `record`
#[derive(Debug, Clone, Args)]
pub struct Record {
    /// The file to write; it must not exist
    pub file: PathBuf,
}

/// `replay`
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// The file that was recorded
    pub file: PathBuf,
    /// How fast: 1 as it was, 10 ten times as fast
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub speed: f64,
    /// Begin paused
    #[arg(long)]
    pub paused: bool,
}

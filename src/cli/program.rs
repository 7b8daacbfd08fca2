//! `config`, `doctor`, `backup`, `restore`, `completions`, `record` and `replay`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::words::factor;

/// `config`
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting with its value and source
    ///
    /// Every setting is an option here, to show its effect: `config show --workers 4`.
    Show,
    /// Write a configuration file with every setting, its default and an explanation
    Init {
        /// Print the file instead of writing it
        #[arg(long, conflicts_with = "json")]
        print: bool,
        /// Replace an existing file
        #[arg(long)]
        force: bool,
    },
}

/// `doctor`
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// Remove the findings about losses, after you have read them
    #[arg(long)]
    pub acknowledge: bool,
}

/// `backup`
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// File to write; it must not exist
    pub file: PathBuf,
}

/// `restore`
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// File written by `backup`
    pub file: PathBuf,
}

/// `completions`
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `record`
#[derive(Debug, Clone, Args)]
pub struct RecordArgs {
    /// File to write; it must not exist
    pub file: PathBuf,
}

/// `replay`
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// File written by `record`
    pub file: PathBuf,
    /// Speed: 1 is the original speed, 10 is ten times as fast
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor)]
    pub speed: f64,
    /// Start paused
    #[arg(long)]
    pub paused: bool,
}

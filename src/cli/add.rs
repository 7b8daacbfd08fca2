//! `add` and `submit`

use std::time::Duration;

use clap::Args;

use super::{
    TaskFlags,
    words::{duration, seconds},
};

/// `add`
#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    /// Two numbers, integers of any size or floats. Options such as priority:9 may follow. Without
    /// numbers, one addition per line from stdin
    #[arg(value_name = "X Y", num_args = 0.., allow_negative_numbers = true)]
    pub numbers: Vec<String>,
    /// Seconds of simulated work
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub seconds: Option<f64>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub submit: SubmissionArgs,
}

/// `submit`
#[derive(Debug, Clone, Args)]
pub struct SubmitArgs {
    /// Name of the task and its arguments as JSON: `add [2,3]`. Options such as priority:9 may follow.
    /// Without a task, one per line from stdin
    #[arg(value_name = "NAME ARGS", num_args = 0..)]
    pub task: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub submit: SubmissionArgs,
}

/// Options of the commands that submit tasks.
#[derive(Debug, Clone, Args)]
pub struct SubmissionArgs {
    /// Wait for the result and print it
    #[arg(long)]
    pub wait: bool,
    /// Stop waiting after this time: 30s, 5m
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Print results as they arrive, each with its line number, not in order
    #[arg(long, requires = "wait")]
    pub unordered: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub flags: TaskFlags,
}

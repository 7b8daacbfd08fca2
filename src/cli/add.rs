//! `add` and `submit`

use clap::Args;

use super::TaskFlags;

/// `add`
#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    /// Two numbers, integers of any size or floats; without any, one addition per line from stdin.
    /// Options such as priority:9 may follow
    #[arg(value_name = "X Y", num_args = 0.., allow_negative_numbers = true)]
    pub numbers: Vec<String>,
    /// Seconds of simulated work
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<f64>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub submit: SubmissionArgs,
}

/// `submit`
#[derive(Debug, Clone, Args)]
pub struct SubmitArgs {
    /// Name of the task and its arguments as JSON; options such as priority:9 may follow. Without any,
    /// one task per line from stdin
    #[arg(value_name = "NAME JSON", num_args = 0..)]
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
    #[arg(long, value_name = "TIME", requires = "wait")]
    pub timeout: Option<String>,
    /// Print results as they arrive, each with its line number, not in order
    #[arg(long, requires = "wait")]
    pub unordered: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub flags: TaskFlags,
}

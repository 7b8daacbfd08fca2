//! `add`

use clap::Args;

use super::OutputArgs;

/// `add`
#[derive(Debug, Clone, Args)]
pub struct Add {
    /// Two numbers: integers of any size, or floats; none reads `X Y` a line from standard input
    #[arg(value_name = "X Y", num_args = 0..=3, allow_negative_numbers = true)]
    pub numbers: Vec<String>,
    /// Wait for the result and print it
    #[arg(long)]
    pub wait: bool,
    /// Give up waiting after this time: 30s, 5m
    #[arg(long, value_name = "TIME", requires = "wait")]
    pub timeout: Option<String>,
    /// Seconds of simulated work
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<f64>,
    /// Do not start before this time has passed: 30s, 5m
    #[arg(long, value_name = "TIME")]
    pub countdown: Option<String>,
    /// What it is about
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// While a task with the key is alive, take no other
    #[arg(long, requires = "key", conflicts_with = "serial")]
    pub unique: bool,
    /// Of all tasks with the key run one at a time
    #[arg(long, requires = "key")]
    pub serial: bool,
    /// 0 to 9, usually 5; the higher goes first
    #[arg(long, value_name = "0-9")]
    pub priority: Option<u8>,
    /// The queue
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<String>,
    /// Print results as they come, with the number of their line, not in order
    #[arg(long, requires = "wait")]
    pub unordered: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

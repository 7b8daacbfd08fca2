//! `serve`

use clap::Args;

/// `serve`
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// Do without a part: naming, greeter, broker or workers
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    pub without: Vec<String>,

    /// Join this node first; `-` reads the ticket from standard input, `@FILE` from a file
    #[arg(
        long,
        value_name = "TICKET",
        env = "DISTRO_TUI_TICKET",
        hide_env_values = true
    )]
    pub join: Option<String>,

    /// Print the ready line as JSON
    #[arg(long)]
    pub json: bool,
}

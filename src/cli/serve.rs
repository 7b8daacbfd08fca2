//! `serve`

use clap::Args;

use crate::node::Component;

/// `serve`
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// Disable a component; can be repeated
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    pub disable: Vec<Component>,

    /// Join this node at the start; `-` reads the ticket from stdin, `@FILE` from a file
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

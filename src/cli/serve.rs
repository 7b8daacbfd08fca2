//! `serve`

use clap::Args;

use crate::node::Component;

/// `serve`
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// Disable a component; may be given again, or as a list separated by commas
    #[arg(long, value_name = "COMPONENT", value_delimiter = ',')]
    pub disable: Vec<Component>,

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

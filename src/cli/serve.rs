//! `serve`

use clap::Args;

/// `serve`
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Join this node at the start; `-` reads the ticket from stdin, `@FILE` from a file
    #[arg(
        long,
        value_name = "TICKET",
        env = "DISTRO_TUI_TICKET",
        hide_env_values = true
    )]
    pub join: Option<String>,
}

//! `revoke`, `ticket`, `join` and `leave`

use clap::{Args, Subcommand};

use super::OutputArgs;
use crate::net::trust::role::Role;

/// `revoke`
#[derive(Debug, Clone, Args)]
pub struct Revoke {
    /// The beginning of its key, or its label
    pub who: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

/// `ticket`
#[derive(Debug, Clone, Args)]
pub struct Ticket {
    /// What to do with tickets, if not to print one.
    #[command(subcommand)]
    pub command: Option<TicketCommand>,
    /// What whoever joins with it may do: read, member or admin
    #[arg(long, value_name = "ROLE", default_value = "member")]
    pub role: Role,
    /// Good for one
    #[arg(long)]
    pub once: bool,
    /// Good for so long: 1h, 7d
    #[arg(long, value_name = "TIME")]
    pub expires: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

/// `ticket rotate`
#[derive(Debug, Clone, Subcommand)]
pub enum TicketCommand {
    /// Make every ticket worthless that is out; who has joined stays
    Rotate {
        /// Only those of one role
        #[arg(long, value_name = "ROLE")]
        role: Option<Role>,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap shows the text of the type")]
        out: OutputArgs,
    },
}

/// `join`
#[derive(Debug, Clone, Args)]
pub struct Join {
    /// The ticket; `-` or nothing reads it from standard input, `@FILE` from a file. An argument is
    /// seen by every user of this machine and stays in the history of the shell
    #[arg(env = "DISTRO_TUI_TICKET", hide_env_values = true)]
    pub ticket: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

/// `leave`
#[derive(Debug, Clone, Args)]
pub struct Leave {
    /// The beginning of its key
    pub who: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

//! `revoke`, `ticket`, `join` and `leave`

use clap::{Args, Subcommand};

use super::{word_of, words::non_blank};
use crate::net::trust::role::Role;

/// `revoke`
#[derive(Debug, Clone, Args)]
pub struct RevokeArgs {
    /// Key prefix or label of the member
    #[arg(value_parser = non_blank)]
    pub member: String,
}

/// `ticket`
#[derive(Debug, Clone, Args)]
pub struct TicketArgs {
    /// A command on tickets; without one, a new ticket is printed.
    #[command(subcommand)]
    pub command: Option<TicketCommand>,
    /// Role of members that join with the ticket
    #[arg(long, value_name = "ROLE", default_value = "member", value_parser = word_of(Role::ALL, Role::as_str))]
    pub role: Role,
    /// Valid for one member only
    #[arg(long)]
    pub once: bool,
    /// Valid for this long: 1h, 7d
    #[arg(long, value_name = "TIME")]
    pub expires: Option<String>,
}

/// `ticket invalidate`
#[derive(Debug, Clone, Subcommand)]
pub enum TicketCommand {
    /// Invalidate all tickets; members stay
    Invalidate {
        /// Only tickets of this role
        #[arg(long, value_name = "ROLE", value_parser = word_of(Role::ALL, Role::as_str))]
        role: Option<Role>,
    },
}

/// `join`
#[derive(Debug, Clone, Args)]
pub struct JoinArgs {
    /// The ticket; `-` or no argument reads it from stdin, `@FILE` from a file. An argument is visible
    /// to every user of this machine and stays in the shell history
    #[arg(env = "DISTRO_TUI_TICKET", hide_env_values = true)]
    pub ticket: Option<String>,
}

/// `leave`
#[derive(Debug, Clone, Args)]
pub struct LeaveArgs {
    /// The beginning of the upstream's key
    #[arg(value_parser = non_blank)]
    pub node: String,
}

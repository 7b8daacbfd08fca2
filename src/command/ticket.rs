//! `ticket`, and tickets as arguments of other commands

use std::{
    fs,
    io::{self, BufRead, IsTerminal, Read},
    path::Path,
    process::ExitCode,
};

use serde::Serialize;

use super::{CmdError, CmdResult, Ctx, output::print_stderr};
use crate::{
    cli::{TicketArgs, TicketCommand},
    net::{admission::TicketOptions, trust::role::Role, trust::ticket::Ticket as ParsedTicket},
    node,
    text::pluralize,
    units,
};

/// Maximum length of a ticket that is read from a file or from standard input, in bytes.
const MAX_TICKET: u64 = 16 << 10;

pub(super) fn run(ctx: &Ctx<'_>, ticket: &TicketArgs) -> CmdResult {
    match &ticket.command {
        Some(TicketCommand::Invalidate { role }) => invalidate(ctx, *role),
        None => print(ctx, ticket),
    }
}

fn invalidate(ctx: &Ctx<'_>, role: Option<Role>) -> CmdResult {
    #[derive(Serialize)]
    struct InvalidatedJson {
        invalidated: usize,
    }
    let invalidated = ctx.with_session(|session| async move {
        let node = session.handle();
        let count = node.members(|members| async move { members.invalidate_tickets(role).await });
        let count = count.await.map_err(CmdError::from);
        (session, count)
    })?;
    let sentence = format!(
        "{} invalidated; members stay",
        pluralize(invalidated, "ticket")
    );
    Ok(ctx
        .output()
        .print_result(&InvalidatedJson { invalidated }, &sentence)?)
}

fn print(ctx: &Ctx<'_>, ticket: &TicketArgs) -> CmdResult {
    #[derive(Serialize)]
    struct TicketJson<'a> {
        ticket: &'a str,
        role: Role,
        addrs: Vec<String>,
        once: bool,
        expires_in_s: Option<u64>,
        warning: Option<String>,
    }
    let expires = ticket.expires.as_deref().map(units::duration).transpose();
    let expires = expires.map_err(|why| CmdError::usage(format!("--expires: {why}")))?;
    let expires = expires.map(|span| span.as_secs());
    if expires == Some(0) {
        return Err(CmdError::usage("--expires: it must be at least one second"));
    }
    let (role, once) = (ticket.role, ticket.once);
    let text = ctx.with_session(|session| async move {
        let node = session.handle();
        let issued = node.members(|members| async move {
            members
                .issue_ticket(role, TicketOptions { once, expires })
                .await
        });
        let issued = issued.await.map_err(CmdError::from);
        (session, issued)
    })?;
    let parsed: Result<ParsedTicket, _> = text.parse();
    let addrs = parsed.map(|ticket| ticket.addrs).unwrap_or_default();
    let warning = node::loopback_warning(&addrs);
    let mut out = ctx.output();
    if out.json {
        out.document(&TicketJson {
            ticket: &text,
            role,
            addrs: addrs.iter().map(ToString::to_string).collect(),
            once,
            expires_in_s: expires,
            warning,
        })?;
    } else {
        out.line(&text)?;
        if let Some(warning) = warning {
            print_stderr(format_args!("{warning}"), true);
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a ticket from the source that [`read_argument`] accepts, by default from standard input.
pub(super) fn read_ticket(argument: Option<&str>) -> Result<ParsedTicket, CmdError> {
    let text = read_argument(argument.unwrap_or("-"))?;
    text.parse::<ParsedTicket>().map_err(CmdError::usage)
}

/// Reads an argument that may be a secret: a line of standard input for `-`, the content of the file for `@FILE`,
/// otherwise the text itself.
pub(super) fn read_argument(argument: &str) -> Result<String, CmdError> {
    let mut text = String::new();
    if argument == "-" {
        let input = io::stdin();
        if input.is_terminal() {
            print_stderr(format_args!("paste the ticket and press enter"), true);
        }
        // The following lines are the input of the command.
        let read = input.lock().take(MAX_TICKET).read_line(&mut text);
        read.map_err(|error| CmdError::io("cannot read the ticket", error))?;
    } else if let Some(path) = argument.strip_prefix('@') {
        let file = fs::File::open(path);
        let read = file.and_then(|file| file.take(MAX_TICKET).read_to_string(&mut text));
        read.map_err(|error| CmdError::file(Path::new(path), error))?;
    } else {
        argument.clone_into(&mut text);
    }
    Ok(text.trim().to_owned())
}

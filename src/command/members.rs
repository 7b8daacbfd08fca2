//! `peers`, `revoke`, `ticket`, `join` and `leave`

use std::{
    fs,
    io::{self, BufRead, IsTerminal, Read},
    process::ExitCode,
};

use serde::Serialize;

use super::{
    CmdError, CmdResult, Ctx,
    output::{Output, print_stderr},
};
use crate::{
    cli::{self, Join, Leave, OutputArgs, Revoke, TicketCommand},
    net::{
        admission::{MemberStatus, TicketOptions},
        trust::role::Role,
        trust::ticket::{ParseTicketError, Ticket},
    },
    node::{self, Session, UpstreamStatus},
    queue::clock::Timestamp,
    units,
};

/// The longest text that is read as a ticket, in bytes.
const MAX_TICKET: u64 = 16 << 10;

#[derive(Serialize)]
struct PeerJson<'a> {
    key: String,
    role: Role,
    label: &'a str,
    joined_at: Option<String>,
    connections: usize,
}

#[derive(Serialize)]
struct LinkJson<'a> {
    key: String,
    role: Role,
    addr: String,
    names: Vec<NameJson<'a>>,
}

#[derive(Serialize)]
struct NameJson<'a> {
    name: &'a str,
    state: &'a str,
}

#[derive(Serialize)]
struct Shape<'a> {
    joined_here: Vec<PeerJson<'a>>,
    joined_there: Vec<LinkJson<'a>>,
}

fn joined_at(peer: &MemberStatus) -> Option<String> {
    crate::json::time(Timestamp(peer.member.joined_at.saturating_mul(1_000_000)))
}

pub(super) fn list(given: &Ctx<'_>, out: OutputArgs) -> CmdResult {
    let (peers, links) = given.with(|session| async move {
        let access = session.handle();
        let both = async {
            let peers = access.members(|peers| async move { peers.list().await });
            let peers = peers.await?;
            let links = access.upstreams();
            Ok::<_, CmdError>((peers, links.await?))
        };
        let both = both.await;
        (session, both)
    })?;
    let mut out = Output::new(out);
    if out.json {
        out.document(&Shape {
            joined_here: peers.iter().map(peer_shape).collect(),
            joined_there: links.iter().map(link_shape).collect(),
        })?;
    } else {
        let row = |peer: &MemberStatus| {
            vec![
                peer.member.key.to_string().chars().take(16).collect(),
                peer.member.role.to_string(),
                peer.member.label.clone(),
                peer.connections.to_string(),
                joined_at(peer).unwrap_or_default(),
            ]
        };
        let rows: Vec<_> = peers.iter().map(row).collect();
        match rows.as_slice() {
            [] => out.line("nobody has joined this node; distro-tui ticket lets others in")?,
            rows => out.table(
                &["JOINED HERE", "ROLE", "LABEL", "CONNECTIONS", "SINCE"],
                rows,
            )?,
        }
        out.text("\n")?;
        let row = |link: &UpstreamStatus| {
            let names = link.names.iter();
            let names: Vec<_> = names.map(|(name, how)| format!("{name} {how}")).collect();
            vec![
                link.key.to_string().chars().take(16).collect(),
                link.role.to_string(),
                link.addr.to_string(),
                names.join(", "),
            ]
        };
        let rows: Vec<_> = links.iter().map(row).collect();
        match rows.as_slice() {
            [] => out.line("this node has joined no other; distro-tui join TICKET does")?,
            rows => out.table(
                &["JOINED BY THIS NODE", "ROLE", "WHERE", "NAMES THERE"],
                rows,
            )?,
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn peer_shape(peer: &MemberStatus) -> PeerJson<'_> {
    PeerJson {
        key: peer.member.key.to_string(),
        role: peer.member.role,
        label: &peer.member.label,
        joined_at: joined_at(peer),
        connections: peer.connections,
    }
}

fn link_shape(link: &UpstreamStatus) -> LinkJson<'_> {
    let names = link.names.iter();
    LinkJson {
        key: link.key.to_string(),
        role: link.role,
        addr: link.addr.to_string(),
        names: names
            .map(|(name, state)| NameJson { name, state })
            .collect(),
    }
}

pub(super) fn revoke(given: &Ctx<'_>, revoke: &Revoke) -> CmdResult {
    #[derive(Serialize)]
    struct Revoked {
        key: String,
        label: String,
    }
    let who = revoke.who.clone();
    let gone = given.with(|session| async move {
        let access = session.handle();
        let gone = access.members(|peers| async move { peers.revoke(&who).await });
        let gone = gone.await.map_err(CmdError::from);
        (session, gone)
    })?;
    let mut out = Output::new(revoke.out);
    let key = gone.key.to_string();
    if out.json {
        let label = gone.label;
        out.document(&Revoked { key, label })?;
    } else {
        out.line(&format!(
            "{key} is out: its connections and its names have ended"
        ))?;
        print_stderr(
            format_args!(
                "whoever knows a ticket can join with another key: distro-tui ticket rotate \
                 makes them worthless"
            ),
            true,
        );
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn ticket(given: &Ctx<'_>, ticket: &cli::Ticket) -> CmdResult {
    match &ticket.command {
        Some(TicketCommand::Rotate { role, out }) => rotate(given, *role, *out),
        None => print(given, ticket),
    }
}

fn rotate(given: &Ctx<'_>, role: Option<Role>, out: OutputArgs) -> CmdResult {
    #[derive(Serialize)]
    struct Rotated {
        withdrawn: usize,
    }
    let withdrawn = given.with(|session| async move {
        let access = session.handle();
        let rotated = access.members(|peers| async move { peers.invalidate_tickets(role).await });
        let rotated = rotated.await.map_err(CmdError::from);
        (session, rotated)
    })?;
    let which = match withdrawn {
        1 => "ticket is",
        _ => "tickets are",
    };
    let told = format!("{withdrawn} {which} worthless now; who has joined stays");
    Ok(Output::new(out).print_result(&Rotated { withdrawn }, &told)?)
}

fn print(given: &Ctx<'_>, ticket: &cli::Ticket) -> CmdResult {
    #[derive(Serialize)]
    struct Printed<'a> {
        ticket: &'a str,
        role: Role,
        addrs: Vec<String>,
        once: bool,
        expires_in_s: Option<u64>,
    }
    let expires = ticket.expires.as_deref().map(units::duration).transpose();
    let expires = expires.map_err(CmdError::Usage)?.map(|span| span.as_secs());
    let (role, once) = (ticket.role, ticket.once);
    let text = given.with(|session| async move {
        let access = session.handle();
        let made = access.members(|peers| async move {
            peers
                .issue_ticket(role, TicketOptions { once, expires })
                .await
        });
        let made = made.await.map_err(CmdError::from);
        (session, made)
    })?;
    let read: Result<Ticket, _> = text.parse();
    let addrs = read.map(|ticket| ticket.addrs).unwrap_or_default();
    let mut out = Output::new(ticket.out);
    if out.json {
        out.document(&Printed {
            ticket: &text,
            role,
            addrs: addrs.iter().map(ToString::to_string).collect(),
            once,
            expires_in_s: expires,
        })?;
    } else {
        out.line(&text)?;
        if let Some(warning) = node::loopback_warning(&addrs) {
            print_stderr(format_args!("{warning}"), true);
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// A ticket from where it was said to be.
pub(super) fn read_ticket(told: Option<&str>) -> Result<Ticket, CmdError> {
    let text = told_in(told.unwrap_or("-"))?;
    // Better here than after a dial.
    text.parse()
        .map_err(|e: ParseTicketError| CmdError::Usage(e.to_string()))
}

/// What was said: with `-` a line of standard input, with `@FILE` what is in that file, else the text
/// itself.
pub(super) fn told_in(told: &str) -> Result<String, CmdError> {
    let text = match told {
        "-" => {
            let input = io::stdin();
            if input.is_terminal() {
                print_stderr(format_args!("paste the ticket and press enter"), true);
            }
            // What comes after it is for the command.
            let mut line = String::new();
            let read = input.lock().take(MAX_TICKET).read_line(&mut line);
            read.map(|_| line)
        }
        told => match told.strip_prefix('@') {
            Some(path) => {
                let mut text = String::new();
                let file = fs::File::open(path);
                let read = file.and_then(|file| file.take(MAX_TICKET).read_to_string(&mut text));
                read.map(|_| text)
                    .map_err(|e| io::Error::new(e.kind(), format!("{path}: {e}")))
            }
            None => Ok(told.to_owned()),
        },
    };
    let text = text.map_err(|e| CmdError::Failed(format!("cannot read the ticket: {e}")))?;
    Ok(text.trim().to_owned())
}

pub(super) fn join(given: &Ctx<'_>, join: &Join) -> CmdResult {
    #[derive(Serialize)]
    struct Shape {
        key: String,
        role: Role,
        addr: Option<String>,
        warning: Option<String>,
    }
    let ticket = read_ticket(join.ticket.as_deref())?;
    let joined = Session::join(&given.settings.node, &ticket)?;
    let mut out = Output::new(join.out);
    let addr = joined.addr.map(|addr| addr.to_string());
    if out.json {
        out.document(&Shape {
            key: joined.key.to_string(),
            role: joined.role,
            addr,
            warning: joined.warning,
        })?;
    } else {
        let key = joined.key.fingerprint();
        out.line(&format!(
            "joined {key} at {} as {}; distro-tui --connect {key} shows it",
            addr.unwrap_or_default(),
            joined.role
        ))?;
        if let Some(warning) = joined.warning {
            print_stderr(format_args!("{warning}"), true);
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn leave(given: &Ctx<'_>, leave: &Leave) -> CmdResult {
    #[derive(Serialize)]
    struct Shape {
        key: String,
    }
    let who = leave.who.clone();
    let left = given.with(|session| async move {
        let access = session.handle();
        let left = access.leave(&who);
        let left = left.await.map_err(CmdError::from);
        (session, left)
    })?;
    let key = left.key.to_string();
    let told = format!("left {key}");
    Ok(Output::new(leave.out).print_result(&Shape { key }, &told)?)
}

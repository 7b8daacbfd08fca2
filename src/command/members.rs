//! `members` and `revoke`

use std::process::ExitCode;

use serde::Serialize;

use super::{CmdError, CmdResult, Ctx, output::print_stderr};
use crate::{
    cli::RevokeArgs,
    net::{admission::MemberStatus, trust::role::Role},
    node::UpstreamStatus,
    queue::clock::Timestamp,
};

#[derive(Serialize)]
struct MemberJson<'a> {
    key: String,
    role: Role,
    label: &'a str,
    joined_at: Option<String>,
    /// The upstream that delegates it; absent if it has joined this node itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<String>,
    connections: usize,
    calls: usize,
    call_bytes: usize,
    names: usize,
    name_bytes: usize,
}

#[derive(Serialize)]
struct UpstreamJson<'a> {
    key: String,
    role: Role,
    addr: String,
    names: Vec<UpstreamNameJson<'a>>,
}

#[derive(Serialize)]
struct UpstreamNameJson<'a> {
    name: &'a str,
    state: &'a str,
}

#[derive(Serialize)]
struct MembersJson<'a> {
    members: Vec<MemberJson<'a>>,
    upstreams: Vec<UpstreamJson<'a>>,
}

fn joined_at(member: &MemberStatus) -> Option<String> {
    if member.via.is_some() {
        return None;
    }
    crate::json::time(Timestamp(member.member.joined_at.saturating_mul(1_000_000)))
}

pub(super) fn list(ctx: &Ctx<'_>) -> CmdResult {
    let (members, upstreams) = ctx.with_session(|session| async move {
        let node = session.handle();
        let both = async {
            let members = node.members(|members| async move { members.list().await });
            let members = members.await?;
            let upstreams = node.upstreams();
            Ok::<_, CmdError>((members, upstreams.await?))
        };
        let both = both.await;
        (session, both)
    })?;
    let mut out = ctx.output();
    if out.json {
        out.document(&MembersJson {
            members: members.iter().map(member_json).collect(),
            upstreams: upstreams.iter().map(upstream_json).collect(),
        })?;
    } else {
        let row = |member: &MemberStatus| {
            vec![
                member.member.key.to_string().chars().take(16).collect(),
                member.member.role.to_string(),
                member.member.label.clone(),
                member.connections.to_string(),
                member.calls.to_string(),
                member.names.names.to_string(),
                match member.via {
                    Some(upstream) => format!("via {}", upstream.fingerprint()),
                    None => joined_at(member).unwrap_or_default(),
                },
            ]
        };
        let rows: Vec<_> = members.iter().map(row).collect();
        let headings = [
            "MEMBER",
            "ROLE",
            "LABEL",
            "CONNECTIONS",
            "CALLS",
            "NAMES",
            "JOINED",
        ];
        let empty = "no members; distro-tui ticket prints a ticket for joining this node";
        out.table(&headings, &rows, empty)?;
        if !rows.is_empty() && !upstreams.is_empty() {
            out.text("\n")?;
        }
        let row = |upstream: &UpstreamStatus| {
            vec![
                upstream.key.to_string().chars().take(16).collect(),
                upstream.role.to_string(),
                upstream.addr.to_string(),
                upstream.names_by_state(),
            ]
        };
        let rows: Vec<_> = upstreams.iter().map(row).collect();
        let headings = ["UPSTREAM", "ROLE", "ADDRESS", "NAMES"];
        let empty = "no upstreams; distro-tui join TICKET joins a node";
        out.table(&headings, &rows, empty)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn member_json(member: &MemberStatus) -> MemberJson<'_> {
    MemberJson {
        key: member.member.key.to_string(),
        role: member.member.role,
        label: &member.member.label,
        joined_at: joined_at(member),
        via: member.via.map(|key| key.to_string()),
        connections: member.connections,
        calls: member.calls,
        call_bytes: member.call_bytes,
        names: member.names.names,
        name_bytes: member.names.bytes,
    }
}

fn upstream_json(upstream: &UpstreamStatus) -> UpstreamJson<'_> {
    let names = upstream.names.iter();
    UpstreamJson {
        key: upstream.key.to_string(),
        role: upstream.role,
        addr: upstream.addr.to_string(),
        names: names
            .map(|(name, state)| UpstreamNameJson { name, state })
            .collect(),
    }
}

pub(super) fn revoke(ctx: &Ctx<'_>, revoke: &RevokeArgs) -> CmdResult {
    #[derive(Serialize)]
    struct RevokedJson {
        key: String,
        label: String,
    }
    let prefix = revoke.member.clone();
    let removed = ctx.with_session(|session| async move {
        let node = session.handle();
        let removed = node.members(|members| async move { members.revoke(&prefix).await });
        let removed = removed.await.map_err(CmdError::from);
        (session, removed)
    })?;
    let mut out = ctx.output();
    let key = removed.key.to_string();
    if out.json {
        let label = removed.label;
        out.document(&RevokedJson { key, label })?;
    } else {
        out.line(&format!("{key} is removed, with its connections and names"))?;
        print_stderr(
            format_args!(
                "it can rejoin with another key if it has a valid ticket; distro-tui ticket invalidate \
                 invalidates all tickets"
            ),
            true,
        );
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

//! `join` and `leave`

use std::process::ExitCode;

use serde::Serialize;

use super::{CmdError, CmdResult, Ctx, output::print_stderr, ticket::read_ticket};
use crate::{
    cli::{JoinArgs, LeaveArgs},
    net::trust::role::Role,
    node::Session,
};

pub(super) fn join(ctx: &Ctx<'_>, join: &JoinArgs) -> CmdResult {
    #[derive(Serialize)]
    struct JoinedJson {
        key: String,
        role: Role,
        addr: Option<String>,
        warning: Option<String>,
    }
    let ticket = read_ticket(join.ticket.as_deref())?;
    let joined = Session::join(&ctx.settings.node_config(), &ticket)?;
    let mut out = ctx.output();
    let addr = joined.addr.map(|addr| addr.to_string());
    if out.json {
        out.document(&JoinedJson {
            key: joined.key.to_string(),
            role: joined.role,
            addr,
            warning: joined.warning,
        })?;
    } else {
        let key = joined.key.fingerprint();
        out.line(&format!(
            "joined {key} at {} as {}; distro-tui --connect {key} opens its dashboard",
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

pub(super) fn leave(ctx: &Ctx<'_>, leave: &LeaveArgs) -> CmdResult {
    #[derive(Serialize)]
    struct LeftJson {
        key: String,
    }
    let prefix = leave.node.clone();
    let left = ctx.with_session(|session| async move {
        let node = session.handle();
        let left = node.leave(&prefix);
        let left = left.await.map_err(CmdError::from);
        (session, left)
    })?;
    let key = left.key.to_string();
    let sentence = format!("left {key}");
    Ok(ctx.output().print_result(&LeftJson { key }, &sentence)?)
}

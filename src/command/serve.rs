//! `serve`: a node without a screen.

use std::{io::Write, process::ExitCode, time::Duration};

use serde::Serialize;

use super::{
    CmdError, CmdResult, Ctx,
    members::read_ticket,
    output::{Output, print_stderr, wait_for_interrupt},
};
use crate::{
    cli::{OutputArgs, Serve},
    crash, logging,
    net::trust::ticket::Ticket,
    node::{self, Component, JoinOutcome, Node},
};

/// Running tasks get this long to end.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct Ready {
    ready: bool,
    key: String,
    addr: String,
    addrs: Vec<String>,
    metrics: Option<String>,
}

pub(super) fn run(given: &Ctx<'_>, serve: &Serve) -> CmdResult {
    let settings = given.settings;
    let mut config = settings.node.clone();
    config.disabled.extend(serve.disable.iter().copied());
    let ticket = serve.join.as_deref().map(|told| read_ticket(Some(told)));
    let ticket = ticket.transpose()?;
    let _log = match given.options.log_file {
        Some(_) => Some(
            logging::start(&settings.log_file, &settings.log_level)
                .map_err(|e| CmdError::Failed(e.to_string()))?,
        ),
        None => {
            logging::to_stderr(&settings.log_level).map_err(CmdError::Failed)?;
            None
        }
    };
    crash::install(settings.state_dir.clone());
    let alone = config.disabled.contains(&Component::Naming);
    if alone && let Some(ticket) = &ticket {
        // Without a naming server of its own it cannot start before it has joined one.
        let joined = node::Session::join(&config, ticket);
        goes_on(&config, ticket, joined.map_err(CmdError::from))?;
    }
    let node = Node::start(&config)?;
    if let Some(ticket) = ticket.filter(|_| !alone) {
        let joined = node.net().block_on(node.join(&ticket));
        let joined = goes_on(&config, &ticket, joined.map_err(CmdError::from))?;
        if let Some(warning) = joined.and_then(|joined| joined.warning) {
            print_stderr(format_args!("{warning}"), true);
        }
    }
    let net = node.net();
    net.block_on(async {
        tokio::select! {
            registered = node.registered() => registered,
            () = wait_for_interrupt() => Ok(()),
        }
    })?;
    ready(&node, serve.json)?;
    net.block_on(wait_for_interrupt());
    notify("STOPPING=1");
    tracing::info!("ending");
    // A second word ends it at once.
    let drained = net.block_on(async {
        tokio::select! {
            drained = node.shutdown(GRACE) => Some(drained),
            () = wait_for_interrupt() => None,
        }
    });
    let Some(drained) = drained else {
        return Ok(ExitCode::from(1));
    };
    node.end();
    for (count, what) in [
        (drained.abandoned, "were stopped unfinished"),
        (drained.unstarted, "wait for the next start"),
    ] {
        if count > 0 {
            print_stderr(format_args!("{count} tasks {what}"), true);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A node that was joined before goes on whatever has become of the ticket: it may be used up or the other
/// node away, and a service that starts again has the same ticket in its environment.
fn goes_on(
    config: &node::NodeConfig,
    ticket: &Ticket,
    joined: Result<JoinOutcome, CmdError>,
) -> Result<Option<JoinOutcome>, CmdError> {
    let failure = match joined {
        Ok(joined) => return Ok(Some(joined)),
        Err(failure) => failure,
    };
    let known = node::known_nodes::read(&config.data_dir).unwrap_or_default();
    if !known.iter().any(|known| known.key == ticket.key) {
        return Err(failure);
    }
    print_stderr(
        format_args!(
            "it was joined before, and goes on without the ticket: {}",
            failure.why()
        ),
        true,
    );
    Ok(None)
}

/// Says that it can be used, to whoever started it.
fn ready(node: &Node, json: bool) -> Result<(), CmdError> {
    let mut out = Output::new(OutputArgs { json });
    let addrs = node.addrs();
    if json {
        out.document(&Ready {
            ready: true,
            key: node.key().to_string(),
            addr: node.addr().to_string(),
            addrs: addrs.iter().map(ToString::to_string).collect(),
            metrics: node.metrics_addr().map(|addr| addr.to_string()),
        })?;
    } else {
        let places: Vec<_> = addrs.iter().map(ToString::to_string).collect();
        let key = node.key().fingerprint();
        out.line(&format!("ready at {} with key {key}", places.join(", ")))?;
        if let Some(metrics) = node.metrics_addr() {
            out.line(&format!("metrics at http://{metrics}/metrics"))?;
        }
        if let Some(warning) = node::loopback_warning(addrs) {
            print_stderr(format_args!("{warning}"), true);
        }
    }
    out.flush()?;
    notify("READY=1");
    Ok(())
}

/// Tells a service manager, if there is one that wants to know (sd_notify(3)).
fn notify(state: &str) {
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let path = path.to_string_lossy();
    let addr = match path.strip_prefix('@') {
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)
        }
        _ => SocketAddr::from_pathname(&*path),
    };
    let sent = addr.and_then(|addr| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &addr));
    if let Err(error) = sent {
        tracing::warn!(%error, "the service manager cannot be told");
    }
    std::io::stdout().flush().ok();
}

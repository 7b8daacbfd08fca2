//! `serve`: a node without a dashboard.

use std::{io::Write, process::ExitCode, time::Duration};

use serde::Serialize;
use tokio::time::timeout;

use super::{
    CmdError, CmdResult, Ctx,
    output::{Output, print_stderr, wait_for_interrupt},
    print_unfinished,
    ticket::read_ticket,
};
use crate::{
    cli::ServeArgs,
    crash, logging,
    net::trust::ticket::Ticket,
    node::{self, Component, JoinOutcome, Node},
};

/// Time for the node's services to be registered before it is ready. A node that cannot store a registration serves
/// everything else.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(2);
/// Time for running tasks to finish at shutdown.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct ReadyJson {
    ready: bool,
    key: String,
    addr: String,
    addrs: Vec<String>,
    metrics: Option<String>,
}

pub(super) fn run(ctx: &Ctx<'_>, serve: &ServeArgs) -> CmdResult {
    let settings = ctx.settings;
    let config = settings.node_config();
    let ticket = serve
        .join
        .as_deref()
        .map(|argument| read_ticket(Some(argument)));
    let ticket = ticket.transpose()?;
    let level = settings.log_level.value;
    let _log = match &settings.log_file.value {
        Some(file) => Some(logging::start(file, level).map_err(CmdError::failed)?),
        None => {
            logging::to_stderr(level).map_err(CmdError::failed)?;
            None
        }
    };
    crash::install(settings.state_dir().to_owned());
    let without_naming = config.disabled.contains(&Component::Naming);
    if without_naming && let Some(ticket) = &ticket {
        // Without its own naming server the node needs one to register with before it starts.
        let joined = node::Session::join(&config, ticket);
        accept_known_node(&config, ticket, joined.map_err(CmdError::from))?;
    }
    let node = Node::start(&config)?;
    if let Some(ticket) = ticket.filter(|_| !without_naming) {
        let joined = node.net().block_on(node.join(&ticket));
        let joined = accept_known_node(&config, &ticket, joined.map_err(CmdError::from))?;
        if let Some(warning) = joined.and_then(|joined| joined.warning) {
            print_stderr(format_args!("{warning}"), true);
        }
    }
    let net = node.net();
    net.block_on(async {
        tokio::select! {
            registered = timeout(REGISTER_TIMEOUT, node.registered()) => match registered {
                Ok(registered) => registered,
                Err(_elapsed) => {
                    let text = "the services of this node are not registered yet; distro-tui doctor tells why";
                    print_stderr(format_args!("{text}"), true);
                    Ok(())
                }
            },
            () = wait_for_interrupt() => Ok(()),
        }
    })?;
    print_ready(&node, ctx.output())?;
    net.block_on(wait_for_interrupt());
    notify_service_manager("STOPPING=1");
    tracing::info!("shutting down");
    // A second signal ends the program at once.
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
    print_unfinished(&drained);
    Ok(ExitCode::SUCCESS)
}

/// Ignores the failure to join a node that was joined before: a service restarts with the same ticket, which may be
/// used up, or with the other node unreachable.
fn accept_known_node(
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
        format_args!("this node was joined before; continuing without the ticket: {failure}"),
        true,
    );
    Ok(None)
}

/// Prints the addresses, and notifies the service manager.
fn print_ready(node: &Node, mut out: Output) -> Result<(), CmdError> {
    let addrs = node.addrs();
    if out.json {
        out.document(&ReadyJson {
            ready: true,
            key: node.key().to_string(),
            addr: node.addr().to_string(),
            addrs: addrs.iter().map(ToString::to_string).collect(),
            metrics: node.metrics_addr().map(|addr| addr.to_string()),
        })?;
    } else {
        let listed: Vec<_> = addrs.iter().map(ToString::to_string).collect();
        let key = node.key().fingerprint();
        out.line(&format!("ready at {} with key {key}", listed.join(", ")))?;
        if let Some(metrics) = node.metrics_addr() {
            out.line(&format!("metrics at http://{metrics}/metrics"))?;
        }
        if let Some(warning) = node::loopback_warning(addrs) {
            print_stderr(format_args!("{warning}"), true);
        }
    }
    out.flush()?;
    notify_service_manager("READY=1");
    Ok(())
}

/// Notifies the service manager if it expects it (sd_notify(3)).
fn notify_service_manager(state: &str) {
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
        tracing::warn!(%error, "could not notify the service manager");
    }
    std::io::stdout().flush().ok();
}

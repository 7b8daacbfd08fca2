//! The naming server of a node, and the one that a node without its own uses.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, mpsc},
};

use tokio::{
    runtime::Handle,
    time::{Duration, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    config::NodeConfig,
    error::NodeError,
    known_nodes::{self, JoinedNode},
    names_file,
    names_journal::NamesJournal,
};
use crate::{
    health::Findings,
    net::{
        naming::{self, NamingClient, NamingServer, RegisterRequest, ShareRule},
        rpc::{
            client::Client,
            endpoint::Endpoint,
            error::{CallError, Code},
            object::Caller,
        },
        trust::{members::Members, peer_addr::PeerAddr, principal::Principal, role::Role},
        uri::Uri,
    },
    queue::storage::Durability,
};

/// The longest wait for a naming server of a joined node: a node starts also while it is away.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(2);

/// Starts the naming server and exposes it. It is registered in itself.
pub(super) fn serve(
    config: &NodeConfig,
    net: &Handle,
    endpoint: &Endpoint,
    own: PeerAddr,
    joined: &[JoinedNode],
    findings: &Findings,
    stop: &CancellationToken,
) -> Result<NamingServer, NodeError> {
    // The server's timers belong to the network's runtime.
    let _entered = net.enter();
    // Members of joined nodes are not known yet. Those that may register names may have done so.
    let awaits_members = !joined.is_empty() && config.delegated_role >= Role::Member;
    let naming = open(config, net, findings, endpoint.members(), awaits_members)?;
    endpoint
        .objects()
        .expose(naming::NAME, Arc::new(naming.object()));
    let uri = Uri::distro(naming::NAME, own.addr);
    let mut request = RegisterRequest::new(naming::NAME, uri);
    request.lease_ms = Some(0);
    request.share = Some(ShareRule::Owner);
    request.tags = vec!["naming".into()];
    let caller = Caller {
        principal: own.key.into(),
        role: Role::Admin,
    };
    if let Err(error) = naming.register(&caller, request) {
        tracing::error!(%error, "the naming server could not register itself");
    }
    let (stop, clock) = (stop.clone(), naming.clone());
    net.spawn(async move { clock.run(stop).await });
    Ok(naming)
}

/// Returns an empty naming server if nothing is stored on disk, otherwise one with a journal and the
/// names in it.
fn open(
    config: &NodeConfig,
    net: &Handle,
    findings: &Findings,
    members: &Members,
    awaits_members: bool,
) -> Result<NamingServer, NodeError> {
    let limits = config.naming_limits;
    let sync = match config.broker.store.durability {
        Durability::Memory => return Ok(NamingServer::new(limits)),
        Durability::Process => false,
        Durability::Power => true,
    };
    let (journal, names) =
        NamesJournal::open(&config.data_dir, sync, findings).map_err(|error| {
            NodeError::Folder {
                path: names_file::path(&config.data_dir),
                error,
            }
        })?;
    let may_own = |owner: &Principal| match owner.key() {
        Some(key) if awaits_members => !members.is_revoked(&key),
        Some(key) => members.role(&key).is_some(),
        None => true,
    };
    let owners = names.iter().map(|name| name.record.owner);
    let orphans: BTreeSet<Principal> = owners.filter(|owner| !may_own(owner)).collect();
    let (naming, persist) = NamingServer::persistent(limits, names, Arc::new(journal));
    net.spawn(persist);
    evict(net, &naming, orphans);
    Ok(naming)
}

/// Removes the names of owners that may not connect any more, before anybody can look them up: their removal
/// may have been interrupted.
fn evict(net: &Handle, naming: &NamingServer, owners: BTreeSet<Principal>) {
    let (done, removed) = mpsc::channel();
    let naming = naming.clone();
    net.spawn(async move {
        for owner in owners {
            match naming.evict(owner).await {
                Ok(names) => tracing::warn!(%owner, names, "removed names of a key without a role"),
                Err(error) => tracing::warn!(%owner, %error, "removed names may come back"),
            }
        }
        done.send(()).ok();
    });
    removed.recv().ok();
}

/// Returns the naming server of the first joined node that replies; of the first one if none does yet,
/// and `None` without a joined node.
pub(super) fn of_joined(
    net: &Handle,
    client: Client,
    joined: &[JoinedNode],
) -> Option<NamingClient> {
    let peers: Vec<PeerAddr> = joined.iter().flat_map(JoinedNode::peers).collect();
    let first = NamingClient::new(client.clone(), *peers.first()?);
    // A node may be started on a runtime, where another one must not be waited on.
    let (found, reply) = mpsc::channel();
    net.spawn(async move {
        let connecting = NamingClient::connect_any(&client, peers);
        if let Ok(Ok(naming)) = timeout(SEARCH_TIMEOUT, connecting).await {
            found.send(naming).ok();
        }
    });
    Some(reply.recv().unwrap_or(first))
}

/// Returns the naming server of another process's node. If that runs without one and its data folder is
/// known, it is that of the first joined node.
pub(super) async fn of_node(
    client: &Client,
    peer: PeerAddr,
    data_dir: Option<&Path>,
) -> NamingClient {
    let own = NamingClient::new(client.clone(), peer);
    match (own.count().await, data_dir) {
        (Err(CallError::Remote(error)), Some(folder)) if error.code == Code::NotFound => {
            let joined = known_nodes::read(folder).unwrap_or_default();
            let peers = joined.iter().flat_map(JoinedNode::peers);
            let found = NamingClient::connect_any(client, peers).await;
            found.unwrap_or(own)
        }
        _ => own,
    }
}

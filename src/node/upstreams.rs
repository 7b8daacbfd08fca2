//! The nodes that this one has joined. Its services are registered there too, and the members there may
//! call them.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::watch,
    task::{JoinHandle, spawn_blocking},
    time::{Duration, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    address::{self, AdvertisedAddr},
    discover,
    health_reports::{resolve_upstream, watch_upstream},
    known_nodes::{self, JoinedNode},
    services::ServiceOffer,
};
use crate::{
    health::Findings,
    net::{
        admission::{AdmissionClient, mirror_members},
        naming::{LeaseKeeper, LeaseStatus, NamingClient, NamingServer},
        rpc::{client::Client, endpoint::Endpoint, error::CallError},
        trust::{
            key::PublicKey,
            members::{Delegation, Members},
            peer_addr::PeerAddr,
            role::Role,
        },
    },
};

/// The interval between two searches for unreachable joined nodes at other addresses.
const RELOCATE_INTERVAL: Duration = Duration::from_secs(5);

/// A joined node, and the tasks that run for it.
struct Upstream {
    joined: JoinedNode,
    peer: PeerAddr,
    /// The state of each name there.
    names: Vec<(String, watch::Receiver<LeaseStatus>)>,
    tasks: Vec<JoinHandle<()>>,
    stop: CancellationToken,
}

/// A joined node, as reported to users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamStatus {
    /// Its key.
    pub key: PublicKey,
    /// The role of this node there.
    pub role: Role,
    /// Its address.
    pub addr: SocketAddr,
    /// The names registered there, each with its state.
    pub names: Vec<(String, String)>,
}

impl UpstreamStatus {
    /// Lists the names, each state once: `server, broker.k7 held`.
    #[must_use]
    pub fn names_by_state(&self) -> String {
        let mut states: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, state) in &self.names {
            match states.iter_mut().find(|(known, _)| known == state) {
                Some((_, names)) => names.push(name),
                None => states.push((state, vec![name])),
            }
        }
        let states = states.into_iter();
        let states: Vec<_> = states
            .map(|(state, names)| format!("{} {state}", names.join(", ")))
            .collect();
        states.join("; ")
    }
}

/// Every joined node of one process. Clones share them.
#[derive(Clone)]
pub(super) struct Upstreams(Arc<UpstreamsState>);

struct UpstreamsState {
    client: Client,
    members: Members,
    naming: Option<NamingServer>,
    /// The highest role here of members of joined nodes.
    delegated_role: Role,
    addr: AdvertisedAddr,
    /// The services to register at each node.
    offers: Vec<ServiceOffer>,
    upstreams: Mutex<HashMap<PublicKey, Upstream>>,
    findings: Findings,
    stop: CancellationToken,
}

impl Upstreams {
    pub(super) fn new(
        endpoint: &Endpoint,
        naming: Option<NamingServer>,
        delegated_role: Role,
        addr: AdvertisedAddr,
        offers: Vec<ServiceOffer>,
        findings: Findings,
        stop: CancellationToken,
    ) -> Self {
        Self(Arc::new(UpstreamsState {
            client: endpoint.client(),
            members: endpoint.members().clone(),
            naming,
            delegated_role,
            addr,
            offers,
            upstreams: Mutex::default(),
            findings,
            stop,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PublicKey, Upstream>> {
        let upstreams = self.0.upstreams.lock();
        upstreams.unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers the services at a joined node and follows its members, in place of what ran for it
    /// before. Must be called on the network's runtime. Returns a warning if others will not be able to
    /// reach the services.
    pub(super) fn attach(&self, joined: JoinedNode) -> Option<String> {
        let peer = joined.peers().next()?;
        let addr = self.0.addr.as_seen_from(peer.addr);
        let unreachable = addr.ip().is_loopback() && !peer.addr.ip().is_loopback();
        // Names that were registered before are registered again, so the old tasks end without
        // unregistering them. The members stay until the node reports others.
        if let Some(before) = self.lock().remove(&peer.key) {
            before.abort();
        }
        let stop = self.0.stop.child_token();
        let mut upstream = Upstream {
            peer,
            names: Vec::new(),
            tasks: Vec::new(),
            stop: stop.clone(),
            joined,
        };
        if upstream.joined.role >= Role::Member {
            let naming = NamingClient::new(self.0.client.clone(), peer);
            for offer in &self.0.offers {
                let keeper = LeaseKeeper::new(naming.clone(), offer.request(addr));
                upstream.names.push((offer.name.clone(), keeper.status()));
                upstream.tasks.push(tokio::spawn(keeper.run(stop.clone())));
            }
            let names = upstream.names.iter().map(|(_, status)| status.clone());
            let watch = watch_upstream(self.0.findings.clone(), peer, names.collect());
            let ended = stop.clone();
            upstream.tasks.push(tokio::spawn(async move {
                ended.run_until_cancelled(watch).await;
            }));
            let admission = AdmissionClient::new(self.0.client.clone(), peer);
            let mirror = mirror_members(
                self.0.members.clone(),
                admission,
                self.0.naming.clone(),
                self.0.delegated_role,
            );
            upstream.tasks.push(tokio::spawn(async move {
                stop.run_until_cancelled(mirror).await;
            }));
        } else {
            self.0.members.set_delegated(peer.key, Delegation::new());
        }
        self.lock().insert(peer.key, upstream);
        unreachable.then(|| address::loopback_warning(&[addr]).unwrap_or_default())
    }

    /// Looks for joined nodes that cannot be reached, for as long as this node runs: at their other
    /// addresses, and with `discover` on the local network.
    pub(super) async fn relocate(self, data_dir: PathBuf, discover: bool) {
        let stop = self.0.stop.clone();
        while stop
            .run_until_cancelled(sleep(RELOCATE_INTERVAL))
            .await
            .is_some()
        {
            for before in self.unreachable() {
                let key = before.key;
                let mut joined = before.clone();
                let mut now = self.probe(key, joined.addrs.iter().copied()).await;
                if now.is_none() && discover {
                    let found = spawn_blocking(move || discover::find(key)).await;
                    now = self.probe(key, found.unwrap_or_default()).await;
                }
                // A slow node has not moved, and one that was left meanwhile is not to be attached.
                let Some(now) = now.filter(|now| before.addrs.first() != Some(now)) else {
                    continue;
                };
                if !self.contains(&before) {
                    continue;
                }
                tracing::info!(key = key.fingerprint(), %now, "a joined node has moved");
                joined.put_first(now);
                self.attach(joined.clone());
                self.store(&data_dir, joined).await;
            }
        }
    }

    /// Stores a node's addresses, unless it has been left by then.
    async fn store(&self, data_dir: &Path, joined: JoinedNode) {
        let (folder, upstreams) = (data_dir.to_owned(), self.clone());
        let stored = spawn_blocking(move || {
            known_nodes::add(&folder, joined.clone())?;
            match upstreams.contains(&joined) {
                true => Ok(true),
                false => known_nodes::remove(&folder, joined.key),
            }
        });
        if let Ok(Err(error)) = stored.await {
            tracing::warn!(%error, "could not save the new address of a joined node");
        }
    }

    /// Returns the first of these addresses at which a node holds this key: what was announced proves
    /// nothing.
    async fn probe(
        &self,
        key: PublicKey,
        addrs: impl IntoIterator<Item = SocketAddr>,
    ) -> Option<SocketAddr> {
        let peers = addrs.into_iter().map(|addr| PeerAddr { addr, key });
        let connected = self.0.client.connect_any(peers).await;
        connected.ok().map(|(peer, _)| peer.addr)
    }

    /// Reports whether a node is still joined, with the same addresses.
    fn contains(&self, joined: &JoinedNode) -> bool {
        let upstreams = self.lock();
        upstreams
            .get(&joined.key)
            .is_some_and(|upstream| upstream.joined == *joined)
    }

    /// Returns the joined nodes that cannot be reached to register a name.
    fn unreachable(&self) -> Vec<JoinedNode> {
        let is_unreachable = |upstream: &&Upstream| {
            upstream.names.iter().any(|(_, status)| {
                matches!(
                    &*status.borrow(),
                    LeaseStatus::Failing(CallError::Connect { .. } | CallError::Deadline(_))
                )
            })
        };
        let upstreams = self.lock();
        upstreams
            .values()
            .filter(is_unreachable)
            .map(|upstream| upstream.joined.clone())
            .collect()
    }

    /// Unregisters the services at a joined node; its members may no longer call them. Returns `false`
    /// if it was not joined.
    pub(super) fn detach(&self, key: PublicKey) -> bool {
        let upstream = self.lock().remove(&key);
        if let Some(upstream) = &upstream {
            upstream.stop.cancel();
            resolve_upstream(&self.0.findings, upstream.peer);
        }
        self.0.members.set_delegated(key, Delegation::new());
        upstream.is_some()
    }

    /// Lists the joined nodes, by key.
    pub(super) fn list(&self) -> Vec<UpstreamStatus> {
        let upstreams = self.lock();
        let mut all: Vec<_> = upstreams.values().map(Upstream::status).collect();
        all.sort_by_key(|upstream| upstream.key);
        all
    }

    /// Takes the tasks that unregister the services when the node stops.
    pub(super) fn take_tasks(&self) -> Vec<JoinHandle<()>> {
        let mut upstreams = self.lock();
        let all = upstreams.values_mut();
        all.flat_map(|upstream| std::mem::take(&mut upstream.tasks))
            .collect()
    }
}

impl Upstream {
    fn abort(self) {
        for task in self.tasks {
            task.abort();
        }
    }

    fn status(&self) -> UpstreamStatus {
        let text = |status: &LeaseStatus| match status {
            LeaseStatus::Pending => "pending".to_owned(),
            LeaseStatus::Held => "registered".to_owned(),
            LeaseStatus::Taken(error) => format!("taken: {error}"),
            LeaseStatus::Failing(error) => format!("failing: {error}"),
            LeaseStatus::Refused(error) => format!("refused: {error}"),
        };
        let names = self.names.iter();
        UpstreamStatus {
            key: self.peer.key,
            role: self.joined.role,
            addr: self.peer.addr,
            names: names
                .map(|(name, status)| (name.clone(), text(&status.borrow())))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_several_names_is_printed_once() {
        let failing = "failing: no reply";
        let named = |names: &[(&str, &str)]| UpstreamStatus {
            key: PublicKey::from_bytes([1; 32]),
            role: Role::Member,
            addr: ([192, 0, 2, 1], 9090).into(),
            names: names
                .iter()
                .map(|(name, state)| ((*name).to_owned(), (*state).to_owned()))
                .collect(),
        };
        let both = named(&[("server", failing), ("broker.k7", failing)]);
        assert_eq!(both.names_by_state(), "server, broker.k7 failing: no reply");
        let each = named(&[("server", "held"), ("broker.k7", failing)]);
        assert_eq!(
            each.names_by_state(),
            "server held; broker.k7 failing: no reply"
        );
        assert_eq!(named(&[]).names_by_state(), "");
    }
}

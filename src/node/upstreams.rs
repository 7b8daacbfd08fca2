//! The naming servers of others that this node has joined: what it offers is registered there too, and
//! whoever has joined there may call it here.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{Duration, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    address, discover,
    known_nodes::{self, JoinedNode},
};
use crate::net::{
    admission::{AdmissionClient, mirror_members},
    naming::{LeaseKeeper, LeaseStatus, NamingClient, NamingServer, RegisterRequest},
    rpc::{
        client::{Client, PeerAddr},
        error::CallError,
        wire::Role,
    },
    trust::{key::PublicKey, members::Members},
    uri::Uri,
};

/// How often it is looked whether a joined node is elsewhere.
const LOOK: Duration = Duration::from_secs(5);

/// Where others reach this node.
#[derive(Clone, Copy)]
pub(super) struct AdvertisedAddr {
    /// What it listens on.
    pub(super) bound: SocketAddr,
    /// The address that leads here, when it was told.
    pub(super) told: Option<SocketAddr>,
}

impl AdvertisedAddr {
    /// As somebody there reaches it.
    pub(super) fn from(self, there: SocketAddr) -> SocketAddr {
        let seen = || address::source_addr_for(self.bound, there).unwrap_or(self.bound);
        self.told.unwrap_or_else(seen)
    }
}

/// What goes on with one joined node.
struct Upstream {
    known: JoinedNode,
    peer: PeerAddr,
    /// How each name stands there.
    names: Vec<(String, watch::Receiver<LeaseStatus>)>,
    running: Vec<tokio::task::JoinHandle<()>>,
    stop: CancellationToken,
}

/// A joined node, as others are shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamStatus {
    /// Its key.
    pub key: PublicKey,
    /// What this node may do there.
    pub role: Role,
    /// Where it is.
    pub addr: SocketAddr,
    /// Names that are registered there, each with how that stands.
    pub names: Vec<(String, String)>,
}

/// Every joined node of one process.
#[derive(Clone)]
pub(super) struct Upstreams(Arc<Shared>);

struct Shared {
    client: Client,
    members: Members,
    naming: Option<NamingServer>,
    reached: AdvertisedAddr,
    /// What is offered, without where it is.
    offered: Vec<RegisterRequest>,
    links: Mutex<HashMap<PublicKey, Upstream>>,
    stop: CancellationToken,
}

impl Upstreams {
    pub(super) fn new(
        client: Client,
        members: Members,
        naming: Option<NamingServer>,
        reached: AdvertisedAddr,
        offered: Vec<RegisterRequest>,
        stop: CancellationToken,
    ) -> Self {
        Self(Arc::new(Shared {
            client,
            members,
            naming,
            reached,
            offered,
            links: Mutex::default(),
            stop,
        }))
    }

    fn links(&self) -> MutexGuard<'_, HashMap<PublicKey, Upstream>> {
        let links = self.0.links.lock();
        links.unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up a joined node, in place of what was known of it before. To be called on the network's
    /// runtime. Answers a warning, if others will not be able to reach what is registered there.
    pub(super) fn attach(&self, known: JoinedNode) -> Option<String> {
        let peer = known.peers().next()?;
        let at = self.0.reached.from(peer.addr);
        let alone = at.ip().is_loopback() && !peer.addr.ip().is_loopback();
        // What was registered before is registered again: the old work ends without taking it back.
        // Its guests stay until it says otherwise.
        if let Some(before) = self.links().remove(&peer.key) {
            before.end();
        }
        let stop = self.0.stop.child_token();
        let mut link = Upstream {
            peer,
            names: Vec::new(),
            running: Vec::new(),
            stop: stop.clone(),
            known,
        };
        if link.known.role >= Role::Member {
            let naming = NamingClient::new(self.0.client.clone(), peer);
            for offered in &self.0.offered {
                let mut wanted = offered.clone();
                wanted.uri = Uri {
                    object: wanted.uri,
                    addr: at,
                }
                .to_string();
                let registration = LeaseKeeper::new(naming.clone(), wanted);
                link.names
                    .push((offered.name.clone(), registration.status()));
                link.running
                    .push(tokio::spawn(registration.run(stop.clone())));
            }
            let peers = AdmissionClient::new(self.0.client.clone(), peer);
            let guests = mirror_members(self.0.members.clone(), peers, self.0.naming.clone());
            link.running.push(tokio::spawn(async move {
                stop.run_until_cancelled(guests).await;
            }));
        } else {
            self.0.members.set_delegated(peer.key, HashMap::new());
        }
        self.links().insert(peer.key, link);
        alone.then(|| address::loopback_warning(&[at]).unwrap_or_default())
    }

    /// Looks for joined nodes that cannot be reached where they were, for as long as this node runs: at
    /// their other addresses, and with `discover` on the local network.
    pub(super) async fn relocate(self, data_dir: PathBuf, discover: bool) {
        while self.0.stop.run_until_cancelled(sleep(LOOK)).await.is_some() {
            for before in self.lost() {
                let key = before.key;
                let mut known = before.clone();
                let mut now = self.answers(key, known.addrs.iter().copied()).await;
                if now.is_none() && discover {
                    let found = spawn_blocking(move || discover::find(key)).await;
                    now = self.answers(key, found.unwrap_or_default()).await;
                }
                // Slow is not moved, and whoever has been left meanwhile is not to be found.
                let Some(now) = now.filter(|now| before.addrs.first() != Some(now)) else {
                    continue;
                };
                if !self.has(&before) {
                    continue;
                }
                tracing::info!(key = key.fingerprint(), %now, "a joined node has moved");
                known.reached_at(now);
                self.attach(known.clone());
                self.remember(&data_dir, known).await;
            }
        }
    }

    /// Keeps where a node is, unless it has been left by then.
    async fn remember(&self, data_dir: &Path, known: JoinedNode) {
        let (folder, links) = (data_dir.to_owned(), self.clone());
        let kept = spawn_blocking(move || {
            known_nodes::remember(&folder, known.clone())?;
            match links.has(&known) {
                true => Ok(true),
                false => known_nodes::forget(&folder, known.key),
            }
        });
        if let Ok(Err(why)) = kept.await {
            tracing::warn!(%why, "its new address will be forgotten");
        }
    }

    /// The first of these addresses where a node holds this key: what is announced proves nothing.
    async fn answers(
        &self,
        key: PublicKey,
        addrs: impl IntoIterator<Item = SocketAddr>,
    ) -> Option<SocketAddr> {
        let peers = addrs.into_iter().map(|addr| PeerAddr { addr, key });
        let answered = self.0.client.connect_any(peers).await;
        answered.ok().map(|(peer, _)| peer.addr)
    }

    /// Whether a node is still joined, and known as then.
    fn has(&self, known: &JoinedNode) -> bool {
        let links = self.links();
        links
            .get(&known.key)
            .is_some_and(|link| link.known == *known)
    }

    /// Joined nodes with a name that cannot be kept there for want of a connection.
    fn lost(&self) -> Vec<JoinedNode> {
        let lost = |link: &&Upstream| {
            link.names.iter().any(|(_, status)| {
                let status = status.borrow();
                matches!(
                    &*status,
                    LeaseStatus::Failing(CallError::Connect { .. } | CallError::Deadline(_))
                )
            })
        };
        let links = self.links();
        links
            .values()
            .filter(lost)
            .map(|link| link.known.clone())
            .collect()
    }

    /// Lets go of a joined node: names are taken back, its peers are no guests any more.
    pub(super) fn detach(&self, key: PublicKey) -> bool {
        let link = self.links().remove(&key);
        if let Some(link) = &link {
            link.stop.cancel();
        }
        self.0.members.set_delegated(key, HashMap::new());
        link.is_some()
    }

    /// Every joined node, by key.
    pub(super) fn list(&self) -> Vec<UpstreamStatus> {
        let links = self.links();
        let mut all: Vec<_> = links.values().map(Upstream::info).collect();
        all.sort_by_key(|link| link.key);
        all
    }

    /// The tasks that take names back when the node stops.
    pub(super) fn take_running(&self) -> Vec<tokio::task::JoinHandle<()>> {
        let mut links = self.links();
        let all = links.values_mut();
        all.flat_map(|link| std::mem::take(&mut link.running))
            .collect()
    }
}

impl Upstream {
    /// Ends what goes on, at once.
    fn end(self) {
        for running in self.running {
            running.abort();
        }
    }

    fn info(&self) -> UpstreamStatus {
        let word = |status: &LeaseStatus| match status {
            LeaseStatus::Pending => "pending".to_owned(),
            LeaseStatus::Held => "held".to_owned(),
            LeaseStatus::Failing(why) => format!("failing: {why}"),
            LeaseStatus::Refused(why) => format!("refused: {why}"),
        };
        let names = self.names.iter();
        UpstreamStatus {
            key: self.peer.key,
            role: self.known.role,
            addr: self.peer.addr,
            names: names
                .map(|(name, status)| (name.clone(), word(&status.borrow())))
                .collect(),
        }
    }
}

//! The object by which a running node joins and leaves other nodes: a command on the same data folder
//! calls it instead of changing files behind its back.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    known_nodes::{self, JoinedNode, KnownNodesError},
    upstreams::{UpstreamStatus, Upstreams},
};
use crate::{
    health::{Finding, FindingKind, Findings},
    net::{
        naming::{NameUsage, NamingServer},
        rpc::{
            client::Client,
            error::{CallError, Code, RemoteError},
            service::{Method, NoArgs, Service},
        },
        trust::{
            key::PublicKey,
            members::Members,
            role::Role,
            ticket::{ParseTicketError, Ticket},
        },
        watchdog::Watchdog,
    },
};

/// The name that it is exposed under.
pub(super) const NAME: &str = "node";

pub(super) const JOIN: Method<(String,), JoinOutcome> = Method::new(
    "join(ticket: str) -> map",
    "Joins another node with its ticket and registers this node's services there.",
)
.requires(Role::Admin);

pub(super) const LEAVE: Method<(String,), UpstreamStatus> = Method::new(
    "leave(key_prefix: str) -> map",
    "Unregisters this node's services at another node and removes that node.",
)
.requires(Role::Admin);

pub(super) const UPSTREAMS: Method<NoArgs, Vec<UpstreamStatus>> = Method::new(
    "upstreams() -> list",
    "Lists the nodes that this one has joined, with the state of its names there.",
)
.requires(Role::Member);

pub(super) const FINDINGS: Method<NoArgs, Vec<Finding>> = Method::new(
    "findings() -> list",
    "Lists what is wrong with this node, the most severe first.",
)
.requires(Role::Member);

pub(super) const STATUS: Method<NoArgs, NodeStatus> = Method::new(
    "status() -> map",
    "Returns the longest delay on the network thread, and the registered names with their limits.",
)
.requires(Role::Member);

pub(super) const ACKNOWLEDGE: Method<NoArgs, usize> = Method::new(
    "acknowledge() -> int",
    "Removes the findings about losses, and returns their number.",
)
.requires(Role::Admin);

/// A node in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The longest time for which the network thread kept calls waiting, in microseconds.
    pub network_longest_us: u64,
    /// The registered names and their limits; `None` without a naming server.
    pub names: Option<NamesStatus>,
}

/// The registered names of a node in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamesStatus {
    /// All names.
    pub usage: NameUsage,
    /// Limit of all names.
    pub max: NameUsage,
    /// Quota of each key but those of admins.
    pub quota: NameUsage,
}

/// The result of joining a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinOutcome {
    /// The key of the joined node.
    pub key: PublicKey,
    /// The role granted there.
    pub role: Role,
    /// The address at which it was reached.
    pub addr: Option<SocketAddr>,
    /// A warning for the user.
    pub warning: Option<String>,
}

impl JoinOutcome {
    pub(super) fn new(joined: &JoinedNode, warning: Option<String>) -> Self {
        Self {
            key: joined.key,
            role: joined.role,
            addr: joined.addrs.first().copied(),
            warning,
        }
    }
}

/// Joins and leaves nodes on behalf of one node.
#[derive(Clone)]
pub(super) struct NodeService {
    pub(super) client: Client,
    pub(super) upstreams: Upstreams,
    pub(super) data_dir: PathBuf,
    pub(super) label: String,
    pub(super) own: PublicKey,
    pub(super) bound: SocketAddr,
    pub(super) findings: Findings,
    pub(super) naming: Option<NamingServer>,
    pub(super) watchdog: Watchdog,
    pub(super) members: Members,
}

impl NodeService {
    /// Joins a node, stores it and registers this node's services there.
    pub(super) async fn join(&self, ticket: &Ticket) -> Result<JoinOutcome, CallError> {
        if ticket.key == self.own {
            return Err(RemoteError::bad_arguments("this is a ticket of this very node").into());
        }
        let verified = self.verify_known().await;
        verified.map_err(|error| {
            RemoteError::new(
                Code::Internal,
                format!("not joined, because it cannot be saved: {error}"),
            )
        })?;
        let joined = redeem(&self.client, ticket, &self.label).await;
        let joined = joined.map_err(|error| match error {
            CallError::Connect { .. } => self.loopback_error(ticket).unwrap_or(error),
            other => other,
        })?;
        let warning = self.upstreams.attach(joined.clone());
        let outcome = JoinOutcome::new(&joined, warning);
        let folder = self.data_dir.clone();
        on_file(move || known_nodes::add(&folder, joined))
            .await
            .map_err(|error| {
                let message = format!("joined, but not saved, so a restart will undo it: {error}");
                RemoteError::new(Code::Internal, message)
            })?;
        Ok(outcome)
    }

    /// Returns the reason why a server on another machine cannot be reached, if it is that this node
    /// listens on loopback.
    fn loopback_error(&self, ticket: &Ticket) -> Option<CallError> {
        let is_remote = |addr: &SocketAddr| !addr.ip().is_loopback();
        let unreachable = self.bound.ip().is_loopback() && ticket.addrs.iter().any(is_remote);
        let why = "this node listens on loopback and reaches no other machine; start it with --listen \
                   0.0.0.0:PORT";
        unreachable.then(|| RemoteError::new(Code::Internal, why).into())
    }

    /// Leaves a node, named by a prefix of its key.
    pub(super) async fn leave(&self, key_prefix: &str) -> Result<UpstreamStatus, RemoteError> {
        let prefix = key_prefix.trim().to_ascii_lowercase();
        if prefix.is_empty() {
            return Err(RemoteError::bad_arguments(
                "the key of the upstream is empty",
            ));
        }
        let joined = self.upstreams.list();
        let mut matching = joined
            .iter()
            .filter(|upstream| upstream.key.to_string().starts_with(&prefix));
        let upstream = match (matching.next(), matching.next()) {
            (Some(upstream), None) => upstream,
            (Some(_), Some(_)) => {
                return Err(RemoteError::bad_arguments(format!(
                    "more than one upstream has a key that begins with `{prefix}`; give more of the key"
                )));
            }
            (None, _) => {
                return Err(RemoteError::not_found(format!(
                    "no upstream has a key that begins with `{prefix}`; see distro-tui members"
                )));
            }
        };
        let (folder, key) = (self.data_dir.clone(), upstream.key);
        self.upstreams.detach(key);
        on_file(move || known_nodes::remove(&folder, key))
            .await
            .map_err(|error| RemoteError::new(Code::Internal, error.to_string()))?;
        Ok(upstream.clone())
    }

    /// Lists the nodes that this one has joined.
    pub(super) fn upstreams(&self) -> Vec<UpstreamStatus> {
        self.upstreams.list()
    }

    /// Lists what is wrong with this node. The files that are seldom written are looked at first.
    pub(super) async fn findings(&self) -> Vec<Finding> {
        let members = self.members.verify_file().await;
        self.report_file("members", members.err().map(|gone| gone.to_string()));
        let known = self.verify_known().await;
        self.report_file("joined nodes", known.err().map(|gone| gone.to_string()));
        self.findings.list()
    }

    fn report_file(&self, subject: &str, gone: Option<String>) {
        let kind = FindingKind::TrustFileGone;
        match gone {
            Some(text) => self.findings.report(kind, subject, &text),
            None => self.findings.resolve(kind, subject),
        }
    }

    /// Checks that the file of joined nodes still has those that this node has joined.
    async fn verify_known(&self) -> Result<(), FileTaskError> {
        let joined: Vec<_> = self
            .upstreams
            .list()
            .iter()
            .map(|upstream| upstream.key)
            .collect();
        let folder = self.data_dir.clone();
        on_file(move || known_nodes::verify(&folder, &joined)).await
    }

    /// Returns the node in numbers.
    pub(super) fn status(&self) -> NodeStatus {
        let names = self.naming.as_ref().map(|naming| {
            let limits = naming.limits();
            NamesStatus {
                usage: naming.total_usage(),
                max: NameUsage {
                    names: limits.records,
                    bytes: limits.bytes,
                },
                quota: NameUsage {
                    names: limits.names_per_key,
                    bytes: limits.bytes_per_key,
                },
            }
        });
        let longest = self.watchdog.longest().as_micros();
        NodeStatus {
            network_longest_us: u64::try_from(longest).unwrap_or(u64::MAX),
            names,
        }
    }

    /// Removes the findings about losses, and returns their number.
    pub(super) async fn acknowledge(&self) -> Result<usize, RemoteError> {
        let findings = self.findings.clone();
        let acknowledged = tokio::task::spawn_blocking(move || findings.acknowledge()).await;
        acknowledged
            .unwrap_or_else(|aborted| Err(aborted.into()))
            .map_err(|error| {
                let message =
                    format!("acknowledged until the next start only: it cannot be stored: {error}");
                RemoteError::new(Code::Internal, message)
            })
    }

    /// Returns the object, with its methods.
    pub(super) fn object(&self) -> Service {
        let service = Arc::new(self.clone());
        Service::new("The nodes that this one has joined, and its health")
            .serve(&JOIN, &service, |service, _, (ticket,)| async move {
                let ticket: Ticket = ticket
                    .parse()
                    .map_err(|e: ParseTicketError| RemoteError::bad_arguments(e.to_string()))?;
                service.join(&ticket).await.map_err(|error| match error {
                    CallError::Remote(error) => error,
                    // The caller gets the error that it would have had itself.
                    error => {
                        RemoteError::new(Code::Internal, error.to_string()).with_detail(&error)
                    }
                })
            })
            .serve(&LEAVE, &service, |service, _, (key_prefix,)| async move {
                service.leave(&key_prefix).await
            })
            .serve(&UPSTREAMS, &service, |service, _, []| {
                std::future::ready(Ok::<_, RemoteError>(service.upstreams()))
            })
            .serve(&FINDINGS, &service, |service, _, []| async move {
                Ok::<_, RemoteError>(service.findings().await)
            })
            .serve(&STATUS, &service, |service, _, []| {
                std::future::ready(Ok::<_, RemoteError>(service.status()))
            })
            .serve(&ACKNOWLEDGE, &service, |service, _, []| async move {
                service.acknowledge().await
            })
    }
}

/// Runs file work on a thread for it: the network must not wait for a disk.
async fn on_file<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KnownNodesError> + Send + 'static,
) -> Result<T, FileTaskError> {
    Ok(tokio::task::spawn_blocking(work).await??)
}

/// The reason why file work failed.
#[derive(Debug, thiserror::Error)]
enum FileTaskError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] KnownNodesError),
    /// The work panicked or the runtime is shutting down.
    #[error(transparent)]
    Aborted(#[from] tokio::task::JoinError),
}

/// Joins the node of a ticket; returns what is to be stored of it.
pub(super) async fn redeem(
    client: &Client,
    ticket: &Ticket,
    label: &str,
) -> Result<JoinedNode, CallError> {
    let (peer, role) = client.join(ticket, label).await?;
    Ok(JoinedNode::new(ticket, peer.addr, role))
}

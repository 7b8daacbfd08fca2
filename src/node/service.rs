//! The object by which a running node is told to join others. A command on the same data folder asks it
//! instead of doing it behind its back.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    known_nodes::{self, JoinedNode, KnownNodesError},
    upstreams::{UpstreamStatus, Upstreams},
};
use crate::{
    net::{
        admission::require_role,
        rpc::{
            client::{Client, DEADLINE, PeerAddr, Request},
            error::{CallError, Code, RemoteError},
            object::{Caller, Service},
            wire::Role,
        },
        trust::{
            key::PublicKey,
            ticket::{MAX_ADDRS, Ticket},
        },
    },
    value::Value,
};

/// The name that it is exposed under.
pub(super) const NAME: &str = "node";

/// What came of joining.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinOutcome {
    /// The key of the node that was joined.
    pub key: PublicKey,
    /// As what.
    pub role: Role,
    /// Where it was reached.
    pub addr: Option<SocketAddr>,
    /// What the person should know.
    pub warning: Option<String>,
}

impl JoinOutcome {
    pub(super) fn new(known: &JoinedNode, warning: Option<String>) -> Self {
        Self {
            key: known.key,
            role: known.role,
            addr: known.addrs.first().copied(),
            warning,
        }
    }
}

/// What the object needs.
#[derive(Clone)]
pub(super) struct NodeService {
    pub(super) client: Client,
    pub(super) links: Upstreams,
    pub(super) data_dir: PathBuf,
    pub(super) label: String,
    pub(super) own: PublicKey,
    pub(super) bound: SocketAddr,
}

impl NodeService {
    /// Joins, remembers and registers there what is offered here.
    pub(super) async fn join(&self, text: &str) -> Result<JoinOutcome, CallError> {
        let ticket: Ticket = text
            .parse()
            .map_err(|why| RemoteError::bad_arguments(format!("{why}")))?;
        if ticket.key == self.own {
            return Err(RemoteError::bad_arguments("this is a ticket of this very node").into());
        }
        let known = join(&self.client, &ticket, &self.label).await;
        let known = known.map_err(|error| match error {
            CallError::Connect { .. } => self.cut_off(&ticket).unwrap_or(error),
            other => other,
        })?;
        let warning = self.links.attach(known.clone());
        let joined = JoinOutcome::new(&known, warning);
        let folder = self.data_dir.clone();
        in_file(move || known_nodes::remember(&folder, known))
            .await
            .map_err(|why| {
                let why = format!("joined, but it will be forgotten with the next start: {why}");
                RemoteError::new(Code::Internal, why)
            })?;
        Ok(joined)
    }

    /// Why a server elsewhere cannot be reached from here, when that is because of where this node listens.
    fn cut_off(&self, ticket: &Ticket) -> Option<CallError> {
        let elsewhere = |addr: &SocketAddr| !addr.ip().is_loopback();
        let cut_off = self.bound.ip().is_loopback() && ticket.addrs.iter().any(elsewhere);
        let why = "this node listens on loopback and reaches no other machine; start it with --listen \
                   0.0.0.0:PORT";
        cut_off.then(|| RemoteError::new(Code::Internal, why).into())
    }

    async fn leave(&self, who: &str) -> Result<UpstreamStatus, RemoteError> {
        let who = who.trim().to_ascii_lowercase();
        let links = self.links.list();
        let mut fits = links
            .iter()
            .filter(|link| link.key.to_string().starts_with(&who));
        let (Some(link), None) = (fits.next(), fits.next()) else {
            return Err(RemoteError::not_found(format!(
                "this node has joined no node, or more than one, whose key begins with `{who}`"
            )));
        };
        let (folder, key) = (self.data_dir.clone(), link.key);
        self.links.detach(key);
        in_file(move || known_nodes::forget(&folder, key))
            .await
            .map_err(|why| RemoteError::new(Code::Internal, why))?;
        Ok(link.clone())
    }

    /// The object, with its methods.
    pub(super) fn object(self) -> Service {
        let (join, leave, links) = (self.clone(), self.clone(), self);
        Service::new("This node: which others it has joined")
            .method(
                "join(ticket: str) -> map",
                "Joins another node with its ticket, and registers there what is offered here.",
                move |caller: Caller, (ticket,): (String,)| {
                    let desk = join.clone();
                    async move {
                        require_role(Role::Admin, &caller)?;
                        desk.join(&ticket).await.map_err(|error| match error {
                            CallError::Remote(fault) => fault,
                            // Whoever asked is told what it would have met itself.
                            met => {
                                RemoteError::new(Code::Internal, met.to_string()).with_detail(&met)
                            }
                        })
                    }
                },
            )
            .method(
                "leave(who: str) -> map",
                "Takes the names back that are registered at another node, and forgets it.",
                move |caller: Caller, (who,): (String,)| {
                    let desk = leave.clone();
                    async move {
                        require_role(Role::Admin, &caller)?;
                        desk.leave(&who).await
                    }
                },
            )
            .method(
                "links() -> list",
                "The nodes that this one has joined, and how its names stand there.",
                move |caller: Caller, []: [(); 0]| {
                    let listed = require_role(Role::Member, &caller).map(|()| links.links.list());
                    std::future::ready(listed)
                },
            )
    }
}

/// File work goes to a thread for it: the network must not wait for a disk.
async fn in_file<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KnownNodesError> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|e| e.to_string())?;
    done.map_err(|e| e.to_string())
}

/// Proves a ticket, and says what is to be remembered of its server.
pub(super) async fn join(
    client: &Client,
    ticket: &Ticket,
    label: &str,
) -> Result<JoinedNode, CallError> {
    let (peer, role) = client.join(ticket, label).await?;
    Ok(JoinedNode::of(ticket, peer.addr, role))
}

/// The typed way to ask a node about itself.
#[derive(Debug, Clone)]
pub struct NodeClient {
    client: Client,
    server: PeerAddr,
}

impl NodeClient {
    pub(super) const fn new(client: Client, server: PeerAddr) -> Self {
        Self { client, server }
    }

    /// Has the node join another.
    ///
    /// # Errors
    /// The other's refusal, or the call's own.
    pub async fn join(&self, ticket: &str) -> Result<JoinOutcome, CallError> {
        let asked = self.ask("join", vec![ticket.into()]).await;
        asked.map_err(|error| match error {
            CallError::Remote(fault) => fault.detail().unwrap_or(CallError::Remote(fault)),
            other => other,
        })
    }

    /// Has the node leave another: the beginning of its key.
    ///
    /// # Errors
    /// [`Code::NotFound`], or the call's own.
    pub async fn leave(&self, who: &str) -> Result<UpstreamStatus, CallError> {
        self.ask("leave", vec![who.into()]).await
    }

    /// The nodes that the node has joined.
    ///
    /// # Errors
    /// The call's own.
    pub async fn links(&self) -> Result<Vec<UpstreamStatus>, CallError> {
        self.ask("links", vec![]).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        args: Vec<Value>,
    ) -> Result<T, CallError> {
        let request = Request::new(NAME, method, args);
        // Joining is a dial of its own, by the other node.
        let long = DEADLINE * u32::try_from(MAX_ADDRS + 1).unwrap_or(u32::MAX);
        let answer = self.client.call_encoded(self.server, request, long);
        answer
            .await?
            .to_typed()
            .map_err(|e| CallError::Protocol(e.to_string()))
    }
}

/// An object that is shared by its desk.
pub(super) fn object(desk: NodeService) -> Arc<Service> {
    Arc::new(desk.object())
}

//! The object by which members are listed, let in and thrown out. It is served by every node under
//! [`NAME`], beside the naming server, and is found there: whoever can ask the naming server has the
//! peer at hand.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::{Duration, Instant};

use super::{
    naming::NamingServer,
    rpc::{
        client::{Client, DEADLINE, PeerAddr, Request, ResponseStream},
        endpoint::Endpoint,
        error::{CallError, Code, RemoteError},
        object::{Caller, Service},
        wire::Role,
    },
    trust::{
        key::PublicKey,
        members::{self, Members, Seconds},
    },
};
use crate::{
    retry::Backoff,
    value::{Value, ValueError},
};

/// The name that it is exposed under.
pub const NAME: &str = "peers";

/// Somebody who has joined, as others are shown him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Who, what he may do and since when.
    #[serde(flatten)]
    pub peer: members::Member,
    /// How many connections he has open.
    pub connections: usize,
}

/// Who somebody is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoAmI {
    /// The caller's key.
    pub key: PublicKey,
    /// What it may do.
    pub role: Role,
    /// The server's key.
    pub server: PublicKey,
    /// The server's software version.
    pub version: String,
    /// Where others can reach the server, the likeliest first.
    pub addrs: Vec<SocketAddr>,
}

/// What a ticket is to be like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TicketOptions {
    /// Only its first bearer joins.
    pub once: bool,
    /// Nobody joins with it after so many seconds.
    pub expires: Option<Seconds>,
}

/// What the object needs.
#[derive(Clone)]
pub struct AdmissionService {
    /// Where tickets are made.
    pub endpoint: Endpoint,
    /// The naming server in which names of whoever is thrown out end, if there is one here.
    pub naming: Option<NamingServer>,
    /// Where others can reach this process.
    pub addrs: Vec<SocketAddr>,
}

impl AdmissionService {
    fn members(&self) -> &Members {
        self.endpoint.members()
    }

    /// A ticket's text.
    ///
    /// # Errors
    /// As [`Members::ticket`].
    pub async fn ticket(&self, role: Role, options: TicketOptions) -> Result<String, RemoteError> {
        let issued = self
            .members()
            .issue_ticket(role, options.once, options.expires)
            .await?;
        let ticket = self.endpoint.ticket(&issued, self.addrs.clone());
        Ok(ticket.to_string())
    }

    fn list(&self) -> Vec<MemberStatus> {
        let connected = self.endpoint.connections_by_key();
        let info = |peer: members::Member| MemberStatus {
            connections: connected.get(&peer.key).copied().unwrap_or_default(),
            peer,
        };
        self.members().list().into_iter().map(info).collect()
    }

    async fn revoke(&self, who: &str) -> Result<members::Member, RemoteError> {
        let peer = self.find(who)?;
        self.members().revoke(peer.key).await?;
        if let Some(naming) = &self.naming {
            naming.evict(peer.key).await?;
        }
        Ok(peer)
    }

    /// A peer by the beginning of its key, or by its label.
    fn find(&self, who: &str) -> Result<members::Member, RemoteError> {
        let who = who.trim().to_ascii_lowercase();
        let peers = self.members().list();
        let fits = |peer: &&members::Member| {
            (who.len() >= 4 && peer.key.to_string().starts_with(&who))
                || peer.label.to_ascii_lowercase() == who
        };
        let mut found = peers.iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(peer), None) => Ok(peer.clone()),
            (Some(_), Some(_)) => Err(RemoteError::bad_arguments(format!(
                "more than one peer is called `{who}`; give more of the key"
            ))),
            // A key that never joined here, but that is known elsewhere, can be shut out as well.
            _ => match who.parse() {
                Ok(key) => Ok(members::Member {
                    key,
                    role: Role::Read,
                    label: String::new(),
                    joined_at: 0,
                }),
                Err(_no_key) => Err(RemoteError::not_found(format!(
                    "nobody here is called `{who}`; list the peers to see who is"
                ))),
            },
        }
    }

    /// The object, with its methods.
    #[must_use]
    pub fn object(self) -> Service {
        let service = || self.clone();
        let (me, list, watch, ticket, rotate, revoke) = (
            service(),
            service(),
            service(),
            service(),
            service(),
            service(),
        );
        Service::new("Who has joined, and what each may do")
            .method(
                "who_am_i() -> map",
                "Who the caller is here, and what it may do.",
                move |caller: Caller, []: [(); 0]| {
                    let me = WhoAmI {
                        key: caller.key,
                        role: caller.role,
                        server: me.endpoint.key(),
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                        addrs: me.addrs.clone(),
                    };
                    std::future::ready(Ok::<_, RemoteError>(me))
                },
            )
            .method(
                "list() -> list",
                "Everybody who has joined, with roles and connections.",
                move |caller, []: [(); 0]| {
                    std::future::ready(require_role(Role::Member, &caller).map(|()| list.list()))
                },
            )
            .stream(
                "watch() -> stream",
                "Keys and roles of everybody who has joined, now and after every change.",
                move |caller, []: [(); 0]| {
                    require_role(Role::Member, &caller)?;
                    Ok(follow(watch.members().clone()))
                },
            )
            .method(
                "issue_ticket(role: str?, options: map?) -> str",
                "A ticket to join with, as member unless told otherwise. TicketOptions: once, expires (seconds).",
                move |caller, (role, options): (Option<Role>, Option<TicketOptions>)| {
                    let service = ticket.clone();
                    async move {
                        require_role(Role::Admin, &caller)?;
                        let role = role.unwrap_or(Role::Member);
                        service.ticket(role, options.unwrap_or_default()).await
                    }
                },
            )
            .method(
                "invalidate_tickets(role: str?) -> int",
                "Makes every ticket worthless, or those of one role; who has joined stays.",
                move |caller, (role,): (Option<Role>,)| {
                    let service = rotate.clone();
                    async move {
                        require_role(Role::Admin, &caller)?;
                        service.members().invalidate_tickets(role).await
                    }
                },
            )
            .method(
                "revoke(who: str) -> map",
                "Throws a key out: its connections end and its names go. Who: the beginning of a key, \
                 or a label.",
                move |caller, (who,): (String,)| {
                    let service = revoke.clone();
                    async move {
                        require_role(Role::Admin, &caller)?;
                        // It is done to its end, also when the caller is the one who is thrown out.
                        let whole = tokio::spawn(async move { service.revoke(&who).await });
                        whole.await.unwrap_or_else(|ended| {
                            Err(RemoteError::new(Code::Internal, ended.to_string()))
                        })
                    }
                },
            )
    }
}

/// Whether a caller may do what takes a role.
///
/// # Errors
/// [`Code::Denied`], with what it would take.
pub fn require_role(role: Role, caller: &Caller) -> Result<(), RemoteError> {
    if caller.role >= role {
        return Ok(());
    }
    Err(RemoteError::new(
        Code::Denied,
        format!(
            "this takes the role {role}, and this key has {}",
            caller.role
        ),
    ))
}

/// A key and its role, as servers that let in the same peers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberEntry {
    /// The key.
    pub key: PublicKey,
    /// Its role.
    pub role: Role,
}

fn follow(members: Members) -> impl Stream<Item = Result<Vec<MemberEntry>, RemoteError>> + Send {
    let mut news = members.watch();
    news.mark_changed();
    stream::unfold((members, news), |(members, mut news)| async move {
        news.changed().await.ok()?;
        let known = |peer: members::Member| MemberEntry {
            key: peer.key,
            role: peer.role,
        };
        let known: Vec<_> = members.list().into_iter().map(known).collect();
        Some((Ok(known), (members, news)))
    })
}

/// The typed way to ask a server about its members.
#[derive(Debug, Clone)]
pub struct AdmissionClient {
    client: Client,
    server: PeerAddr,
}

impl AdmissionClient {
    /// A client for the server at this peer.
    #[must_use]
    pub const fn new(client: Client, server: PeerAddr) -> Self {
        Self { client, server }
    }

    /// Who this process is there.
    ///
    /// # Errors
    /// The call's own.
    pub async fn who_am_i(&self) -> Result<WhoAmI, CallError> {
        self.ask("who_am_i", vec![]).await
    }

    /// Everybody who has joined there.
    ///
    /// # Errors
    /// [`Code::Denied`] for readers, or the call's own.
    pub async fn list(&self) -> Result<Vec<MemberStatus>, CallError> {
        self.ask("list", vec![]).await
    }

    /// A ticket's text.
    ///
    /// # Errors
    /// [`Code::Denied`] for all but admins, or the call's own.
    pub async fn issue_ticket(
        &self,
        role: Role,
        options: TicketOptions,
    ) -> Result<String, CallError> {
        let options = Value::from_typed(&options).map_err(|e| unexpected(&e))?;
        self.ask("issue_ticket", vec![role.as_str().into(), options])
            .await
    }

    /// Makes tickets worthless; answers how many.
    ///
    /// # Errors
    /// As [`AdmissionClient::ticket`].
    pub async fn invalidate_tickets(&self, role: Option<Role>) -> Result<usize, CallError> {
        let role = role.map_or(Value::Null, |role| role.as_str().into());
        self.ask("invalidate_tickets", vec![role]).await
    }

    /// Throws a key out: the beginning of a key, or a label.
    ///
    /// # Errors
    /// [`Code::NotFound`], or as [`AdmissionClient::ticket`].
    pub async fn revoke(&self, who: &str) -> Result<members::Member, CallError> {
        self.ask("revoke", vec![who.into()]).await
    }

    /// Follows who has joined.
    ///
    /// # Errors
    /// The call's own.
    pub async fn watch(&self) -> Result<Watch, CallError> {
        let request = Request::new(NAME, "watch", vec![]);
        let replies = self.client.open(self.server, request, DEADLINE).await?;
        Ok(Watch(replies))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        args: Vec<Value>,
    ) -> Result<T, CallError> {
        let request = Request::new(NAME, method, args);
        let answer = self.client.call_encoded(self.server, request, DEADLINE);
        answer.await?.to_typed().map_err(|e| unexpected(&e))
    }
}

/// Who has joined, after every change. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watch(ResponseStream);

impl Watch {
    /// Everybody, as it is now; `None` when the server ended the watch.
    ///
    /// # Errors
    /// The call's own.
    pub async fn next(&mut self) -> Result<Option<Vec<MemberEntry>>, CallError> {
        match self.0.next().await? {
            Some(known) => known.to_typed().map(Some).map_err(|e| unexpected(&e)),
            None => Ok(None),
        }
    }
}

fn unexpected(error: &ValueError) -> CallError {
    CallError::Protocol(format!("an unexpected answer about peers: {error}"))
}

/// Guests of a server that has not been heard for this long are let in no more.
const UNHEARD: Duration = Duration::from_secs(120);

/// Lets in whom another server lets in, for as long as that server can be heard; to be run beside an
/// endpoint. Nobody becomes more than a member by it: an admin there is no admin here. Whoever is no longer
/// let in loses the names that it has registered here.
pub async fn mirror_members(
    members: Members,
    peers: AdmissionClient,
    naming: Option<NamingServer>,
) {
    let by = peers.server.key;
    let set = async |guests: HashMap<PublicKey, Role>| {
        for out in members.set_delegated(by, guests) {
            if let Some(naming) = &naming
                && let Err(error) = naming.evict(out).await
            {
                tracing::warn!(%error, "the names of a guest who left may come back");
            }
        }
    };
    let (mut backoff, mut heard) = (Backoff::default(), Instant::now());
    loop {
        match peers.watch().await {
            Ok(mut watch) => {
                while let Ok(Some(known)) = watch.next().await {
                    backoff.reset();
                    let guests = known.into_iter().map(|k| (k.key, k.role.min(Role::Member)));
                    // The server itself calls the objects that it has in its list.
                    set(guests.chain([(by, Role::Member)]).collect()).await;
                }
                heard = Instant::now();
            }
            // Who may not look any more, or is thrown out, does not vouch either.
            Err(CallError::Unauthorized(_)) => set(HashMap::new()).await,
            Err(CallError::Remote(error)) if error.code == Code::Denied => {
                set(HashMap::new()).await;
            }
            Err(_) if heard.elapsed() > UNHEARD => set(HashMap::new()).await,
            Err(_) => {}
        }
        tokio::time::sleep(backoff.next_delay()).await;
    }
}

/// An object that is shared by its service.
#[must_use]
pub fn object(service: AdmissionService) -> Arc<Service> {
    Arc::new(service.object())
}

//! Admission: the object by which members are listed, invited and removed. Every node serves it under
//! [`NAME`], beside the naming server: a client of the naming server knows the peer.

mod client;
mod contract;
mod expiry;
mod mirror;

use std::{net::SocketAddr, sync::Arc};

use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};

use self::contract::{INVALIDATE_TICKETS, ISSUE_TICKET, LIST, REVOKE, USAGE, WATCH, WHO_AM_I};
pub use self::{
    client::AdmissionClient,
    expiry::expire_tickets,
    mirror::{MAX_DELEGATED_ROLE, mirror_members},
};
use super::{
    naming::{NameUsage, NamingServer},
    rpc::{
        endpoint::Endpoint,
        error::{Code, RemoteError},
        object::Caller,
        service::Service,
    },
    trust::{
        key::PublicKey,
        members::{Member, Members, Seconds},
        role::Role,
    },
};
use crate::value::excerpt;

/// The name under which the object is exposed.
pub const NAME: &str = "members";

/// Limit from below of a key prefix, in characters.
const MIN_PREFIX: usize = 4;

/// A member, as reported to other members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// The member. One that has not joined this node itself has joined it at the time 0.
    pub member: Member,
    /// The upstream that delegates it; `None` if it has joined this node itself.
    pub via: Option<PublicKey>,
    /// Number of its open connections.
    pub connections: usize,
    /// Number of its calls in flight.
    pub calls: usize,
    /// Bytes that its large requests and unsent replies hold.
    pub call_bytes: usize,
    /// The names that it has registered here.
    pub names: NameUsage,
}

/// A caller's own rights, and the facts about the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoAmI {
    /// The caller's key.
    pub key: PublicKey,
    /// The caller's role.
    pub role: Role,
    /// The server's key.
    pub server: PublicKey,
    /// The server's software version.
    pub version: String,
    /// The server's addresses, the likeliest first.
    pub addrs: Vec<SocketAddr>,
}

/// The options of a ticket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TicketOptions {
    /// Single use: only the first bearer joins.
    pub once: bool,
    /// The lifetime in seconds.
    pub expires: Option<Seconds>,
}

/// A member, as reported to servers that mirror the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberEntry {
    /// The key.
    pub key: PublicKey,
    /// The role.
    pub role: Role,
    /// The name that it gave itself.
    pub label: String,
}

/// The implementation of the object.
#[derive(Clone)]
pub struct AdmissionService {
    /// The endpoint whose members it manages.
    pub endpoint: Endpoint,
    /// The naming server from which names of removed members are removed, if there is one here.
    pub naming: Option<NamingServer>,
    /// The addresses where others can reach this process.
    pub addrs: Vec<SocketAddr>,
}

impl AdmissionService {
    fn members(&self) -> &Members {
        self.endpoint.members()
    }

    fn who_am_i(&self, caller: &Caller) -> Result<WhoAmI, RemoteError> {
        let key = caller.principal.key();
        let key = key.ok_or_else(|| RemoteError::new(Code::Denied, "a gateway has no key"))?;
        Ok(WhoAmI {
            key,
            role: caller.role,
            server: self.endpoint.key(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            addrs: self.addrs.clone(),
        })
    }

    /// Issues a ticket; returns its text.
    ///
    /// # Errors
    /// As [`Members::issue_ticket`].
    pub async fn issue_ticket(
        &self,
        role: Role,
        options: TicketOptions,
    ) -> Result<String, RemoteError> {
        let TicketOptions { once, expires } = options;
        let record = self.members().issue_ticket(role, once, expires).await?;
        let ticket = self.endpoint.ticket_for(&record, self.addrs.clone());
        Ok(ticket.to_string())
    }

    /// Lists the members that have joined, then those that upstreams delegate.
    fn list(&self) -> Vec<MemberStatus> {
        let usage = self.endpoint.usage_by_key();
        let joined = self
            .members()
            .list()
            .into_iter()
            .map(|member| (member, None));
        let delegated = self.members().delegated().into_iter();
        let delegated = delegated.map(|(member, by)| (member, Some(by)));
        let status = |(member, via): (Member, Option<PublicKey>)| {
            let usage = usage.get(&member.key).copied().unwrap_or_default();
            MemberStatus {
                names: match &self.naming {
                    Some(naming) => naming.usage(member.key.into()),
                    None => NameUsage::default(),
                },
                member,
                via,
                connections: usage.connections,
                calls: usage.calls,
                call_bytes: usage.call_bytes,
            }
        };
        joined.chain(delegated).map(status).collect()
    }

    async fn revoke(&self, member: &str) -> Result<Member, RemoteError> {
        let member = self.find(member)?;
        self.members().revoke(member.key).await?;
        if let Some(naming) = &self.naming {
            naming.evict(member.key.into()).await?;
        }
        Ok(member)
    }

    /// Finds a member by key, key prefix or label. A whole key is nothing else, and need not be that of a
    /// member: it can be revoked before it joins.
    fn find(&self, text: &str) -> Result<Member, RemoteError> {
        let text = text.trim().to_ascii_lowercase();
        let members = self.list();
        let mut members = members.into_iter().map(|status| status.member);
        if let Ok(key) = text.parse::<PublicKey>() {
            return Ok(members.find(|member| member.key == key).unwrap_or(Member {
                key,
                role: Role::Read,
                label: String::new(),
                joined_at: 0,
            }));
        }
        let matches = |member: &Member| {
            (text.len() >= MIN_PREFIX && member.key.to_string().starts_with(&text))
                || member.label.to_ascii_lowercase() == text
        };
        let mut found = members.filter(matches);
        match (found.next(), found.next()) {
            (Some(member), None) => Ok(member),
            (Some(_), Some(_)) => Err(RemoteError::bad_arguments(format!(
                "more than one member matches `{}`; give more of the key",
                excerpt(&text)
            ))),
            (None, _) => Err(RemoteError::not_found(format!(
                "no member matches `{}`; list the members first",
                excerpt(&text)
            ))),
        }
    }

    /// Returns the object.
    #[must_use]
    pub fn object(self) -> Service {
        let service = Arc::new(self);
        Service::new("Lists, invites and removes the members of this node")
            .serve(&WHO_AM_I, &service, |service, caller, []| {
                std::future::ready(service.who_am_i(&caller))
            })
            .serve(&LIST, &service, |service, _, []| {
                std::future::ready(Ok::<_, RemoteError>(service.list()))
            })
            .serve(&USAGE, &service, |service, _, []| {
                std::future::ready(Ok::<_, RemoteError>(service.endpoint.usage()))
            })
            .serve_stream(&WATCH, &service, |service, _, []| {
                watch(service.members().clone())
            })
            .serve(
                &ISSUE_TICKET,
                &service,
                |service, _, (role, options)| async move {
                    let role = role.unwrap_or(Role::Member);
                    service
                        .issue_ticket(role, options.unwrap_or_default())
                        .await
                },
            )
            .serve(
                &INVALIDATE_TICKETS,
                &service,
                |service, _, (role,)| async move {
                    let invalidated = service.members().invalidate_tickets(role).await?;
                    Ok::<_, RemoteError>(invalidated)
                },
            )
            .serve(&REVOKE, &service, |service, _, (member,)| async move {
                // A task of its own completes even if the caller removes itself.
                let revoking = tokio::spawn(async move { service.revoke(&member).await });
                revoking.await.unwrap_or_else(|aborted| {
                    Err(RemoteError::new(Code::Internal, aborted.to_string()))
                })
            })
    }
}

fn watch(members: Members) -> impl Stream<Item = Result<Vec<MemberEntry>, RemoteError>> + Send {
    let mut changes = members.watch();
    changes.mark_changed();
    stream::unfold((members, changes), |(members, mut changes)| async move {
        changes.changed().await.ok()?;
        let entry = |member: Member| MemberEntry {
            key: member.key,
            role: member.role,
            label: member.label,
        };
        let entries: Vec<_> = members.list().into_iter().map(entry).collect();
        Some((Ok(entries), (members, changes)))
    })
}

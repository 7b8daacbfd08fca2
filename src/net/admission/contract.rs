//! The methods of the object of members, declared once for the object and its client.

use super::{MemberEntry, MemberStatus, TicketOptions, WhoAmI};
use crate::net::{
    rpc::{
        endpoint::EndpointUsage,
        service::{Method, NoArgs, StreamMethod},
    },
    trust::{members::Member, role::Role},
};

pub(super) const WHO_AM_I: Method<NoArgs, WhoAmI> = Method::new(
    "who_am_i() -> map",
    "Returns the caller's key and role, and the server's key, version and addresses.",
);

pub(super) const LIST: Method<NoArgs, Vec<MemberStatus>> = Method::new(
    "list() -> list",
    "Returns every member, also of upstreams, with roles and connections.",
)
.requires(Role::Member);

pub(super) const WATCH: StreamMethod<NoArgs, Vec<MemberEntry>> = StreamMethod::new(
    "watch() -> stream",
    "Returns the keys, roles and labels of those who joined, now and after every change.",
)
.requires(Role::Member);

pub(super) const USAGE: Method<NoArgs, EndpointUsage> = Method::new(
    "usage() -> map",
    "Returns what peers use of this node, and the limits.",
)
.requires(Role::Member);

pub(super) const ISSUE_TICKET: Method<(Option<Role>, Option<TicketOptions>), String> = Method::new(
    "issue_ticket(role: str?, options: map?) -> str",
    "Issues a ticket, by default for members. Options: once, expires (seconds).",
)
.requires(Role::Admin);

pub(super) const INVALIDATE_TICKETS: Method<(Option<Role>,), usize> = Method::new(
    "invalidate_tickets(role: str?) -> int",
    "Invalidates every ticket, or those of one role; members stay. Returns their number.",
)
.requires(Role::Admin);

pub(super) const REVOKE: Method<(String,), Member> = Method::new(
    "revoke(member: str) -> map",
    "Removes a member, given by key, key prefix or label: closes its connections and removes its names.",
)
.requires(Role::Admin);

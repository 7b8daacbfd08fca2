//! The methods of the naming server, declared once for its object and its client.

use super::{
    change_log::NameEvent,
    query::{NamePage, NameQuery},
    record::{Record, RegisterRequest},
    registry::Lease,
    share::ShareRule,
};
use crate::net::{
    rpc::service::{Method, NoArgs, StreamMethod},
    trust::role::Role,
};

pub(super) const REGISTER: Method<(RegisterRequest,), Lease> = Method::new(
    "register(request: map) -> map",
    "Registers an object, or replaces the caller's own. Request: name, uri, tags (list), lease_ms (15000; 0 \
     is for ever), share (owner, members or anyone).",
)
.requires(Role::Member);

pub(super) const RENEW: Method<(String, u64), u64> = Method::new(
    "renew(name: str, id: int) -> int",
    "Renews the caller's lease; NotFound means: register again at once.",
)
.requires(Role::Member);

pub(super) const UNREGISTER: Method<(String, Option<bool>), usize> = Method::new(
    "unregister(name: str, all: bool?) -> int",
    "Removes the caller's registration, or with all, which requires the role admin, everybody's.",
)
.requires(Role::Member);

pub(super) const LOOKUP: Method<(String,), Vec<Record>> = Method::new(
    "lookup(name: str) -> list",
    "Returns every registration of a name: URI, key, tags and health; the caller's own first, then the live ones.",
);

pub(super) const LIST: Method<(Option<NameQuery>,), NamePage> = Method::new(
    "list(query: map?) -> map",
    "Returns a page of records. Query: prefix, regex, tags_all, tags_any, after, limit.",
);

pub(super) const SET_TAGS: Method<(String, Vec<String>), u64> = Method::new(
    "set_tags(name: str, tags: list) -> int",
    "Replaces the tags of the caller's registration.",
)
.requires(Role::Member);

pub(super) const SHARE: Method<(String, ShareRule), u64> = Method::new(
    "share(name: str, with: str) -> int",
    "Changes who may register under the caller's name: owner, members or anyone.",
)
.requires(Role::Member);

pub(super) const COUNT: Method<NoArgs, usize> =
    Method::new("count() -> int", "Returns the number of records.");

pub(super) const PING: Method<NoArgs, ()> = Method::new("ping() -> null", "Returns at once.");

pub(super) const WATCH: StreamMethod<(Option<u64>, Option<String>), NameEvent> = StreamMethod::new(
    "watch(from_revision: int?, prefix: str?) -> stream",
    "Returns every change after a revision, or a snapshot and then every change.",
);

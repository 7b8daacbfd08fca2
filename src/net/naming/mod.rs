//! The naming server: servers register objects under names, and clients look them up.
//!
//! [`NameRegistry`] is a pure state machine: calls and time go in; results, changes and the next deadline
//! come out. [`NamingServer`] serves one registry as the object [`NAME`], in which it is registered itself.
//! [`NamingClient`] is its typed client, [`LeaseKeeper`] keeps one registration alive, and
//! [`proxy::Proxy`] calls objects by name.
//!
//! # The forms of a registration
//!
//! | form | where it is | why it is a type of its own |
//! |---|---|---|
//! | [`RegisterRequest`] | from an owner to the server | text that nothing has checked yet |
//! | `Instance` | in the registry | times of the lease, and texts without spare capacity: there can be a million |
//! | [`Record`] | from the server to clients | what others may see; [`StoredRegistration`] adds the ids that its journal needs |

mod change_log;
mod client;
mod connector;
mod contract;
mod journal;
mod lease_keeper;
mod limiter;
mod name_locks;
pub mod proxy;
mod query;
mod record;
mod registry;
mod server;
mod share;
mod turn;
mod watcher;

pub use self::{
    change_log::{NameChange, NameEvent, RemovalReason},
    client::NamingClient,
    connector::RemoteObject,
    journal::{Journal, JournalEntry, JournalError, StoredRegistration},
    lease_keeper::{LeaseKeeper, LeaseStatus},
    query::{MAX_PAGE, NamePage, NameQuery},
    record::{Health, MAX_NAME, MAX_TAG, MAX_TAGS, Millis, Record, RegisterRequest, check_name},
    registry::{Eviction, Lease, MAX_INSTANCES, NameRegistry, NameUsage, NamingLimits},
    server::NamingServer,
    share::ShareRule,
};

/// The name under which the naming server is exposed and registered.
pub const NAME: &str = "naming";

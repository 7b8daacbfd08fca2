//! The naming server: the phone book in which servers register objects and clients find them.
//!
//! [`NameRegistry`] is the whole of it as a pure state machine: calls and time go in, answers, changes
//! and the next deadline come out. [`NamingServer`] serves one registry as the object `naming`, which
//! lists itself; [`NamingClient`] is the typed caller; [`LeaseKeeper`] keeps a name alive.

mod client;
mod journal;
mod query;
mod record;
mod registry;

pub use self::change_log::{NameChange, NameEvent, RemovalReason};
pub use self::lease_keeper::{LeaseKeeper, LeaseStatus};
pub use self::server::{NAME, NamingServer};
pub use client::{NamingClient, Watch};
pub use journal::{Journal, JournalEntry, StoredRegistration};
pub use query::{MAX_PAGE, NamePage, NameQuery};
pub use record::{Health, MAX_NAME, Millis, Record, RegisterRequest, check_name};
pub use registry::{Lease, NameRegistry, NamingLimits};
mod change_log;
mod lease_keeper;
pub mod proxy;
mod server;

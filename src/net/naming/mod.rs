//! The naming server: the phone book in which servers register objects and clients find them.
//!
//! [`Registry`] is the whole of it as a pure state machine: calls and time go in, answers, changes
//! and the next deadline come out. [`Naming`] serves one registry as the object `naming`, which
//! lists itself; [`NamingClient`] is the typed caller; [`Registration`] keeps a name alive.

mod client;
mod journal;
mod query;
mod record;
mod registry;

pub use client::{NamingClient, Watch};
pub use self::change_log::{Change, Event, Why};
pub use journal::{Journal, Kept, Registered};
pub use query::{Listing, MAX_PAGE, Query};
pub use record::{Health, MAX_NAME, Millis, Record, Register, check_name};
pub use self::lease_keeper::{Registration, Status};
pub use registry::{Granted, Limits, Registry};
pub use self::server::{NAME, Naming};
mod change_log;
mod lease_keeper;
pub mod proxy;
mod server;

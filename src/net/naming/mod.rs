//! The naming server: the phone book in which servers register objects and clients find them.
//!
//! [`Registry`] is the whole of it as a pure state machine: calls and time go in, answers, changes
//! and the next deadline come out. [`Naming`] serves one registry as the object `naming`, which
//! lists itself; [`NamingClient`] is the typed caller; [`Registration`] keeps a name alive.

mod client;
mod history;
mod journal;
mod query;
mod record;
mod registration;
mod registry;
mod service;

pub use client::{NamingClient, Watch};
pub use history::{Change, Event, Why};
pub use journal::{Journal, Kept, Registered};
pub use query::{Listing, MAX_PAGE, Query};
pub use record::{Health, MAX_NAME, Millis, Record, Register, check_name};
pub use registration::{Registration, Status};
pub use registry::{Granted, Limits, Registry};
pub use service::{NAME, Naming};

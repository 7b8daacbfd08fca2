//! A broker of another process: served there as an object, and here a broker like any other.
//!
//! What is asked goes over as values, so that any caller can ask it; a refusal comes back as the
//! [`BrokerError`] that it was. Answers that would not fit into a frame come in parts.
//!
//! [`BrokerError`]: super::error::BrokerError

mod client;
mod contract;
mod event_log;
mod service;

pub use self::{client::Remote, service::object};

/// The name under which a node registers its broker with its own naming server.
pub const NAME: &str = "broker";

/// How much of an answer goes into one frame, in bytes of text: what the texts stand in takes its part
/// of the megabyte too.
const ROOM: usize = 512 << 10;
/// What a task takes in a frame beside its texts, at most.
const TASK: usize = 700;

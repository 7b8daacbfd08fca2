//! The broker of another process: a remote object there, and a broker like any other here.
//!
//! Arguments and results are values, so that any client can call it. Errors keep their
//! [`BrokerError`]. Results that do not fit into a frame are returned in parts.
//!
//! [`BrokerError`]: super::error::BrokerError

mod client;
mod contract;
mod event_log;
mod service;

pub use self::{client::Remote, service::object};

/// The name under which a node registers its broker.
pub const NAME: &str = "broker";

/// The maximum size of the texts in one frame, in bytes; the structure around them needs a part of
/// the frame too.
const MAX_FRAME_TEXT: usize = 512 << 10;
/// The maximum size of a task without its texts, in bytes.
const TASK_OVERHEAD: usize = 700;

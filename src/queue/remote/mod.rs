//! The broker of another process: a remote object there, and a broker like any other here.
//!
//! Arguments and results are values, so that any client can call it. Errors keep their
//! [`BrokerError`]. Whatever an engine returns fits into a frame: pages are filled by bytes, and other
//! lists and texts have limits.
//!
//! [`BrokerError`]: super::error::BrokerError

mod client;
mod contract;
mod event_log;
mod frame;
mod service;

pub use self::{client::Remote, service::object};

/// The name under which a node registers its broker.
pub const NAME: &str = "broker";

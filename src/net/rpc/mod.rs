//! Remote calls over QUIC: frames, objects, services, the server and the client.

pub mod client;
pub mod endpoint;
pub mod error;
pub mod join;
pub mod object;
mod reply;
mod server;
pub mod service;
pub mod wire;

pub mod client;
pub mod endpoint;
pub mod error;
pub mod object;
pub(crate) mod server;
pub mod wire;

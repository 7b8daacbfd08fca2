//! QUIC: TLS and transport settings, streams, and limits of connections. Nothing here knows of calls.

pub(super) mod limits;
pub(super) mod stream;
mod tls;
pub(super) mod transport;

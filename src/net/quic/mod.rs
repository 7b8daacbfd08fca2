//! QUIC: TLS and transport settings, streams, and the limits of peers. Nothing here knows of frames.

pub(super) mod limits;
pub(super) mod quotas;
pub(super) mod slots;
pub(super) mod stream;
mod tls;
pub(super) mod transport;

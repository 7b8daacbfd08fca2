//! The address of a peer: where it listens, and the key that it must hold.

use std::{fmt, net::SocketAddr};

use super::key::PublicKey;

/// The address and the expected key of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerAddr {
    /// The address on which it listens.
    pub addr: SocketAddr,
    /// The key that it must prove to hold.
    pub key: PublicKey,
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (key {})", self.addr, self.key.fingerprint())
    }
}

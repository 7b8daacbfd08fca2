//! Whom to dial.

use std::{fmt, net::SocketAddr};

use super::trust::key::PublicKey;

/// A server: where it is, and the key that it must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerAddr {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The key it must prove to hold.
    pub key: PublicKey,
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (key {})", self.addr, self.key.fingerprint())
    }
}

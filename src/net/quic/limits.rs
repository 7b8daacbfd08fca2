//! Limits and counts of incoming connections.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize},
    },
};

use crate::net::trust::key::PublicKey;

/// Limit of open connections; further ones are closed with `Busy`.
pub(in crate::net) const MAX_CONNECTIONS: usize = 4_096;
/// Limit of connections per key, so that no key can use all of them.
const MAX_CONNECTIONS_PER_KEY: usize = 256;
/// Limit of unknown keys that ask to join at once; further ones are closed with `Busy`.
pub(in crate::net) const MAX_JOINING: usize = 64;
/// Number of handshakes in progress above which clients must first validate their address.
pub(in crate::net) const RETRY_ABOVE: usize = 64;

/// Counts of incoming connections since the start.
#[derive(Debug, Default)]
pub(in crate::net) struct AcceptStats {
    /// Handshakes in progress.
    pub(in crate::net) handshaking: AtomicUsize,
    /// Clients that proved their key.
    pub(in crate::net) proved: Arc<AtomicU64>,
    /// Clients that had to validate their address first.
    pub(in crate::net) retried: AtomicU64,
    /// Clients that were not authorized.
    pub(in crate::net) denied: AtomicU64,
}

/// Limits the connections of each key.
#[derive(Debug, Clone, Default)]
pub(in crate::net) struct ConnectionLimiter(Arc<Mutex<HashMap<PublicKey, usize>>>);

/// One connection of a key, released when it is dropped.
pub(in crate::net) struct ConnectionPermit(ConnectionLimiter, PublicKey);

impl ConnectionLimiter {
    fn lock(&self) -> MutexGuard<'_, HashMap<PublicKey, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acquires a permit for one more connection of a key, unless it has reached the limit.
    pub(in crate::net) fn try_acquire(&self, key: PublicKey) -> Option<ConnectionPermit> {
        let mut connections = self.lock();
        let count = connections.entry(key).or_default();
        if *count >= MAX_CONNECTIONS_PER_KEY {
            return None;
        }
        *count += 1;
        Some(ConnectionPermit(self.clone(), key))
    }

    /// Returns the number of connections of each key.
    pub(in crate::net) fn counts(&self) -> HashMap<PublicKey, usize> {
        self.lock().clone()
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut connections = self.0.lock();
        if let Some(count) = connections.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.1);
            }
        }
    }
}

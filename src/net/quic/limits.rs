//! Limits of incoming connections before they are authorized, and counts of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::slots::{PendingLimits, PendingSlots};

/// Limits of handshakes in progress.
pub(in crate::net) const HANDSHAKES: PendingLimits = PendingLimits {
    total: 1_024,
    per_network: 64,
};
/// Limits of unknown keys that ask to join at once.
pub(in crate::net) const JOINS: PendingLimits = PendingLimits {
    total: 64,
    per_network: 4,
};
/// Number of handshakes in progress above which clients must first validate their address.
pub(in crate::net) const RETRY_ABOVE: usize = 32;
/// Limit of a handshake's duration.
pub(in crate::net) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Limit of each wait for a client that asks to join: for its request, and until it disconnects.
pub(in crate::net) const JOIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Incoming connections that are not authorized yet, and counts of incoming connections since the start.
#[derive(Debug)]
pub(in crate::net) struct Reception {
    /// Handshakes in progress.
    pub(in crate::net) handshakes: PendingSlots,
    /// Unknown keys that ask to join.
    pub(in crate::net) joins: PendingSlots,
    /// Clients that proved their key.
    pub(in crate::net) proved: Arc<AtomicU64>,
    retried: AtomicU64,
    denied: AtomicU64,
    busy: AtomicU64,
}

impl Default for Reception {
    fn default() -> Self {
        Self {
            handshakes: PendingSlots::new(HANDSHAKES),
            joins: PendingSlots::new(JOINS),
            proved: Arc::default(),
            retried: AtomicU64::default(),
            denied: AtomicU64::default(),
            busy: AtomicU64::default(),
        }
    }
}

impl Reception {
    /// Counts a client that has to validate its address first.
    pub(in crate::net) fn record_retry(&self) {
        self.retried.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a client that was not authorized.
    pub(in crate::net) fn record_denied(&self) {
        self.denied.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a client that was refused at a limit of connections.
    pub(in crate::net) fn record_busy(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the counts.
    pub(in crate::net) fn stats(&self, open: usize) -> ConnectionStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ConnectionStats {
            open,
            handshaking: self.handshakes.taken(),
            proved: load(&self.proved),
            retried: load(&self.retried),
            denied: load(&self.denied),
            busy: load(&self.busy),
            evicted: self.handshakes.evicted() + self.joins.evicted(),
        }
    }
}

/// Counts of an endpoint's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionStats {
    /// Connections that are open or being established, in both directions.
    pub open: usize,
    /// Incoming handshakes in progress.
    pub handshaking: usize,
    /// Clients that proved their key since the start. A resumed session needs no proof, but is authorized
    /// like any other.
    pub proved: u64,
    /// Clients that had to validate their address first, since the start.
    pub retried: u64,
    /// Clients that were not authorized, since the start.
    pub denied: u64,
    /// Clients that were refused at a limit of connections, since the start.
    pub busy: u64,
    /// Unfinished handshakes and silent join requests that made room for new peers, since the start.
    pub evicted: u64,
}

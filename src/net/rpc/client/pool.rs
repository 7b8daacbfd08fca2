//! The connection pool: a server is dialed once, however many calls wait for it.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError},
};

use tokio::time::{Duration, Instant, timeout_at};

use super::{
    Client,
    dial::{CONNECT_TIMEOUT, PooledConnection, unreachable},
};
use crate::net::{rpc::error::CallError, trust::peer_addr::PeerAddr};

/// A server that could not be reached is tried last for this long.
const FAILURE_COOLDOWN: Duration = Duration::from_secs(5);
/// Limit of pooled connections; beyond it the least recently used one is dropped.
const MAX_POOLED: usize = 256;

#[derive(Default)]
pub(super) struct ConnectionPool {
    slots: HashMap<PeerAddr, Slot>,
    uses: u64,
    /// The last failure of each server that could not be reached; at most [`MAX_POOLED`].
    failures: HashMap<PeerAddr, (Instant, CallError)>,
}

struct Slot {
    last_use: u64,
    dial: Arc<DialSlot>,
}

/// The settings and the connection of one server. TLS sessions are cached with the settings, which makes
/// the next handshake cheaper.
pub(super) struct DialSlot {
    config: quinn::ClientConfig,
    /// Locked while dialing, so that all callers wait for one connection.
    connection: tokio::sync::Mutex<Option<PooledConnection>>,
}

impl DialSlot {
    /// Returns the connection, whatever its health.
    pub(super) async fn connection(&self) -> Option<quinn::Connection> {
        let pooled = self.connection.lock().await;
        pooled.as_ref().map(|pooled| pooled.connection.clone())
    }
}

impl Client {
    /// Returns the connection to a server, established if there is no healthy one.
    pub(super) async fn connection(&self, peer: PeerAddr) -> Result<PooledConnection, CallError> {
        let slot = self.slot(peer)?;
        let asked = Instant::now();
        let mut pooled = slot.connection.lock().await;
        // An attempt that failed while this caller waited for it need not be repeated.
        if let Some((failed_at, error)) = self.last_failure(peer)
            && failed_at >= asked
        {
            return Err(error);
        }
        if let Some(healthy) = pooled.as_ref().filter(|pooled| pooled.is_healthy()) {
            return Ok(healthy.clone());
        }
        *pooled = None;
        let dialed = timeout_at(
            Instant::now() + CONNECT_TIMEOUT,
            self.dial_hedged(peer, &slot.config),
        );
        let dialed = dialed
            .await
            .unwrap_or_else(|_elapsed| Err(unreachable(peer)));
        self.record_outcome(peer, dialed.as_ref().err());
        let connected = dialed?;
        *pooled = Some(connected.clone());
        Ok(connected)
    }

    fn pool(&self) -> MutexGuard<'_, ConnectionPool> {
        self.0.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record_outcome(&self, peer: PeerAddr, error: Option<&CallError>) {
        let failures = &mut self.pool().failures;
        let Some(error) = error else {
            failures.remove(&peer);
            return;
        };
        if failures.len() >= MAX_POOLED {
            failures.retain(|_, (failed_at, _)| failed_at.elapsed() < FAILURE_COOLDOWN);
        }
        if failures.len() < MAX_POOLED {
            failures.insert(peer, (Instant::now(), error.clone()));
        }
    }

    /// Reports whether the last attempt to reach a server failed a moment ago: others should be tried
    /// first.
    #[must_use]
    pub fn recently_failed(&self, peer: PeerAddr) -> bool {
        let failure = self.last_failure(peer);
        failure.is_some_and(|(failed_at, _)| failed_at.elapsed() < FAILURE_COOLDOWN)
    }

    fn last_failure(&self, peer: PeerAddr) -> Option<(Instant, CallError)> {
        self.pool().failures.get(&peer).cloned()
    }

    pub(super) fn slot(&self, peer: PeerAddr) -> Result<Arc<DialSlot>, CallError> {
        let mut pool = self.pool();
        pool.uses += 1;
        let last_use = pool.uses;
        if let Some(slot) = pool.slots.get_mut(&peer) {
            slot.last_use = last_use;
            return Ok(Arc::clone(&slot.dial));
        }
        if pool.slots.len() >= MAX_POOLED {
            let oldest = pool.slots.iter().min_by_key(|(_, slot)| slot.last_use);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                // Calls in flight hold the connection.
                pool.slots.remove(&oldest);
            }
        }
        let dial = Arc::new(DialSlot {
            config: self.config(peer, self.0.protocol)?,
            connection: tokio::sync::Mutex::default(),
        });
        let slot = Slot {
            last_use,
            dial: Arc::clone(&dial),
        };
        pool.slots.insert(peer, slot);
        Ok(dial)
    }
}

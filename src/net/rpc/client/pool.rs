//! Connections are kept and shared: dialled once, however many calls wait for them.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError},
};

use tokio::time::{Duration, Instant, timeout_at};

use super::{
    Client,
    dial::{CONNECT, PooledConnection, unreachable},
};
use crate::net::{
    peer_addr::PeerAddr,
    rpc::{error::CallError, wire::ALPN},
};

/// A server that could not be reached is asked last for this long.
const FAILURE_COOLDOWN: Duration = Duration::from_secs(5);
/// Servers that stay connected; beyond it the least recently used is let go.
const MAX_POOLED: usize = 256;

#[derive(Default)]
pub(crate) struct Pool {
    slots: HashMap<PeerAddr, Slot>,
    uses: u64,
    /// Servers that could not be reached, when that was and why; at most [`MAX_POOLED`].
    down: HashMap<PeerAddr, (Instant, CallError)>,
}

struct Slot {
    used: u64,
    /// Held while dialling, so that everybody else waits for the same connection.
    line: Arc<DialSlot>,
}

/// How a server is dialled. Its sessions are kept with the settings, so that the next handshake with
/// it costs less.
pub(crate) struct DialSlot {
    config: quinn::ClientConfig,
    pub(crate) line: tokio::sync::Mutex<Option<PooledConnection>>,
}

impl Client {
    pub(crate) async fn line(&self, peer: PeerAddr) -> Result<PooledConnection, CallError> {
        let slot = self.slot(peer)?;
        let asked = Instant::now();
        let mut held = slot.line.lock().await;
        // Whoever waited for another's attempt has seen it fail, and need not make one of its own.
        if let Some((since, why)) = self.down(peer)
            && since >= asked
        {
            return Err(why);
        }
        if let Some(live) = held.as_ref().filter(|line| line.is_healthy()) {
            return Ok(live.clone());
        }
        *held = None;
        let dialled = timeout_at(
            Instant::now() + CONNECT,
            self.dial_hedged(peer, &slot.config),
        );
        let dialled = dialled
            .await
            .unwrap_or_else(|_elapsed| Err(unreachable(peer)));
        self.note(peer, dialled.as_ref().err());
        let line = dialled?;
        *held = Some(line.clone());
        Ok(line)
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.0.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, peer: PeerAddr, why_not: Option<&CallError>) {
        let down = &mut self.pool().down;
        let Some(why) = why_not else {
            down.remove(&peer);
            return;
        };
        if down.len() >= MAX_POOLED {
            down.retain(|_, (since, _)| since.elapsed() < FAILURE_COOLDOWN);
        }
        if down.len() < MAX_POOLED {
            down.insert(peer, (Instant::now(), why.clone()));
        }
    }

    /// Whether a server could not be reached a moment ago: others should be asked first.
    #[must_use]
    pub fn recently_failed(&self, peer: PeerAddr) -> bool {
        let down = self.down(peer);
        down.is_some_and(|(since, _)| since.elapsed() < FAILURE_COOLDOWN)
    }

    fn down(&self, peer: PeerAddr) -> Option<(Instant, CallError)> {
        self.pool().down.get(&peer).cloned()
    }

    pub(crate) fn slot(&self, peer: PeerAddr) -> Result<Arc<DialSlot>, CallError> {
        let mut pool = self.pool();
        pool.uses += 1;
        let used = pool.uses;
        if let Some(slot) = pool.slots.get_mut(&peer) {
            slot.used = used;
            return Ok(Arc::clone(&slot.line));
        }
        if pool.slots.len() >= MAX_POOLED {
            let oldest = pool.slots.iter().min_by_key(|(_, slot)| slot.used);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                // Calls under way keep their own handle, and the connection with it.
                pool.slots.remove(&oldest);
            }
        }
        let line = Arc::new(DialSlot {
            config: self.config(peer, ALPN)?,
            line: tokio::sync::Mutex::default(),
        });
        let slot = Slot {
            used,
            line: Arc::clone(&line),
        };
        pool.slots.insert(peer, slot);
        Ok(line)
    }
}

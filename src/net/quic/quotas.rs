//! Quotas: the connections, calls and bytes that each key uses of an endpoint, and their limits.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Duration, timeout},
};

use crate::net::trust::key::PublicKey;

/// Connections of one key that find room while any is left. Those beyond it leave a quarter of all
/// connections to other keys.
const RESERVED_PER_KEY: usize = 4;
/// Limit of the wait for bytes of a budget; after it a call is refused.
const BUDGET_WAIT: Duration = Duration::from_secs(2);

/// Limits of what the authorized keys use of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerLimits {
    /// Limit of connections of all keys.
    pub connections: usize,
    /// Limit of connections of one key.
    pub connections_per_key: usize,
    /// Limit of calls in flight of one key, on all its connections.
    pub calls_per_key: usize,
    /// Limit of bytes in large requests of all keys, and again in their unsent replies.
    pub call_bytes: usize,
    /// Limit of bytes in large requests of one key, and again in its unsent replies.
    pub call_bytes_per_key: usize,
}

impl PeerLimits {
    /// The default limits.
    pub const DEFAULT: Self = Self {
        connections: 4_096,
        connections_per_key: 256,
        calls_per_key: 1_024,
        call_bytes: 64 << 20,
        call_bytes_per_key: 8 << 20,
    };
}

impl Default for PeerLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A quota that is exhausted: what it would allow was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::net) enum QuotaError {
    /// The limit of connections of all keys.
    #[error("the limit of {0} connections is reached")]
    Connections(usize),
    /// The limit of connections of one key.
    #[error("the quota of {0} connections of one key is reached")]
    ConnectionsPerKey(usize),
    /// The limit of calls in flight of one key.
    #[error("the quota of {0} calls in flight of one key is reached; wait until some complete")]
    CallsPerKey(usize),
    /// The limit of bytes of one key.
    #[error(
        "the quota of {limit} bytes in {kind} of one key is reached; read the replies, or send less at \
         once"
    )]
    BytesPerKey {
        /// The kind of bytes.
        kind: ByteKind,
        /// The quota.
        limit: usize,
    },
    /// The limit of bytes of all keys.
    #[error("the limit of {limit} bytes in {kind} is reached; try again later")]
    Bytes {
        /// The kind of bytes.
        kind: ByteKind,
        /// The limit.
        limit: usize,
    },
}

/// The kinds of bytes that calls hold. Each has a budget of its own, so that a request does not wait for
/// room that other requests hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::net) enum ByteKind {
    /// Large requests, from their announcement until the method is done.
    Requests,
    /// Large replies that the caller has not taken.
    Replies,
}

impl fmt::Display for ByteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requests => "large requests",
            Self::Replies => "unsent replies",
        })
    }
}

/// The bytes that are left, by kind.
#[derive(Debug)]
struct ByteBudget {
    requests: Semaphore,
    replies: Semaphore,
}

impl ByteBudget {
    fn new(limit: usize) -> Self {
        // More than that is no limit.
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self {
            requests: Semaphore::new(limit),
            replies: Semaphore::new(limit),
        }
    }

    const fn of(&self, kind: ByteKind) -> &Semaphore {
        match kind {
            ByteKind::Requests => &self.requests,
            ByteKind::Replies => &self.replies,
        }
    }

    /// Returns the bytes that are held of this limit for each kind.
    fn held(&self, limit: usize) -> usize {
        let left = self.requests.available_permits() + self.replies.available_permits();
        limit.saturating_mul(2).saturating_sub(left)
    }
}

/// The use of one key, or of all keys together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUsage {
    /// Open connections.
    pub connections: usize,
    /// Calls in flight.
    pub calls: usize,
    /// Bytes in large requests and unsent replies.
    pub call_bytes: usize,
}

/// The use of an endpoint by all keys. Clones share it.
#[derive(Debug, Clone)]
pub(in crate::net) struct Quotas(Arc<QuotasState>);

#[derive(Debug)]
struct QuotasState {
    limits: PeerLimits,
    table: Mutex<UsageTable>,
    /// The bytes that are left to all keys.
    bytes: ByteBudget,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct UsageTable {
    connections: usize,
    keys: HashMap<PublicKey, KeyEntry>,
}

#[derive(Debug)]
struct KeyEntry {
    connections: usize,
    shared: Arc<KeyCounters>,
}

/// The counters that the calls of one key share.
#[derive(Debug)]
struct KeyCounters {
    calls: AtomicUsize,
    /// The bytes that are left to the key.
    bytes: ByteBudget,
}

impl Quotas {
    /// Creates the quotas of an endpoint that nobody uses yet.
    pub(in crate::net) fn new(limits: PeerLimits) -> Self {
        Self(Arc::new(QuotasState {
            bytes: ByteBudget::new(limits.call_bytes),
            limits,
            table: Mutex::default(),
            refused: AtomicU64::new(0),
        }))
    }

    /// Returns the limits.
    pub(in crate::net) fn limits(&self) -> PeerLimits {
        self.0.limits
    }

    fn table(&self) -> MutexGuard<'_, UsageTable> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits one more connection of a key.
    ///
    /// # Errors
    /// [`QuotaError::ConnectionsPerKey`] or [`QuotaError::Connections`].
    pub(in crate::net) fn connect(&self, key: PublicKey) -> Result<ConnectionPermit, QuotaError> {
        let limits = self.0.limits;
        let mut table = self.table();
        let own = table.keys.get(&key).map_or(0, |entry| entry.connections);
        let free = match own < RESERVED_PER_KEY {
            true => limits.connections,
            false => limits.connections - limits.connections / 4,
        };
        if own >= limits.connections_per_key {
            return Err(self.refuse(QuotaError::ConnectionsPerKey(limits.connections_per_key)));
        }
        if table.connections >= free {
            return Err(self.refuse(QuotaError::Connections(limits.connections)));
        }
        table.connections += 1;
        let entry = table.keys.entry(key).or_insert_with(|| KeyEntry {
            connections: 0,
            shared: Arc::new(KeyCounters {
                calls: AtomicUsize::new(0),
                bytes: ByteBudget::new(limits.call_bytes_per_key),
            }),
        });
        entry.connections += 1;
        Ok(ConnectionPermit {
            quotas: self.clone(),
            key,
            number: entry.connections,
            shared: Arc::clone(&entry.shared),
        })
    }

    fn refuse(&self, error: QuotaError) -> QuotaError {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        error
    }

    /// Returns what each connected key uses.
    pub(in crate::net) fn usage(&self) -> HashMap<PublicKey, KeyUsage> {
        let limit = self.0.limits.call_bytes_per_key;
        let usage = |entry: &KeyEntry| KeyUsage {
            connections: entry.connections,
            calls: entry.shared.calls.load(Ordering::Relaxed),
            call_bytes: entry.shared.bytes.held(limit),
        };
        let table = self.table();
        let keys = table.keys.iter();
        keys.map(|(key, entry)| (*key, usage(entry))).collect()
    }

    /// Returns what all keys use together.
    pub(in crate::net) fn total(&self) -> KeyUsage {
        let usage = self.usage();
        KeyUsage {
            connections: usage.values().map(|key| key.connections).sum(),
            calls: usage.values().map(|key| key.calls).sum(),
            call_bytes: self.0.bytes.held(self.0.limits.call_bytes),
        }
    }

    /// Returns the number of connections and calls that were refused at a quota since the start.
    pub(in crate::net) fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}

/// One connection of a key, released when it is dropped.
#[derive(Debug)]
pub(in crate::net) struct ConnectionPermit {
    quotas: Quotas,
    key: PublicKey,
    number: usize,
    shared: Arc<KeyCounters>,
}

impl ConnectionPermit {
    /// Returns the connection's number among those of its key, from 1.
    pub(in crate::net) const fn number(&self) -> usize {
        self.number
    }

    /// Admits one more call of the key.
    ///
    /// # Errors
    /// [`QuotaError::CallsPerKey`].
    pub(in crate::net) fn call(&self) -> Result<CallPermit<'_>, QuotaError> {
        let limit = self.quotas.0.limits.calls_per_key;
        let permit = CallPermit(&self.shared.calls);
        let before = self.shared.calls.fetch_add(1, Ordering::Relaxed);
        match before < limit {
            true => Ok(permit),
            // Dropping the permit takes the call back.
            false => Err(self.quotas.refuse(QuotaError::CallsPerKey(limit))),
        }
    }

    /// Takes bytes of the key's budget and of that of all keys; waits for them at most two seconds.
    ///
    /// # Errors
    /// [`QuotaError::BytesPerKey`] or [`QuotaError::Bytes`].
    pub(in crate::net) async fn reserve(
        &self,
        kind: ByteKind,
        bytes: usize,
    ) -> Result<BytesPermit<'_>, QuotaError> {
        let (own, all) = self.budgets(kind);
        let count = permits(bytes);
        let both = async {
            let key = wait(own.acquire_many(count)).await;
            let key = key.ok_or_else(|| self.refuse_bytes_of_key(kind))?;
            let all = wait(all.acquire_many(count)).await;
            let all = all.ok_or_else(|| self.refuse_bytes(kind))?;
            Ok(BytesPermit {
                _key: key,
                _all: all,
            })
        };
        both.await
    }

    /// Takes bytes that are free now.
    ///
    /// # Errors
    /// As [`ConnectionPermit::reserve`].
    pub(in crate::net) fn try_reserve(
        &self,
        kind: ByteKind,
        bytes: usize,
    ) -> Result<BytesPermit<'_>, QuotaError> {
        let (own, all) = self.budgets(kind);
        let count = permits(bytes);
        let key = own.try_acquire_many(count);
        let key = key.map_err(|_full| self.refuse_bytes_of_key(kind))?;
        let all = all.try_acquire_many(count);
        let all = all.map_err(|_full| self.refuse_bytes(kind))?;
        Ok(BytesPermit {
            _key: key,
            _all: all,
        })
    }

    /// Reports whether the key may still take that many bytes.
    pub(in crate::net) fn has_room(&self, kind: ByteKind, bytes: usize) -> bool {
        self.shared.bytes.of(kind).available_permits() >= bytes
    }

    fn budgets(&self, kind: ByteKind) -> (&Semaphore, &Semaphore) {
        (self.shared.bytes.of(kind), self.quotas.0.bytes.of(kind))
    }

    fn refuse_bytes_of_key(&self, kind: ByteKind) -> QuotaError {
        let limit = self.quotas.0.limits.call_bytes_per_key;
        self.quotas.refuse(QuotaError::BytesPerKey { kind, limit })
    }

    fn refuse_bytes(&self, kind: ByteKind) -> QuotaError {
        let limit = self.quotas.0.limits.call_bytes;
        self.quotas.refuse(QuotaError::Bytes { kind, limit })
    }
}

async fn wait<'a, E>(
    acquiring: impl Future<Output = Result<SemaphorePermit<'a>, E>>,
) -> Option<SemaphorePermit<'a>> {
    timeout(BUDGET_WAIT, acquiring).await.ok()?.ok()
}

/// A number of bytes as the semaphores count it.
fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut table = self.quotas.table();
        table.connections -= 1;
        if let Some(entry) = table.keys.get_mut(&self.key) {
            entry.connections -= 1;
            if entry.connections == 0 {
                table.keys.remove(&self.key);
            }
        }
    }
}

/// One call in flight, released when it is dropped.
#[derive(Debug)]
pub(in crate::net) struct CallPermit<'a>(&'a AtomicUsize);

impl Drop for CallPermit<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes of a key and of the endpoint, given back when it is dropped.
#[derive(Debug)]
pub(in crate::net) struct BytesPermit<'a> {
    _key: SemaphorePermit<'a>,
    _all: SemaphorePermit<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> PublicKey {
        PublicKey::from_bytes([n; 32])
    }

    fn quotas() -> Quotas {
        Quotas::new(PeerLimits {
            connections: 16,
            connections_per_key: 10,
            calls_per_key: 2,
            call_bytes: 150,
            call_bytes_per_key: 100,
        })
    }

    #[test]
    fn keys_with_few_connections_find_room_when_others_have_many() {
        let quotas = quotas();
        let connect = |n: u8, count: usize| -> Vec<_> {
            (0..count).map(|_| quotas.connect(key(n))).collect()
        };
        let greedy = connect(1, 11);
        assert_eq!(greedy.iter().filter(|permit| permit.is_ok()).count(), 10);
        assert_eq!(
            greedy.last().expect("many").as_ref().err(),
            Some(&QuotaError::ConnectionsPerKey(10))
        );
        // Twelve of sixteen are for everybody, the rest for the first four of a key.
        let second = connect(2, 6);
        assert_eq!(second.iter().filter(|permit| permit.is_ok()).count(), 4);
        assert!(connect(3, 1).iter().all(Result::is_ok));
        assert_eq!(quotas.refused(), 3);
        drop((greedy, second));
        assert!(quotas.usage().is_empty());
        assert_eq!(connect(2, 9).iter().filter(|p| p.is_ok()).count(), 9);
    }

    #[test]
    fn calls_of_all_connections_of_a_key_share_its_quota() {
        let quotas = quotas();
        let (a, b) = (quotas.connect(key(1)), quotas.connect(key(1)));
        let (a, b) = (a.expect("room"), b.expect("room"));
        let (first, second) = (a.call(), b.call());
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(a.call().err(), Some(QuotaError::CallsPerKey(2)));
        assert_eq!(quotas.usage()[&key(1)].calls, 2);
        drop(first);
        assert!(b.call().is_ok());
        let other = quotas.connect(key(2)).expect("room");
        assert!(other.call().is_ok(), "the quota of another key");
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_waited_for_and_then_refused() {
        let kind = ByteKind::Requests;
        let key_full = QuotaError::BytesPerKey { kind, limit: 100 };
        let all_full = QuotaError::Bytes { kind, limit: 150 };
        let quotas = quotas();
        let a = quotas.connect(key(1)).expect("room");
        let b = quotas.connect(key(2)).expect("room");
        let held = a.reserve(kind, 80).await.expect("room");
        assert_eq!(quotas.total().call_bytes, 80);
        assert_eq!(a.reserve(kind, 30).await.err(), Some(key_full));
        assert_eq!(b.reserve(kind, 80).await.err(), Some(all_full));
        assert_eq!(
            quotas.total().call_bytes,
            80,
            "a refused call holds nothing"
        );
        assert!(a.has_room(ByteKind::Replies, 100), "another budget");
        let (waiting, ()) = tokio::join!(a.reserve(kind, 30), async {
            tokio::task::yield_now().await;
            drop(held);
        });
        assert!(waiting.is_ok(), "it was given room");
        assert!(b.try_reserve(kind, 100).is_ok());
        assert_eq!(b.try_reserve(kind, 101).err(), Some(key_full));
    }
}

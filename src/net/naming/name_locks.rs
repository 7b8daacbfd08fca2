//! Locks by name, in fixed memory.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// The number of locks. Names that share one wait for each other without need.
const LOCKS: usize = 256;

/// Locks by name.
#[derive(Debug)]
pub(super) struct NameLocks {
    hash: RandomState,
    locks: Box<[Mutex<()>]>,
}

impl Default for NameLocks {
    fn default() -> Self {
        Self {
            hash: RandomState::new(),
            locks: (0..LOCKS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl NameLocks {
    /// Waits for the lock of a name; `None` cannot happen, because there are locks.
    pub(super) async fn lock(&self, name: &str) -> Option<MutexGuard<'_, ()>> {
        let index = self.hash.hash_one(name) % LOCKS as u64;
        let lock = self.locks.get(usize::try_from(index).ok()?)?;
        Some(lock.lock().await)
    }
}

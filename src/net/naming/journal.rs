//! The journal of registrations: each is stored before its owner gets the reply, and is restored, *suspect*,
//! when the server starts again.

use std::{error::Error, fmt, sync::Arc};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::record::Record;
use crate::net::{
    rpc::error::{Code, RemoteError},
    trust::principal::Principal,
};

/// A stored registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRegistration {
    /// The id with which the owner renews it.
    pub id: u64,
    /// The id of the owner's first registration of the name: the one with the smallest owns the name.
    pub since: u64,
    /// The record; its health is not significant.
    pub record: Record,
}

/// A change of the registry, as far as it has to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalEntry {
    /// A registration is new, or its owner has changed it.
    Put(StoredRegistration),
    /// A registration was removed.
    Removed {
        /// The name.
        name: String,
        /// The owner.
        owner: Principal,
    },
    /// Everything that one owner had registered is removed.
    Evicted {
        /// The owner.
        owner: Principal,
        /// The id of the newest registration that is removed.
        up_to: u64,
    },
}

/// The error of a [`Journal`], shared by all who wait for a group of entries.
pub type JournalError = Arc<dyn Error + Send + Sync>;

/// Storage for changes of the registry.
pub trait Journal: Send + Sync {
    /// Stores all entries in this order, or none of them.
    fn append(&self, entries: Vec<JournalEntry>) -> BoxFuture<'_, Result<(), JournalError>>;
}

/// Limit of changes that are stored together; each has one entry, or a few hundred removals.
const MAX_GROUP: usize = 256;

/// The entries of one change, and the reply to the caller that waits for them.
struct PendingEntries {
    entries: Vec<JournalEntry>,
    reply: oneshot::Sender<Result<(), JournalError>>,
}

/// A handle to the task that writes the journal. Entries appended under the registry's lock are stored in
/// that order. The queue has no bound of its own: callers wait for a reply, and the number of concurrent
/// calls is limited; there is at most one removal for each name that was registered.
#[derive(Clone)]
pub(super) struct JournalHandle(Option<mpsc::UnboundedSender<PendingEntries>>);

impl fmt::Debug for JournalHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JournalHandle({})", self.0.is_some())
    }
}

/// Waits until an entry is stored.
#[must_use]
pub(super) struct PersistFuture(Option<oneshot::Receiver<Result<(), JournalError>>>);

impl JournalHandle {
    /// Creates a handle that stores nothing.
    pub(super) const fn none() -> Self {
        Self(None)
    }

    /// Creates a handle and the task that writes, which has to be run.
    pub(super) fn new(journal: Arc<dyn Journal>) -> (Self, impl Future<Output = ()> + Send) {
        let (queue, entries) = mpsc::unbounded_channel();
        (Self(Some(queue)), write_all(journal, entries))
    }

    /// Reports whether changes are not stored at all.
    pub(super) const fn stores_nothing(&self) -> bool {
        self.0.is_none()
    }

    /// Queues the entries of one change.
    pub(super) fn append(&self, entries: impl Iterator<Item = JournalEntry>) -> PersistFuture {
        let Some(queue) = &self.0 else {
            return PersistFuture::ready();
        };
        let entries: Vec<_> = entries.collect();
        if entries.is_empty() {
            return PersistFuture::ready();
        }
        let (reply, stored) = oneshot::channel();
        queue.send(PendingEntries { entries, reply }).ok();
        PersistFuture(Some(stored))
    }
}

impl PersistFuture {
    /// Creates a future for nothing to store.
    pub(super) const fn ready() -> Self {
        Self(None)
    }

    /// Waits.
    ///
    /// # Errors
    /// [`Code::Overloaded`] with the journal's error.
    pub(super) async fn wait(self) -> Result<(), RemoteError> {
        let Some(stored) = self.0 else { return Ok(()) };
        let stored = stored.await;
        let failed = |reason: &dyn fmt::Display| {
            let message = format!("the naming server cannot store it: {reason}");
            Err(RemoteError::new(Code::Overloaded, message))
        };
        match stored {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => failed(&error),
            Err(_closed) => failed(&"it is shutting down"),
        }
    }
}

async fn write_all(
    journal: Arc<dyn Journal>,
    mut entries: mpsc::UnboundedReceiver<PendingEntries>,
) {
    let mut group = Vec::new();
    while entries.recv_many(&mut group, MAX_GROUP).await > 0 {
        let (batch, replies): (Vec<_>, Vec<_>) = group
            .drain(..)
            .map(|pending| (pending.entries, pending.reply))
            .unzip();
        let stored = journal.append(batch.concat()).await;
        for reply in replies {
            // A caller that has given up sees the outcome when it asks again.
            reply.send(stored.clone()).ok();
        }
    }
}

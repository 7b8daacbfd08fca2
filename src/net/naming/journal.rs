//! Names that survive the naming server: what was registered is kept somewhere before its owner is
//! told, and comes back, *suspect*, when the server starts anew.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::record::Record;
use crate::net::{
    rpc::error::{Code, RemoteError},
    trust::key::PublicKey,
};

/// A registration as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRegistration {
    /// Its number; its owner renews it by that.
    pub id: u64,
    /// What was registered. How healthy it was does not matter.
    pub record: Record,
}

/// What happened to a name, as far as it has to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalEntry {
    /// It was registered, or changed by its owner.
    Put(StoredRegistration),
    /// It is gone.
    Removed {
        /// The name.
        name: String,
        /// Whose it was.
        owner: PublicKey,
    },
}

/// Keeps what happened to names.
pub trait Journal: Send + Sync {
    /// Keeps all of it, in this order, or nothing; the error is for people.
    fn append(&self, entries: Vec<JournalEntry>) -> BoxFuture<'_, Result<(), String>>;
}

/// Changes that are kept together at most.
const GROUP: usize = 256;

/// Something to be kept, and who waits for it.
struct Entry {
    change: JournalEntry,
    answer: Option<oneshot::Sender<Result<(), String>>>,
}

/// The way to a journal. What is put in under the registry's lock is kept in that order. It has no
/// bound of its own: whoever registers waits for an answer, and there are only so many calls at once.
#[derive(Clone)]
pub(super) struct JournalHandle(Option<mpsc::UnboundedSender<Entry>>);

impl fmt::Debug for JournalHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JournalHandle({})", self.0.is_some())
    }
}

/// Waits until something has been kept.
#[must_use]
pub(super) struct PersistFuture(Option<oneshot::Receiver<Result<(), String>>>);

impl JournalHandle {
    /// Nothing is kept.
    pub(super) const fn none() -> Self {
        Self(None)
    }

    /// The way to a journal, and the work of keeping it, which is to be run.
    pub(super) fn new(journal: Arc<dyn Journal>) -> (Self, impl Future<Output = ()> + Send) {
        let (entries, inbox) = mpsc::unbounded_channel();
        (Self(Some(entries)), keep_all(journal, inbox))
    }

    pub(super) fn put(&self, change: JournalEntry) -> PersistFuture {
        let Some(entries) = &self.0 else {
            return PersistFuture(None);
        };
        let (answer, kept) = oneshot::channel();
        let answer = Some(answer);
        entries.send(Entry { change, answer }).ok();
        PersistFuture(Some(kept))
    }

    /// Nobody waits for it.
    pub(super) fn note(&self, change: JournalEntry) {
        if let Some(entries) = &self.0 {
            let answer = None;
            entries.send(Entry { change, answer }).ok();
        }
    }
}

impl PersistFuture {
    pub(super) const fn nothing() -> Self {
        Self(None)
    }

    /// # Errors
    /// [`Code::Overloaded`] with the reason.
    pub(super) async fn done(self) -> Result<(), RemoteError> {
        let Some(kept) = self.0 else { return Ok(()) };
        let kept = kept
            .await
            .unwrap_or_else(|_ended| Err("it is ending".into()));
        kept.map_err(|why| {
            let why = format!("the naming server cannot keep it: {why}");
            RemoteError::new(Code::Overloaded, why)
        })
    }
}

async fn keep_all(journal: Arc<dyn Journal>, mut inbox: mpsc::UnboundedReceiver<Entry>) {
    let mut entries = Vec::new();
    while inbox.recv_many(&mut entries, GROUP).await > 0 {
        let (changes, answers): (Vec<_>, Vec<_>) = entries
            .drain(..)
            .map(|entry| (entry.change, entry.answer))
            .unzip();
        let kept = journal.append(changes).await;
        for answer in answers.into_iter().flatten() {
            // Whoever has given up waiting finds it kept or not when it asks again.
            answer.send(kept.clone()).ok();
        }
    }
}

//! Changes of the registry, and the events that watchers receive.

use serde::{Deserialize, Serialize};

use super::record::{RECORD_OVERHEAD, Record};
use crate::net::{revision_log::RevisionLog, trust::principal::Principal};

/// Number of changes held. A watcher that falls further behind starts again with a snapshot.
pub(super) const CAPACITY: usize = 4_096;
/// Limit of changes or records in one event.
pub(super) const MAX_PER_EVENT: usize = 100;
/// An event is full when its records take this many bytes, as encoded; it is over this by less than one
/// record.
pub(super) const MAX_EVENT_BYTES: usize = 64 << 10;

/// The reason why a record was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemovalReason {
    /// Its owner, or an admin, unregistered it.
    Unregistered,
    /// Its lease expired.
    Expired,
    /// The owner of the name no longer shares it.
    Unshared,
}

/// One change of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameChange {
    /// A record is new or has changed.
    Put(Record),
    /// A record was removed.
    Removed {
        /// The record's name.
        name: String,
        /// The record's owner.
        owner: Principal,
        /// The reason.
        reason: RemovalReason,
    },
}

impl NameChange {
    /// Returns the name of the record.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Put(record) => &record.name,
            Self::Removed { name, .. } => name,
        }
    }

    /// Returns a bound of its size as encoded, in bytes.
    fn encoded_len(&self) -> usize {
        match self {
            Self::Put(record) => record.encoded_len(),
            Self::Removed { name, .. } => RECORD_OVERHEAD + name.len(),
        }
    }
}

/// An event of a watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameEvent {
    /// All records, in one or more parts; the first part replaces earlier state. Changes of records that
    /// were in a part may follow before the next part.
    Snapshot {
        /// The revision of this part. Only after the last part can a watch be resumed from it.
        revision: u64,
        /// Set for the first part.
        first: bool,
        /// Set if more parts follow.
        more: bool,
        /// Records, in the order of their names.
        records: Vec<Record>,
    },
    /// Changes since the last event, in order.
    Changes {
        /// The revision after the last of them.
        revision: u64,
        /// The changes.
        changes: Vec<NameChange>,
    },
}

/// The newest changes by revision.
#[derive(Debug)]
pub(super) struct ChangeLog(RevisionLog<NameChange>);

impl Default for ChangeLog {
    fn default() -> Self {
        Self(RevisionLog::new(CAPACITY))
    }
}

impl ChangeLog {
    pub(super) const fn revision(&self) -> u64 {
        self.0.revision()
    }

    pub(super) fn push(&mut self, change: NameChange) {
        self.0.push(change);
    }

    /// Returns up to `limit` changes after `revision` and the revision that they lead to; `None` when some
    /// are no longer held, or when the revision is of an earlier start of this server.
    pub(super) fn since(&self, revision: u64, limit: usize) -> Option<(u64, Vec<NameChange>)> {
        let changes: Vec<_> = self.0.all_after(revision)?.take(limit).cloned().collect();
        Some((revision + changes.len() as u64, changes))
    }

    /// Like [`ChangeLog::since`], but only changes of matching names, and as many as fit in one event.
    pub(super) fn since_matching(
        &self,
        revision: u64,
        matches: impl Fn(&str) -> bool,
    ) -> Option<(u64, Vec<NameChange>)> {
        let (mut reached, mut changes, mut bytes) = (revision, Vec::new(), 0);
        for change in self.0.all_after(revision)? {
            if changes.len() >= MAX_PER_EVENT || bytes >= MAX_EVENT_BYTES {
                break;
            }
            reached += 1;
            if matches(change.name()) {
                bytes += change.encoded_len();
                changes.push(change.clone());
            }
        }
        Some((reached, changes))
    }

    /// Returns the changes after a revision that are still held.
    pub(super) fn held_after(&self, revision: u64) -> impl Iterator<Item = &NameChange> {
        self.0.after(revision).map(|(_, change)| change)
    }
}

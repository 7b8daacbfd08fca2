//! Changes of the registry, and the events that watchers receive.

use serde::{Deserialize, Serialize};

use super::record::Record;
use crate::net::{revision_log::RevisionLog, trust::principal::Principal};

/// Number of changes held. A watcher that falls further behind starts again with a snapshot.
pub(super) const CAPACITY: usize = 4_096;

/// The reason why a record was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemovalReason {
    /// Its owner, or an admin, unregistered it.
    Unregistered,
    /// Its lease expired.
    Expired,
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
}

/// An event of a watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameEvent {
    /// All records, in one or more parts; the first part replaces earlier state.
    Snapshot {
        /// The revision of the whole snapshot.
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

    /// Returns the removals after a revision that are still held.
    pub(super) fn removals_after(
        &self,
        revision: u64,
    ) -> impl Iterator<Item = (&String, Principal)> {
        self.0
            .after(revision)
            .filter_map(|(_, change)| match change {
                NameChange::Removed { name, owner, .. } => Some((name, *owner)),
                NameChange::Put(_) => None,
            })
    }
}

//! What changed, in order: the part of the registry that watchers follow.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::record::Record;
use crate::net::trust::key::PublicKey;

/// Changes that are kept. A watcher that falls further behind gets everything anew.
const CAPACITY: usize = 4_096;

/// Why a record went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemovalReason {
    /// Its owner, or an admin, took it back.
    Unregistered,
    /// Its lease ran out.
    Expired,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameChange {
    /// A record is new, or is now as given.
    Put(Record),
    /// A record is gone.
    Removed {
        /// Its name.
        name: String,
        /// Whose it was.
        owner: PublicKey,
        /// Why it went.
        reason: RemovalReason,
    },
}

impl NameChange {
    /// The name that it concerns.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Put(record) => &record.name,
            Self::Removed { name, .. } => name,
        }
    }
}

/// What a watcher is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameEvent {
    /// Everything there is, in one or more parts: forget what you knew when `first` is set.
    Snapshot {
        /// The revision that the whole snapshot has brought you to.
        revision: u64,
        /// This is the first part.
        first: bool,
        /// More parts follow.
        more: bool,
        /// Records, in the order of their names.
        records: Vec<Record>,
    },
    /// Changes since the last event, in order.
    Changes {
        /// The revision that they have brought you to.
        revision: u64,
        /// The changes.
        changes: Vec<NameChange>,
    },
}

/// The newest changes. A change's revision is its place in the order of all changes ever made.
#[derive(Debug, Default)]
pub(super) struct ChangeLog {
    revision: u64,
    changes: VecDeque<NameChange>,
}

impl ChangeLog {
    pub(super) const fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn push(&mut self, change: NameChange) {
        if self.changes.len() == CAPACITY {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
        self.revision += 1;
    }

    /// Up to `limit` changes after `revision` and the revision they lead to, or `None` when they are
    /// no longer kept (or the revision is from another life of this server).
    pub(super) fn since(&self, revision: u64, limit: usize) -> Option<(u64, Vec<NameChange>)> {
        let behind = usize::try_from(self.revision.checked_sub(revision)?).ok()?;
        let skip = self.changes.len().checked_sub(behind)?;
        let changes: Vec<_> = self
            .changes
            .iter()
            .skip(skip)
            .take(limit)
            .cloned()
            .collect();
        Some((revision + changes.len() as u64, changes))
    }
}

//! Names are kept where tasks are: the two floors below know nothing of each other, and meet here.

use futures_util::{FutureExt, future::BoxFuture};

use crate::{
    net::naming::{Health, Journal, JournalEntry, Record, StoredRegistration},
    queue::embedded::{
        Embedded,
        store::{NameChange, NameRow},
    },
};

/// Keeps names in the broker's file.
pub(super) struct NamesJournal(Embedded);

impl NamesJournal {
    pub(super) const fn new(broker: Embedded) -> Self {
        Self(broker)
    }
}

impl Journal for NamesJournal {
    fn append(&self, changes: Vec<JournalEntry>) -> BoxFuture<'_, Result<(), String>> {
        let changes = changes.into_iter().map(change).collect();
        let kept = self.0.keep_names(changes);
        async move { kept.await.map_err(|why| why.to_string()) }.boxed()
    }
}

fn change(kept: JournalEntry) -> NameChange {
    match kept {
        JournalEntry::Put(StoredRegistration { id, record }) => NameChange::Put(NameRow {
            name: record.name,
            owner: record.owner.to_string(),
            number: id,
            uri: record.uri,
            metadata: serde_json::Value::from(record.tags).to_string(),
            lease_ms: record.lease_ms,
            exclusive: record.exclusive,
        }),
        JournalEntry::Removed { name, owner } => NameChange::Gone {
            name,
            owner: owner.to_string(),
        },
    }
}

/// What a row says; nothing when the disk has made it say nothing.
pub(super) fn registered(row: &NameRow) -> Option<StoredRegistration> {
    let (Ok(owner), Ok(metadata)) = (row.owner.parse(), serde_json::from_str(&row.metadata)) else {
        tracing::warn!(name = %row.name, "a registered name cannot be read and is forgotten");
        return None;
    };
    let record = Record {
        name: row.name.clone(),
        uri: row.uri.clone(),
        owner,
        tags: metadata,
        lease_ms: row.lease_ms,
        health: Health::Suspect,
        exclusive: row.exclusive,
    };
    Some(StoredRegistration {
        id: row.number,
        record,
    })
}

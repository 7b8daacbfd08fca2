//! Names are kept where tasks are: the two floors below know nothing of each other, and meet here.

use futures_util::{FutureExt, future::BoxFuture};

use crate::{
    net::naming::{Health, Journal, Kept, Record, Registered},
    queue::embedded::{
        Embedded,
        store::{NameChange, NameRow},
    },
};

/// Keeps names in the broker's file.
pub(super) struct Keeper(Embedded);

impl Keeper {
    pub(super) const fn new(broker: Embedded) -> Self {
        Self(broker)
    }
}

impl Journal for Keeper {
    fn keep(&self, changes: Vec<Kept>) -> BoxFuture<'_, Result<(), String>> {
        let changes = changes.into_iter().map(change).collect();
        let kept = self.0.keep_names(changes);
        async move { kept.await.map_err(|why| why.to_string()) }.boxed()
    }
}

fn change(kept: Kept) -> NameChange {
    match kept {
        Kept::Put(Registered { id, record }) => NameChange::Put(NameRow {
            name: record.name,
            owner: record.owner.to_string(),
            number: id,
            uri: record.uri,
            metadata: serde_json::Value::from(record.metadata).to_string(),
            lease_ms: record.lease_ms,
            exclusive: record.exclusive,
        }),
        Kept::Gone { name, owner } => NameChange::Gone {
            name,
            owner: owner.to_string(),
        },
    }
}

/// What a row says; nothing when the disk has made it say nothing.
pub(super) fn registered(row: &NameRow) -> Option<Registered> {
    let (Ok(owner), Ok(metadata)) = (row.owner.parse(), serde_json::from_str(&row.metadata)) else {
        tracing::warn!(name = %row.name, "a registered name cannot be read and is forgotten");
        return None;
    };
    let record = Record {
        name: row.name.clone(),
        uri: row.uri.clone(),
        owner,
        metadata,
        lease_ms: row.lease_ms,
        health: Health::Suspect,
        exclusive: row.exclusive,
    };
    Some(Registered {
        id: row.number,
        record,
    })
}

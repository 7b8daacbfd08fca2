//! Watches of the registry.

use std::collections::VecDeque;

use futures_util::{Stream, stream};
use tokio::sync::watch;

use super::{change_log::NameEvent, query::NameQuery, record::Record, server::NamingServer};
use crate::net::rpc::error::RemoteError;

/// Limit of changes or records in one event: with the longest of everything it still fits in a frame.
pub(super) const MAX_PER_EVENT: usize = 100;

/// Returns the changes after the revision `from`, or a snapshot and then every change, of names with a
/// prefix. A watcher pulls, so it has no buffer that could overflow; one that falls too far behind gets a
/// snapshot again.
pub(super) fn watch(
    server: NamingServer,
    from: Option<u64>,
    prefix: String,
) -> impl Stream<Item = Result<NameEvent, RemoteError>> + Send {
    let watcher = Watcher {
        wake: server.revision(),
        server,
        sent: from,
        prefix,
        snapshot: VecDeque::new(),
    };
    stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    })
}

struct Watcher {
    server: NamingServer,
    wake: watch::Receiver<u64>,
    /// The revision that was sent; `None` before the snapshot.
    sent: Option<u64>,
    prefix: String,
    /// Parts of a snapshot that are not sent yet.
    snapshot: VecDeque<NameEvent>,
}

impl Watcher {
    async fn next(&mut self) -> Option<NameEvent> {
        loop {
            if let Some(part) = self.snapshot.pop_front() {
                return Some(part);
            }
            self.wake.borrow_and_update();
            let changes = self
                .sent
                .and_then(|sent| self.server.registry().since(sent, MAX_PER_EVENT));
            match changes {
                None => self.load_snapshot(),
                Some((_, changes)) if changes.is_empty() => self.wake.changed().await.ok()?,
                Some((revision, mut changes)) => {
                    self.sent = Some(revision);
                    changes.retain(|change| change.name().starts_with(&self.prefix));
                    if !changes.is_empty() {
                        return Some(NameEvent::Changes { revision, changes });
                    }
                }
            }
        }
    }

    fn load_snapshot(&mut self) {
        let registry = self.server.registry();
        let revision = registry.revision();
        let mut query = NameQuery {
            prefix: Some(self.prefix.clone()),
            ..NameQuery::default()
        };
        let mut records: Vec<Record> = Vec::new();
        while let Ok(page) = registry.list(&query) {
            records.extend(page.records);
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        let parts = records.len().div_ceil(MAX_PER_EVENT).max(1);
        let mut records = records.into_iter();
        self.snapshot = (0..parts)
            .map(|part| NameEvent::Snapshot {
                revision,
                first: part == 0,
                more: part + 1 < parts,
                records: records.by_ref().take(MAX_PER_EVENT).collect(),
            })
            .collect();
        self.sent = Some(revision);
    }
}

//! Watches of the registry.

use std::ops::ControlFlow;

use futures_util::{Stream, stream};
use tokio::sync::watch;

use super::{
    change_log::NameEvent, limiter::CallerPermit, registry::SnapshotScan, server::NamingServer,
};
use crate::net::rpc::error::RemoteError;

/// Returns the changes after the revision `from`, or a snapshot and then every change, of names with a
/// prefix. A watcher pulls: it holds one event at a time, whatever the registry holds, and a position in the
/// names while it reads the snapshot. One that falls too far behind gets a snapshot again.
pub(super) fn watch(
    server: NamingServer,
    permit: Result<CallerPermit, RemoteError>,
    from: Option<u64>,
    prefix: String,
) -> impl Stream<Item = Result<NameEvent, RemoteError>> + Send {
    let watcher = permit.map(|permit| Watcher {
        wake: server.revision(),
        server,
        sent: from,
        snapshot: None,
        prefix,
        _permit: permit,
    });
    stream::unfold(Some(watcher), |watcher| async move {
        match watcher? {
            Ok(mut watcher) => {
                let event = watcher.next().await?;
                Some((Ok(event), Some(Ok(watcher))))
            }
            Err(refused) => Some((Err(refused), None)),
        }
    })
}

struct Watcher {
    server: NamingServer,
    wake: watch::Receiver<u64>,
    /// The revision up to which changes were sent; `None` before the snapshot.
    sent: Option<u64>,
    /// The snapshot, until all of it was sent. Changes of names that it has passed are sent in between.
    snapshot: Option<SnapshotScan>,
    prefix: String,
    _permit: CallerPermit,
}

impl Watcher {
    async fn next(&mut self) -> Option<NameEvent> {
        loop {
            self.wake.borrow_and_update();
            match self.read() {
                ControlFlow::Break(event) => return Some(event),
                // Changes that are not for this watcher were skipped.
                ControlFlow::Continue(true) => tokio::task::yield_now().await,
                ControlFlow::Continue(false) => self.wake.changed().await.ok()?,
            }
        }
    }

    /// Reads the next event, if there is one; otherwise reports whether there may be more to read at once.
    fn read(&mut self) -> ControlFlow<NameEvent, bool> {
        let registry = self.server.registry();
        let snapshot = &self.snapshot;
        let is_for_this = |name: &str| {
            name.starts_with(&self.prefix)
                && snapshot.as_ref().is_none_or(|scan| scan.has_passed(name))
        };
        let changes = self
            .sent
            .and_then(|sent| registry.since_matching(sent, is_for_this));
        let Some((revision, changes)) = changes else {
            self.sent = Some(registry.revision());
            self.snapshot = Some(SnapshotScan::new(&self.prefix));
            return ControlFlow::Continue(true);
        };
        self.sent = Some(revision);
        if !changes.is_empty() {
            return ControlFlow::Break(NameEvent::Changes { revision, changes });
        }
        if revision < registry.revision() {
            return ControlFlow::Continue(true);
        }
        let Some(mut scan) = self.snapshot.take() else {
            return ControlFlow::Continue(false);
        };
        let first = scan.is_at_start();
        let records = registry.snapshot_part(&mut scan);
        let more = !scan.is_at_end();
        self.snapshot = more.then_some(scan);
        ControlFlow::Break(NameEvent::Snapshot {
            revision,
            first,
            more,
            records,
        })
    }
}

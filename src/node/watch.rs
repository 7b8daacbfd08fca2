//! Following the names of a naming server.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::sleep};

use crate::{
    net::{
        naming::{NameEvent, NamingClient},
        rpc::error::CallError,
    },
    retry::Backoff,
};

/// Events that wait for the receiver; the naming server holds the rest.
pub(super) const MAX_EVENTS: usize = 64;

/// A change of the registered names, or of the connection that reports them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum NamesEvent {
    /// The naming server's event.
    Changed(NameEvent),
    /// The watch broke and will be resumed.
    Lost {
        /// The reason.
        error: CallError,
        /// The delay before the next attempt.
        retry_in: Duration,
    },
}

/// Sends events until the receiver is dropped; a broken watch is resumed where it broke.
pub(super) async fn watch_names(naming: NamingClient, events: mpsc::Sender<NamesEvent>) {
    let (mut from, mut backoff) = (None, Backoff::default());
    loop {
        let error = match naming.watch(from).await {
            Ok(mut watch) => loop {
                let event = tokio::select! {
                    event = watch.next() => event,
                    () = events.closed() => return,
                };
                match event {
                    Ok(Some(event)) => {
                        backoff.reset();
                        from = resume_at(from, &event);
                        if events.send(NamesEvent::Changed(event)).await.is_err() {
                            return;
                        }
                    }
                    Ok(None) => break CallError::Closed,
                    Err(error) => break error,
                }
            },
            Err(error) => error,
        };
        let retry_in = backoff.next_delay();
        let lost = NamesEvent::Lost { error, retry_in };
        if events.send(lost).await.is_err() {
            return;
        }
        sleep(retry_in).await;
    }
}

/// Returns the revision to resume at after an event; `None` inside a snapshot, which has to begin again.
const fn resume_at(from: Option<u64>, event: &NameEvent) -> Option<u64> {
    match (from, event) {
        (_, NameEvent::Snapshot { more: true, .. }) | (None, NameEvent::Changes { .. }) => None,
        (_, NameEvent::Snapshot { revision, .. })
        | (Some(_), NameEvent::Changes { revision, .. }) => Some(*revision),
    }
}

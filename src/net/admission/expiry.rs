//! The expiry of tickets.

use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use crate::net::trust::members::Members;

/// Limit of a wait: the wall clock may be changed meanwhile.
const MAX_WAIT: Duration = Duration::from_secs(600);

/// Stores the time whenever a ticket expires, until `stop`: it stays expired when the clock is set back.
pub async fn expire_tickets(members: Members, stop: CancellationToken) {
    let mut changes = members.watch();
    loop {
        let next = async {
            match members.next_expiry() {
                Some(wait) => sleep(wait.min(MAX_WAIT)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            changed = changes.changed() => match changed {
                Ok(()) => continue,
                Err(_ended) => return,
            },
            () = next => {}
        }
        if let Err(error) = members.expire_tickets().await {
            tracing::warn!(%error, "an expired ticket may become valid again");
        }
    }
}

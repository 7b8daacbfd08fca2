//! A registration kept alive: it is renewed at every third of its lease, and registered again at once when
//! the naming server no longer knows it, for example after a restart.

use std::sync::Arc;

use tokio::{
    sync::watch,
    time::{Duration, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{NamingClient, record::RegisterRequest};
use crate::{
    net::rpc::error::{CallError, Code},
    retry::Backoff,
};

/// Limit of the time to unregister.
const UNREGISTER_TIMEOUT: Duration = Duration::from_millis(500);

/// The state of a registration.
#[derive(Debug, Clone, PartialEq)]
pub enum LeaseStatus {
    /// Not registered yet.
    Pending,
    /// Registered, and renewed in time.
    Held,
    /// Another owner has the name and does not share it; another attempt follows.
    Taken(CallError),
    /// The last attempt failed; the next one follows.
    Failing(CallError),
    /// The naming server refused, and another attempt would not help.
    Refused(CallError),
}

/// Keeps one registration alive.
#[derive(Debug)]
pub struct LeaseKeeper {
    naming: NamingClient,
    request: Arc<RegisterRequest>,
    status: watch::Sender<LeaseStatus>,
}

impl LeaseKeeper {
    /// Creates a keeper; [`LeaseKeeper::run`] registers.
    #[must_use]
    pub fn new(naming: NamingClient, request: RegisterRequest) -> Self {
        Self {
            naming,
            request: Arc::new(request),
            status: watch::Sender::new(LeaseStatus::Pending),
        }
    }

    /// Watches the state of the registration.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<LeaseStatus> {
        self.status.subscribe()
    }

    /// Keeps the registration alive until `stop`, then unregisters.
    pub async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = self.maintain() => return,
            () = stop.cancelled() => {}
        }
        // This is a courtesy: otherwise the lease expires.
        timeout(
            UNREGISTER_TIMEOUT,
            self.naming.unregister(&self.request.name),
        )
        .await
        .ok();
    }

    /// Keeps the registration alive until `stop`, and leaves it as it is then: the naming server stops too, and
    /// knows it at its next start.
    pub async fn run_with_server(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.maintain()).await;
    }

    /// Registers and renews; ends only when the naming server refuses permanently.
    async fn maintain(&self) {
        let mut backoff = Backoff::default();
        loop {
            match self.naming.register(&self.request).await {
                Ok(granted) => {
                    backoff.reset();
                    self.set(LeaseStatus::Held);
                    let Some(lease_ms) = granted.lease_ms else {
                        return std::future::pending().await;
                    };
                    self.renew(granted.id, Duration::from_millis(lease_ms))
                        .await;
                }
                Err(error @ CallError::Remote(_)) if !is_transient(&error) => {
                    tracing::error!(name = self.request.name, %error, "registration refused");
                    return self.set(LeaseStatus::Refused(error));
                }
                Err(error) => {
                    self.set(match is_taken(&error) {
                        true => LeaseStatus::Taken(error),
                        false => LeaseStatus::Failing(error),
                    });
                    sleep(backoff.next_delay()).await;
                }
            }
        }
    }

    /// Renews until the naming server no longer knows the lease.
    async fn renew(&self, id: u64, lease: Duration) {
        let interval = lease / 3;
        // A renewal is idempotent, and a restarted naming server may not know the lease: retry soon.
        let mut backoff = Backoff::up_to(interval);
        self.pause(interval).await;
        loop {
            match self.naming.renew(&self.request.name, id).await {
                Ok(_) => {
                    backoff.reset();
                    self.set(LeaseStatus::Held);
                    self.pause(interval).await;
                }
                Err(error) => {
                    // Refused permanently, or unknown to the server: registering again shows which.
                    let lost = match &error {
                        CallError::Remote(remote) => {
                            remote.code == Code::NotFound || !is_transient(&error)
                        }
                        _ => false,
                    };
                    tracing::warn!(name = self.request.name, %error, "renewal failed");
                    self.set(LeaseStatus::Failing(error));
                    if lost {
                        return;
                    }
                    sleep(backoff.next_delay()).await;
                }
            }
        }
    }

    /// Waits, but not longer than the connection to the naming server lasts: after a restart it may not know
    /// the lease.
    async fn pause(&self, pause: Duration) {
        let naming = &self.naming;
        let disconnected = async {
            naming.client().disconnected(naming.server()).await;
            sleep(Backoff::default().next_delay()).await;
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = disconnected => {}
        }
    }

    fn set(&self, status: LeaseStatus) {
        self.status.send_if_modified(|old| {
            let changed = *old != status;
            *old = status;
            changed
        });
    }
}

fn is_taken(error: &CallError) -> bool {
    matches!(error, CallError::Remote(remote) if remote.code == Code::Exists)
}

/// Reports whether another attempt may succeed after this refusal.
fn is_transient(error: &CallError) -> bool {
    matches!(error, CallError::Remote(remote)
    if matches!(
        remote.code,
        // A server that is just coming up may not know its naming server yet.
        Code::Overloaded
            | Code::QuotaExceeded
            | Code::Internal
            | Code::Expired
            | Code::Exists
            | Code::NotFound
    ))
}

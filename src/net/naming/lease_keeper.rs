//! Keeping a name: register, renew at every third of the lease, and register again at once when the
//! naming server no longer knows the lease. The last is what naming services most often get wrong.

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

/// Saying goodbye takes at most this long.
const GOODBYE: Duration = Duration::from_millis(500);

/// How a registration stands.
#[derive(Debug, Clone, PartialEq)]
pub enum LeaseStatus {
    /// Not registered yet.
    Pending,
    /// Registered, and renewed in time.
    Held,
    /// The last attempt failed; it goes on trying.
    Failing(CallError),
    /// The naming server said no, and asking again would not help.
    Refused(CallError),
}

/// A name that is being kept.
#[derive(Debug)]
pub struct LeaseKeeper {
    naming: NamingClient,
    request: Arc<RegisterRequest>,
    status: watch::Sender<LeaseStatus>,
}

impl LeaseKeeper {
    /// A registration to be kept by [`LeaseKeeper::run`].
    #[must_use]
    pub fn new(naming: NamingClient, request: RegisterRequest) -> Self {
        Self {
            naming,
            request: Arc::new(request),
            status: watch::Sender::new(LeaseStatus::Pending),
        }
    }

    /// Follows how it stands.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<LeaseStatus> {
        self.status.subscribe()
    }

    /// Keeps the name until `stop`, then takes it back.
    pub async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = self.keep() => return,
            () = stop.cancelled() => {}
        }
        // Unregistering is a courtesy: the lease ends by itself.
        timeout(GOODBYE, self.naming.unregister(&self.request.name))
            .await
            .ok();
    }

    /// Ends only when the naming server refuses for good.
    async fn keep(&self) {
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
                    self.set(LeaseStatus::Failing(error));
                    sleep(backoff.next_delay()).await;
                }
            }
        }
    }

    /// Renews until the naming server no longer knows the lease.
    async fn renew(&self, id: u64, lease: Duration) {
        let interval = lease / 3;
        // A renewal changes nothing when it runs twice, and a naming server that just came back has
        // forgotten the lease: find out soon.
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
                    // Refused for good, or forgotten: asking for the name anew tells which.
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

    /// Waits, but not when the naming server has gone: whether it has come back, and still knows us, is
    /// to be found out at once.
    async fn pause(&self, pause: Duration) {
        let naming = &self.naming;
        let gone = async {
            naming.client().disconnected(naming.server()).await;
            sleep(Backoff::default().next_delay()).await;
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = gone => {}
        }
    }

    fn set(&self, status: LeaseStatus) {
        self.status.send_if_modified(|old| {
            let news = *old != status;
            *old = status;
            news
        });
    }
}

/// A refusal that another attempt may turn into a yes.
fn is_transient(error: &CallError) -> bool {
    matches!(error, CallError::Remote(remote)
    if matches!(
        remote.code,
        // A server that is just coming up may not know its naming server yet.
        Code::Overloaded | Code::Internal | Code::Expired | Code::Exists | Code::NotFound
    ))
}

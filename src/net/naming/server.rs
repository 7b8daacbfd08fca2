//! The naming server: a registry behind an object, with a clock, a journal and watchers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{
    sync::{Notify, watch},
    time::{Duration, Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    NAME,
    change_log::NameChange,
    contract::{COUNT, LIST, LOOKUP, PING, REGISTER, RENEW, SET_TAGS, UNREGISTER, WATCH},
    journal::{Journal, JournalEntry, JournalHandle, PersistFuture, StoredRegistration},
    record::{Millis, RegisterRequest},
    registry::{Lease, NameRegistry, NamingLimits},
    watcher::{MAX_PER_EVENT, watch},
};
use crate::net::{
    rpc::{
        error::{Code, RemoteError},
        object::Caller,
        service::Service,
    },
    trust::principal::Principal,
};

/// A naming server without its network: expose [`NamingServer::object`] to serve it.
#[derive(Debug, Clone)]
pub struct NamingServer(Arc<NamingState>);

#[derive(Debug)]
struct NamingState {
    registry: Mutex<NameRegistry>,
    started: Instant,
    /// The newest revision, for watchers.
    revision: watch::Sender<u64>,
    /// Notified when the next deadline has moved forward.
    earlier: Notify,
    journal: JournalHandle,
}

impl NamingServer {
    /// Creates an empty naming server that stores nothing.
    #[must_use]
    pub fn new(limits: NamingLimits) -> Self {
        Self::with(NameRegistry::new(limits), JournalHandle::none())
    }

    /// Creates a naming server that starts with stored registrations, and stores new ones before it
    /// replies to their owner. The future writes the journal; run it beside the server, with which it ends.
    pub fn persistent(
        limits: NamingLimits,
        stored: Vec<StoredRegistration>,
        journal: Arc<dyn Journal>,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let mut registry = NameRegistry::new(limits);
        for registration in stored {
            registry.restore(0, registration);
        }
        let (journal, writing) = JournalHandle::new(journal);
        (Self::with(registry, journal), writing)
    }

    fn with(registry: NameRegistry, journal: JournalHandle) -> Self {
        Self(Arc::new(NamingState {
            revision: watch::Sender::new(registry.revision()),
            registry: Mutex::new(registry),
            started: Instant::now(),
            earlier: Notify::new(),
            journal,
        }))
    }

    /// Expires leases until `stop`, with one timer that is armed only while there is a lease.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            let due = {
                let mut registry = self.registry();
                self.expire_due(&mut registry, self.now());
                registry.next_deadline()
            };
            self.notify_watchers();
            let due = async {
                match due {
                    Some(ms) => sleep_until(self.0.started + Duration::from_millis(ms)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = due => {}
                () = self.0.earlier.notified() => {}
            }
        }
    }

    /// Returns the object that serves this naming server.
    #[must_use]
    pub fn object(&self) -> Service {
        Service::new("Finds objects by name")
            .serve(&REGISTER, self, |server, caller, (request,)| {
                server.register_persisted(caller, request)
            })
            .serve(&RENEW, self, |server, caller, (name, id)| {
                ready(server.change(|registry, now| registry.renew(now, &caller, &name, id)))
            })
            .serve(&UNREGISTER, self, |server, caller, (name, all)| {
                server.unregister_persisted(caller, name, all.unwrap_or(false))
            })
            .serve(&LOOKUP, self, |server, _, (name,)| {
                ready(server.registry().lookup(&name))
            })
            .serve(&LIST, self, |server, _, (query,)| {
                ready(server.registry().list(&query.unwrap_or_default()))
            })
            .serve(&SET_TAGS, self, |server, caller, (name, tags)| {
                server.set_tags_persisted(caller, name, tags)
            })
            .serve(&COUNT, self, |server, _, []| ready(Ok(server.count())))
            .serve(&PING, self, |_, _, []| ready(Ok(())))
            .serve_stream(&WATCH, self, |server, _, (from, prefix)| {
                watch(server, from, prefix.unwrap_or_default())
            })
    }

    /// Registers an object of this process, such as the naming server itself, without storing it.
    ///
    /// # Errors
    /// As [`NameRegistry::register`].
    pub fn register(&self, caller: &Caller, request: RegisterRequest) -> Result<(), RemoteError> {
        self.change(|registry, now| registry.register(now, caller, request))
            .map(drop)
    }

    /// Removes every registration of a principal; returns the number of removed records.
    ///
    /// # Errors
    /// [`Code::Overloaded`] when that cannot be stored; they are removed all the same until the next start.
    pub async fn evict(&self, owner: Principal) -> Result<usize, RemoteError> {
        let mut total = 0;
        loop {
            let (removed, persisted) =
                self.change_removing(|registry, _| registry.evict(owner, MAX_PER_EVENT));
            if removed == 0 {
                return Ok(total);
            }
            total += removed;
            persisted.wait().await?;
        }
    }

    async fn register_persisted(
        self,
        caller: Caller,
        request: RegisterRequest,
    ) -> Result<Lease, RemoteError> {
        let name = request.name.clone();
        let (lease, persisted) = self.change(|registry, now| {
            let lease = registry.register(now, &caller, request)?;
            Ok::<_, RemoteError>((lease, self.journal_put(registry, &name, caller.principal)))
        })?;
        if let Err(error) = persisted.wait().await {
            // A registration must not be visible now and lost at the next start.
            self.change(|registry, _| registry.unregister(&caller, &name, false))
                .ok();
            return Err(error);
        }
        Ok(lease)
    }

    async fn unregister_persisted(
        self,
        caller: Caller,
        name: String,
        all: bool,
    ) -> Result<usize, RemoteError> {
        if name == NAME {
            let message = "the naming server's own name cannot be removed";
            return Err(RemoteError::new(Code::Denied, message));
        }
        let (removed, persisted) =
            self.change_removing(|registry, _| registry.unregister(&caller, &name, all));
        let removed = removed?;
        persisted.wait().await?;
        Ok(removed)
    }

    async fn set_tags_persisted(
        self,
        caller: Caller,
        name: String,
        tags: Vec<String>,
    ) -> Result<u64, RemoteError> {
        let (revision, persisted) = self.change(|registry, _| {
            let revision = registry.set_tags(&caller, &name, tags)?;
            Ok::<_, RemoteError>((
                revision,
                self.journal_put(registry, &name, caller.principal),
            ))
        })?;
        persisted.wait().await?;
        Ok(revision)
    }

    /// Stores the present state of a registration.
    fn journal_put(&self, registry: &NameRegistry, name: &str, owner: Principal) -> PersistFuture {
        match registry.registered(name, owner) {
            Some(registered) => self.0.journal.append(JournalEntry::Put(registered)),
            None => PersistFuture::ready(),
        }
    }

    /// Expires leases in steps: the registry holds only the newest changes, and all must reach the journal.
    fn expire_due(&self, registry: &mut NameRegistry, now: Millis) {
        loop {
            let before = registry.revision();
            let more = registry.advance_some(now, MAX_PER_EVENT);
            // Nobody waits: a record that is restored by mistake expires again.
            drop(self.journal_removals(registry, before));
            if !more {
                return;
            }
        }
    }

    /// Stores the removals after a revision.
    fn journal_removals(&self, registry: &NameRegistry, before: u64) -> PersistFuture {
        if registry.revision() == before {
            return PersistFuture::ready();
        }
        let changes = registry.since(before, usize::MAX);
        let removals = changes.into_iter().flat_map(|(_, changes)| changes);
        let entries = removals.filter_map(|change| match change {
            NameChange::Removed { name, owner, .. } => Some(JournalEntry::Removed { name, owner }),
            NameChange::Put(_) => None,
        });
        // They are written in order, so the last one stands for all.
        entries.fold(PersistFuture::ready(), |_earlier, entry| {
            self.0.journal.append(entry)
        })
    }

    /// Returns the number of records.
    #[must_use]
    pub fn count(&self) -> usize {
        self.registry().count()
    }

    pub(super) fn registry(&self) -> MutexGuard<'_, NameRegistry> {
        // No method panics in the middle of a change, so the registry is intact even if the lock is poisoned.
        self.0
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Millis {
        u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    fn change<T>(&self, change: impl FnOnce(&mut NameRegistry, Millis) -> T) -> T {
        self.change_removing(change).0
    }

    /// Applies a change to the registry at the present time; the future waits until its removals are
    /// stored.
    fn change_removing<T>(
        &self,
        change: impl FnOnce(&mut NameRegistry, Millis) -> T,
    ) -> (T, PersistFuture) {
        let now = self.now();
        let (result, persisted, earlier) = {
            let mut registry = self.registry();
            let before = registry.next_deadline();
            // Time first: a call that arrives after a deadline must not find expired records.
            self.expire_due(&mut registry, now);
            let revision = registry.revision();
            let result = change(&mut registry, now);
            let persisted = self.journal_removals(&registry, revision);
            let after = registry.next_deadline();
            let earlier = after.is_some_and(|after| before.is_none_or(|before| after < before));
            (result, persisted, earlier)
        };
        self.notify_watchers();
        if earlier {
            self.0.earlier.notify_one();
        }
        (result, persisted)
    }

    fn notify_watchers(&self) {
        let revision = self.registry().revision();
        self.0.revision.send_if_modified(|newest| {
            let news = *newest != revision;
            *newest = revision;
            news
        });
    }

    /// Sleeps on the registry's revision.
    pub(super) fn revision(&self) -> watch::Receiver<u64> {
        self.0.revision.subscribe()
    }
}

/// Most methods wait for nothing: their future is ready when it is created.
fn ready<T>(result: Result<T, RemoteError>) -> std::future::Ready<Result<T, RemoteError>> {
    std::future::ready(result)
}

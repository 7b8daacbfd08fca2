//! The naming server: a registry behind an object, with a clock, a journal and watchers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{
    sync::{Mutex as AsyncMutex, Notify, Semaphore, watch},
    time::{Duration, Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    NAME, change_log,
    contract::{COUNT, LIST, LOOKUP, PING, REGISTER, RENEW, SET_TAGS, SHARE, UNREGISTER, WATCH},
    journal::{Journal, JournalEntry, JournalHandle, PersistFuture, StoredRegistration},
    limiter::CallerLimiter,
    name_locks::NameLocks,
    query::{NamePage, NameQuery},
    record::{MAX_NAME, Millis, Record, RegisterRequest, check_text_len},
    registry::{Eviction, Lease, NameRegistry, NameUsage, NamingLimits, PageScan, Undo},
    share::ShareRule,
    turn::Turn,
    watcher::watch,
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
    /// Held by the one operation that expires leases.
    sweep: AsyncMutex<()>,
    /// The searches that run in turns; further ones wait.
    searching: Semaphore,
    searches: CallerLimiter,
    watches: CallerLimiter,
    /// Held by the one change of a name that is being stored.
    name_locks: NameLocks,
}

/// Limits of watches, for each caller and in all. Each holds one event, of about 64 KiB at most.
const MAX_WATCHES_PER_CALLER: usize = 256;
const MAX_WATCHES: usize = 4_096;

/// Limit of leases that expire in one step; their changes are all still held when they are stored.
const MAX_EXPIRED: usize = 256;
const _: () = assert!(MAX_EXPIRED <= change_log::CAPACITY);
/// Limit of searches, which are listings by pattern or tags, that run in turns.
const MAX_SEARCHING: usize = 4;
/// Limits of searches that run or wait, for each caller and in all.
const MAX_SEARCHES_PER_CALLER: usize = 16;
const MAX_SEARCHES: usize = 1_024;
/// Limit of the running time of one listing. Then its page is returned as it is, with a cursor.
const MAX_SEARCH_TIME: Duration = Duration::from_millis(50);

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
            sweep: AsyncMutex::default(),
            searching: Semaphore::new(MAX_SEARCHING),
            searches: CallerLimiter::new("searches", MAX_SEARCHES_PER_CALLER, MAX_SEARCHES),
            watches: CallerLimiter::new("watches", MAX_WATCHES_PER_CALLER, MAX_WATCHES),
            name_locks: NameLocks::default(),
        }))
    }

    /// Expires leases until `stop`, with one timer that is armed only while there is a lease.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            self.expire_due().await;
            let due = self.registry().next_deadline();
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
            .serve(&RENEW, self, |server, caller, (name, id)| async move {
                server.expire_due().await;
                server.change(|registry, now| registry.renew(now, &caller, &name, id))
            })
            .serve(&UNREGISTER, self, |server, caller, (name, all)| {
                server.unregister_persisted(caller, name, all.unwrap_or(false))
            })
            .serve(&LOOKUP, self, |server, caller, (name,)| {
                let mut found = server.registry().lookup(&name);
                if let Ok(records) = &mut found {
                    let is_own = |record: &Record| record.owner == caller.principal;
                    records.sort_by_key(|record| !(record.is_live() && is_own(record)));
                }
                ready(found)
            })
            .serve(&LIST, self, |server, caller, (query,)| {
                server.list(caller, query.unwrap_or_default())
            })
            .serve(&SET_TAGS, self, |server, caller, (name, tags)| {
                server.set_tags_persisted(caller, name, tags)
            })
            .serve(&SHARE, self, |server, caller, (name, rule)| {
                server.share_persisted(caller, name, rule)
            })
            .serve(&COUNT, self, |server, _, []| ready(Ok(server.count())))
            .serve(&PING, self, |_, _, []| ready(Ok(())))
            .serve_stream(&WATCH, self, |server, caller, (from, prefix)| {
                let prefix = prefix.unwrap_or_default();
                let permit = check_text_len("a prefix", Some(&prefix), MAX_NAME)
                    .and_then(|()| server.0.watches.acquire(caller.principal));
                watch(server, permit, from, prefix)
            })
    }

    /// Reserves names for services of the node with this key: others register under them with its consent
    /// only, also before the node has registered them.
    pub fn reserve<'a>(&self, owner: Principal, names: impl IntoIterator<Item = &'a str>) {
        let mut registry = self.registry();
        for name in names {
            registry.reserve(name, owner);
        }
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
        let (mut eviction, persisted) = {
            let registry = self.registry();
            let eviction = registry.begin_eviction(owner);
            let persisted = self.journal_eviction(&eviction);
            (eviction, persisted)
        };
        let mut turn = Turn::begin();
        while self
            .change(|registry, _| registry.evict(&mut eviction))
            .is_continue()
        {
            turn.step().await;
        }
        persisted.wait().await?;
        // A change that had begun may have been stored meanwhile.
        self.journal_eviction(&eviction).wait().await?;
        Ok(eviction.removed())
    }

    fn journal_eviction(&self, eviction: &Eviction) -> PersistFuture {
        let (owner, up_to) = (eviction.owner(), eviction.up_to());
        let entry = JournalEntry::Evicted { owner, up_to };
        self.0.journal.append(std::iter::once(entry))
    }

    /// Fills a page in steps.
    async fn list(self, caller: Caller, query: NameQuery) -> Result<NamePage, RemoteError> {
        let _permits = match query.matches_all() {
            true => None,
            false => Some((
                self.0.searches.acquire(caller.principal)?,
                self.0.searching.acquire().await,
            )),
        };
        let mut turn = Turn::begin();
        let mut scan = PageScan::new(query, self.registry().revision())?;
        while scan.step(&self.registry()).is_continue() {
            if turn.spent() > MAX_SEARCH_TIME {
                return Ok(scan.into_short_page());
            }
            turn.step().await;
        }
        Ok(scan.into_page())
    }

    async fn register_persisted(
        self,
        caller: Caller,
        request: RegisterRequest,
    ) -> Result<Lease, RemoteError> {
        let name = request.name.clone();
        self.persist(name, move |registry, now| {
            let (lease, undo) = registry.register_undoable(now, &caller, request)?;
            Ok((lease, Some(undo)))
        })
        .await
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
        // A removal that cannot be stored now is stored later.
        self.persist(name.clone(), move |registry, _| {
            Ok((registry.unregister(&caller, &name, all)?, None))
        })
        .await
    }

    async fn set_tags_persisted(
        self,
        caller: Caller,
        name: String,
        tags: Vec<String>,
    ) -> Result<u64, RemoteError> {
        self.persist(name.clone(), move |registry, _| {
            let undo = registry.set_tags_undoable(&caller, &name, tags)?;
            Ok((registry.revision(), Some(undo)))
        })
        .await
    }

    async fn share_persisted(
        self,
        caller: Caller,
        name: String,
        rule: ShareRule,
    ) -> Result<u64, RemoteError> {
        self.persist(name.clone(), move |registry, _| {
            let undo = registry.set_share_undoable(&caller, &name, rule)?;
            Ok((registry.revision(), Some(undo)))
        })
        .await
    }

    /// Applies a change of one name and waits until it is stored. One that cannot be stored is undone: what
    /// is registered now must not be lost at the next start, and what was acknowledged before must not be
    /// lost now. Changes of one name are stored one after another.
    async fn persist<T: Send + 'static>(
        self,
        name: String,
        change: impl FnOnce(&mut NameRegistry, Millis) -> Result<(T, Option<Undo>), RemoteError>
        + Send
        + 'static,
    ) -> Result<T, RemoteError> {
        self.expire_due().await;
        if self.0.journal.stores_nothing() {
            let (result, _undo) = self.change(change)?;
            return Ok(result);
        }
        // A task of its own completes even if the caller gives up.
        let changing = tokio::spawn(async move {
            let _lock = self.0.name_locks.lock(&name).await;
            let (result, undo, persisted) = self.change(|registry, now| {
                let before = registry.revision();
                let (result, undo) = change(registry, now)?;
                let persisted = self.0.journal.append(registry.journal_entries(before));
                Ok::<_, RemoteError>((result, undo, persisted))
            })?;
            let stored = persisted.wait().await;
            if let (Err(_), Some(undo)) = (&stored, undo) {
                self.change(|registry, _| registry.undo(undo));
            }
            stored.map(|()| result)
        });
        changing
            .await
            .unwrap_or_else(|aborted| Err(RemoteError::new(Code::Internal, aborted.to_string())))
    }

    /// Expires the leases that have ended, in steps. A call that arrives after a deadline must not find
    /// expired records.
    async fn expire_due(&self) {
        if !self.registry().is_due(self.now()) {
            return;
        }
        let _sweep = self.0.sweep.lock().await;
        let mut turn = Turn::begin();
        while self.expire_some() {
            turn.step().await;
        }
    }

    /// Expires some of the leases that have ended; reports whether there may be more.
    fn expire_some(&self) -> bool {
        self.change(|registry, now| {
            let before = registry.revision();
            let more = registry.advance_some(now, MAX_EXPIRED);
            let removals = registry
                .journal_entries(before)
                .filter(|entry| !matches!(entry, JournalEntry::Put(_)));
            // Nobody waits: a record that is restored by mistake expires again.
            drop(self.0.journal.append(removals));
            more
        })
    }

    /// Returns the number of records.
    #[must_use]
    pub fn count(&self) -> usize {
        self.registry().count()
    }

    /// Returns the registrations of one owner in numbers.
    #[must_use]
    pub fn usage(&self, owner: Principal) -> NameUsage {
        self.registry().usage(owner)
    }

    /// Returns the limits of the registry.
    #[must_use]
    pub fn limits(&self) -> NamingLimits {
        *self.registry().limits()
    }

    /// Returns all registrations in numbers.
    #[must_use]
    pub fn total_usage(&self) -> NameUsage {
        self.registry().total_usage()
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

    /// Applies a change to the registry at the present time.
    fn change<T>(&self, change: impl FnOnce(&mut NameRegistry, Millis) -> T) -> T {
        let now = self.now();
        let (result, revision, earlier) = {
            let mut registry = self.registry();
            let before = registry.next_deadline();
            let result = change(&mut registry, now);
            let after = registry.next_deadline();
            let earlier = after.is_some_and(|after| before.is_none_or(|before| after < before));
            (result, registry.revision(), earlier)
        };
        self.0.revision.send_if_modified(|newest| {
            let news = *newest < revision;
            *newest = revision.max(*newest);
            news
        });
        if earlier {
            self.0.earlier.notify_one();
        }
        result
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

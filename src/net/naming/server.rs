//! The registry behind an object: it takes calls, lets time pass and feeds watchers.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{Stream, stream};
use tokio::{
    sync::{Notify, watch},
    time::{Duration, Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    change_log::{NameChange, NameEvent},
    journal::{Journal, JournalEntry, JournalHandle, PersistFuture, StoredRegistration},
    query::NameQuery,
    record::{Millis, Record, RegisterRequest},
    registry::{Lease, NameRegistry, NamingLimits},
};
use crate::net::{
    rpc::{
        error::{Code, RemoteError},
        object::{Caller, Service},
    },
    trust::key::PublicKey,
};

/// The name that the naming server is exposed and registered under.
pub const NAME: &str = "naming";

/// The most changes or records in one watch event; with the longest of everything it still fits in
/// a frame.
const MAX_PER_EVENT: usize = 100;

/// A naming server without its network: expose [`NamingServer::object`] to serve it.
#[derive(Debug, Clone)]
pub struct NamingServer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    registry: Mutex<NameRegistry>,
    started: Instant,
    /// The newest revision; watchers sleep on it.
    revision: watch::Sender<u64>,
    /// An earlier deadline has come up.
    earlier: Notify,
    /// Where names are kept.
    journal: JournalHandle,
}

impl NamingServer {
    /// An empty naming server that forgets everything when it ends.
    #[must_use]
    pub fn new(limits: NamingLimits) -> Self {
        Self::with(NameRegistry::new(limits), JournalHandle::none())
    }

    /// A naming server that starts with what was kept, and keeps what is registered before its owner
    /// is told. The future does the keeping: it is to be run beside the server, and ends with it.
    pub fn persistent(
        limits: NamingLimits,
        before: Vec<StoredRegistration>,
        journal: Arc<dyn Journal>,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let mut registry = NameRegistry::new(limits);
        for registered in before {
            registry.restore(0, registered);
        }
        let (journal, keeping) = JournalHandle::new(journal);
        (Self::with(registry, journal), keeping)
    }

    fn with(registry: NameRegistry, journal: JournalHandle) -> Self {
        Self(Arc::new(Shared {
            revision: watch::Sender::new(registry.revision()),
            registry: Mutex::new(registry),
            started: Instant::now(),
            earlier: Notify::new(),
            journal,
        }))
    }

    /// Lets leases run out until `stop`; one timer, armed only while there is a lease.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            let due = {
                let mut registry = self.registry();
                self.expire_due(&mut registry, self.now());
                registry.next_deadline()
            };
            self.publish();
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

    /// The naming server as an object, with its methods.
    #[must_use]
    pub fn object(&self) -> Service {
        let this = || self.clone();
        let (register, renew, unregister, lookup, list) = (this(), this(), this(), this(), this());
        let (set, count, watch) = (this(), this(), this());
        Service::new("Finds objects by name")
            .method(
                "register(name: str, uri: str, options: map?) -> map",
                "Registers an object, or replaces the caller's own. Options: tags (list of tags), \
                 lease_ms (15000; 0 is for ever), exclusive.",
                move |caller, (name, uri, options): (String, String, Option<Options>)| {
                    let options = options.unwrap_or_default();
                    let request = RegisterRequest {
                        name,
                        uri,
                        tags: options.tags,
                        lease_ms: options.lease_ms,
                        exclusive: options.exclusive,
                    };
                    register.clone().register_persisted(caller, request)
                },
            )
            .method(
                "renew(name: str, id: int) -> int",
                "Prolongs the caller's lease; NotFound means: register again at once.",
                move |caller, (name, id): (String, u64)| {
                    ready(renew.change(|r, now| r.renew(now, &caller, &name, id)))
                },
            )
            .method(
                "unregister(name: str, all: bool?) -> int",
                "Takes the caller's name back; an admin takes everybody's with all.",
                move |caller, (name, all): (String, Option<bool>)| {
                    let all = all.unwrap_or(false);
                    unregister.clone().unregister_persisted(caller, name, all)
                },
            )
            .method(
                "lookup(name: str) -> list",
                "Everybody who serves a name: URI, key, tags and health, the live ones first.",
                move |_, (name,): (String,)| ready(lookup.registry().lookup(&name)),
            )
            .method(
                "list(query: map?) -> map",
                "A page of records. NameQuery: prefix, regex, tags_all, tags_any, after, limit.",
                move |_, (query,): (Option<NameQuery>,)| {
                    ready(list.registry().list(&query.unwrap_or_default()))
                },
            )
            .method(
                "set_tags(name: str, tags: list) -> int",
                "Replaces the tags of the caller's own registration.",
                move |caller, (name, tags): (String, Vec<String>)| {
                    set.clone().set_tags_persisted(caller, name, tags)
                },
            )
            .method(
                "count() -> int",
                "How many records there are.",
                move |_, []: [(); 0]| ready(Ok(count.registry().count())),
            )
            .method("ping() -> null", "Answers.", |_, []: [(); 0]| ready(Ok(())))
            .stream(
                "watch(from_revision: int?, prefix: str?) -> stream",
                "Every change after a revision, or everything there is and then every change.",
                move |_, (from, prefix): (Option<u64>, Option<String>)| {
                    Ok(watch.follow(from, prefix.unwrap_or_default()))
                },
            )
    }

    /// Registers something from inside the process, such as the naming server itself.
    ///
    /// # Errors
    /// As [`NameRegistry::register`].
    pub fn register(&self, caller: &Caller, request: RegisterRequest) -> Result<(), RemoteError> {
        self.change(|registry, now| registry.register(now, caller, request))
            .map(drop)
    }

    /// Takes back everything that a key has registered, and answers how many records went.
    ///
    /// # Errors
    /// When that cannot be kept; they are gone all the same until the next start.
    pub async fn evict(&self, owner: PublicKey) -> Result<usize, RemoteError> {
        let mut all = 0;
        loop {
            let (gone, keeping) = self.change(|registry, _| {
                let before = registry.revision();
                let gone = registry.evict(owner, MAX_PER_EVENT);
                self.journal_removals(registry, before);
                // Whatever was noted has been kept when this has been.
                let name = String::new();
                let keeping =
                    (gone > 0).then(|| self.0.journal.put(JournalEntry::Removed { name, owner }));
                (gone, keeping)
            });
            let Some(keeping) = keeping else {
                return Ok(all);
            };
            all += gone;
            keeping.done().await?;
        }
    }

    async fn register_persisted(
        self,
        caller: Caller,
        request: RegisterRequest,
    ) -> Result<Lease, RemoteError> {
        let name = request.name.clone();
        let (lease, keeping) = self.change(|registry, now| {
            let lease = registry.register(now, &caller, request)?;
            Ok::<_, RemoteError>((lease, self.put(registry, &name, caller.key)))
        })?;
        if let Err(error) = keeping.done().await {
            // It is not to be there now and gone with the next start.
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
            let why = "the naming server stays listed in itself";
            return Err(RemoteError::new(Code::Denied, why));
        }
        let (taken, keeping) = self.change(|registry, _| {
            let before = registry.revision();
            let taken = registry.unregister(&caller, &name, all)?;
            self.journal_removals(registry, before);
            // Whatever was noted has been kept when this has been.
            let gone = JournalEntry::Removed {
                name: name.clone(),
                owner: caller.key,
            };
            Ok::<_, RemoteError>((taken, self.0.journal.put(gone)))
        })?;
        keeping.done().await?;
        Ok(taken)
    }

    async fn set_tags_persisted(
        self,
        caller: Caller,
        name: String,
        tags: Vec<String>,
    ) -> Result<u64, RemoteError> {
        let (revision, keeping) = self.change(|registry, _| {
            let revision = registry.set_tags(&caller, &name, tags)?;
            Ok::<_, RemoteError>((revision, self.put(registry, &name, caller.key)))
        })?;
        keeping.done().await?;
        Ok(revision)
    }

    fn put(&self, registry: &NameRegistry, name: &str, owner: PublicKey) -> PersistFuture {
        match registry.registered(name, owner) {
            Some(registered) => self.0.journal.put(JournalEntry::Put(registered)),
            None => PersistFuture::nothing(),
        }
    }

    /// Lets leases run out, a bite at a time: the registry remembers only the newest of what has gone.
    fn expire_due(&self, registry: &mut NameRegistry, now: Millis) {
        loop {
            let before = registry.revision();
            let more = registry.advance_some(now, MAX_PER_EVENT);
            self.journal_removals(registry, before);
            if !more {
                return;
            }
        }
    }

    /// What is gone need not be kept any longer.
    fn journal_removals(&self, registry: &NameRegistry, before: u64) {
        if registry.revision() == before {
            return;
        }
        let Some((_, changes)) = registry.since(before, usize::MAX) else {
            return;
        };
        for change in changes {
            if let NameChange::Removed { name, owner, .. } = change {
                self.0.journal.note(JournalEntry::Removed { name, owner });
            }
        }
    }

    /// How many records there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.registry().count()
    }

    fn registry(&self) -> MutexGuard<'_, NameRegistry> {
        // A method never panics half-way through a change, so a poisoned lock is a whole registry.
        self.0
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Millis {
        u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    fn change<T>(&self, change: impl FnOnce(&mut NameRegistry, Millis) -> T) -> T {
        let now = self.now();
        let (result, earlier) = {
            let mut registry = self.registry();
            let before = registry.next_deadline();
            // Time first: a call that arrives after a deadline must not find what is gone.
            self.expire_due(&mut registry, now);
            let revision = registry.revision();
            let result = change(&mut registry, now);
            self.journal_removals(&registry, revision);
            let after = registry.next_deadline();
            (
                result,
                after.is_some_and(|after| before.is_none_or(|before| after < before)),
            )
        };
        self.publish();
        if earlier {
            self.0.earlier.notify_one();
        }
        result
    }

    fn publish(&self) {
        let revision = self.registry().revision();
        self.0.revision.send_if_modified(|newest| {
            let news = *newest != revision;
            *newest = revision;
            news
        });
    }

    /// A watcher pulls: it has no buffer that could overflow, and one that falls too far behind is
    /// given everything anew.
    fn follow(
        &self,
        from: Option<u64>,
        prefix: String,
    ) -> impl Stream<Item = Result<NameEvent, RemoteError>> + Send + use<> {
        let watcher = Watcher {
            naming: self.clone(),
            wake: self.0.revision.subscribe(),
            at: from,
            prefix,
            snapshot: VecDeque::new(),
        };
        stream::unfold(watcher, |mut watcher| async move {
            let event = watcher.next().await?;
            Some((Ok(event), watcher))
        })
    }
}

#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    tags: Vec<String>,
    lease_ms: Option<Millis>,
    exclusive: bool,
}

/// The calls do not wait for anything; their future is ready when it is made.
fn ready<T>(result: Result<T, RemoteError>) -> std::future::Ready<Result<T, RemoteError>> {
    std::future::ready(result)
}

struct Watcher {
    naming: NamingServer,
    wake: watch::Receiver<u64>,
    /// The revision that has been told, or `None` when everything must be told first.
    at: Option<u64>,
    prefix: String,
    /// Parts of a snapshot that are still to be sent.
    snapshot: VecDeque<NameEvent>,
}

impl Watcher {
    async fn next(&mut self) -> Option<NameEvent> {
        loop {
            if let Some(part) = self.snapshot.pop_front() {
                return Some(part);
            }
            self.wake.borrow_and_update();
            let news = self
                .at
                .and_then(|at| self.naming.registry().since(at, MAX_PER_EVENT));
            match news {
                None => self.load_snapshot(),
                Some((_, changes)) if changes.is_empty() => self.wake.changed().await.ok()?,
                Some((revision, mut changes)) => {
                    self.at = Some(revision);
                    changes.retain(|change| change.name().starts_with(&self.prefix));
                    if !changes.is_empty() {
                        return Some(NameEvent::Changes { revision, changes });
                    }
                }
            }
        }
    }

    fn load_snapshot(&mut self) {
        let registry = self.naming.registry();
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
        self.at = Some(revision);
    }
}

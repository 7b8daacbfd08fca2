//! The registry as a pure state machine. Time and callers are arguments; nothing here waits, sends
//! or reads a clock.

use std::{
    collections::{BTreeMap, btree_map},
    ops::Bound,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    change_log::{ChangeLog, NameChange, RemovalReason},
    journal::StoredRegistration,
    query::{CompiledQuery, MAX_PAGE, NamePage, NameQuery, SCAN_LIMIT},
    record::{Health, Millis, Record, RegisterRequest, check_tags},
};
use crate::net::{
    rpc::{
        error::{Code, RemoteError},
        object::Caller,
        wire::Role,
    },
    trust::key::PublicKey,
};

/// How much one registry holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamingLimits {
    /// Records in all.
    pub records: usize,
    /// Servers that share one name.
    pub instances: usize,
}

impl Default for NamingLimits {
    fn default() -> Self {
        Self {
            records: 1_000_000,
            instances: 64,
        }
    }
}

/// The answer to a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Renew with this; a registration that is made anew has another.
    pub id: u64,
    /// Renew well within this time; `None` needs no renewal.
    pub lease_ms: Option<Millis>,
    /// The registry's revision after it.
    pub revision: u64,
}

/// One server under a name.
#[derive(Debug)]
struct Instance {
    id: u64,
    owner: PublicKey,
    uri: Box<str>,
    tags: Box<[Box<str>]>,
    /// The lease, and when it was last renewed.
    lease: Option<(Millis, Millis)>,
    health: Health,
    exclusive: bool,
}

impl Instance {
    /// When two renewals are missed: a server renews at every third of its lease.
    fn suspect_at(&self) -> Option<Millis> {
        self.lease.map(|(lease, renewed)| renewed + lease / 3 * 2)
    }

    fn gone_at(&self) -> Option<Millis> {
        self.lease.map(|(lease, renewed)| renewed + lease)
    }

    /// When to look at it next.
    fn due(&self) -> Option<Millis> {
        match self.health {
            Health::Live => self.suspect_at(),
            Health::Suspect => self.gone_at(),
        }
    }

    fn record(&self, name: &str) -> Record {
        Record {
            name: name.to_owned(),
            uri: self.uri.to_string(),
            owner: self.owner,
            tags: self.tags.iter().map(ToString::to_string).collect(),
            lease_ms: self.lease.map(|(lease, _)| lease),
            health: self.health,
            exclusive: self.exclusive,
        }
    }
}

/// Names, who registered them, and until when.
#[derive(Debug, Default)]
pub struct NameRegistry {
    limits: NamingLimits,
    names: BTreeMap<Arc<str>, Vec<Instance>>,
    /// When to look at which instance next. An instance is in here exactly once while it has a lease.
    due: BTreeMap<(Millis, u64), Arc<str>>,
    changes: ChangeLog,
    last_id: u64,
    count: usize,
}

impl NameRegistry {
    /// An empty registry.
    #[must_use]
    pub fn new(limits: NamingLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Registers an object, or replaces what the same key registered under the name.
    ///
    /// # Errors
    /// [`Code::Exists`] when the name is exclusively somebody else's, or is to be exclusive and is
    /// shared; [`Code::Denied`] for readers; [`Code::Overloaded`] when full.
    pub fn register(
        &mut self,
        now: Millis,
        caller: &Caller,
        request: RegisterRequest,
    ) -> Result<Lease, RemoteError> {
        writer(caller)?;
        let (request, lease) = request.checked()?;
        let others = self
            .names
            .get(&*request.name)
            .into_iter()
            .flatten()
            .filter(|instance| instance.owner != caller.key);
        let mut sharing = 0;
        for other in others {
            sharing += 1;
            if other.exclusive || request.exclusive {
                return Err(RemoteError::new(
                    Code::Exists,
                    format!(
                        "`{}` is registered by key {} already; choose another name",
                        request.name,
                        other.owner.fingerprint()
                    ),
                ));
            }
        }
        if self.count >= self.limits.records || sharing >= self.limits.instances {
            return Err(RemoteError::new(
                Code::Overloaded,
                "the naming server is full; unregister something or try again later",
            ));
        }
        self.last_id += 1;
        let instance = Instance {
            id: self.last_id,
            owner: caller.key,
            uri: request.uri.into(),
            tags: request.tags.into_iter().map(Into::into).collect(),
            lease: lease.map(|lease| (lease, now)),
            health: Health::Live,
            exclusive: request.exclusive,
        };
        let name: Arc<str> = match self.names.get_key_value(&*request.name) {
            Some((name, _)) => Arc::clone(name),
            None => request.name.into(),
        };
        self.remove_where(&name, |instance| instance.owner == caller.key);
        let id = instance.id;
        self.insert(name, instance);
        Ok(Lease {
            id,
            lease_ms: lease,
            revision: self.revision(),
        })
    }

    /// Prolongs a lease by its full length from now.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the registration is gone or was replaced: register again at once.
    pub fn renew(
        &mut self,
        now: Millis,
        caller: &Caller,
        name: &str,
        id: u64,
    ) -> Result<u64, RemoteError> {
        writer(caller)?;
        let found = self
            .names
            .get_key_value(name)
            .map(|(name, _)| Arc::clone(name));
        let instance = self
            .names
            .get_mut(name)
            .into_iter()
            .flatten()
            .find(|instance| instance.id == id && instance.owner == caller.key);
        let (Some(name), Some(instance)) = (found, instance) else {
            return Err(RemoteError::not_found(format!(
                "`{name}` is not registered by this key under that id; register it again"
            )));
        };
        if let Some(due) = instance.due() {
            self.due.remove(&(due, id));
        }
        if let Some((_, renewed)) = &mut instance.lease {
            *renewed = now;
        }
        let back = instance.health == Health::Suspect;
        instance.health = Health::Live;
        if let Some(due) = instance.due() {
            self.due.insert((due, id), Arc::clone(&name));
        }
        if back {
            let record = instance.record(&name);
            self.changes.push(NameChange::Put(record));
        }
        Ok(self.revision())
    }

    /// Takes a name back: the caller's own registration, or everybody's when an admin asks with
    /// `all`. Answers how many records went.
    ///
    /// # Errors
    /// [`Code::NotFound`] when there is nothing to take; [`Code::Denied`] when it is not the
    /// caller's.
    pub fn unregister(
        &mut self,
        caller: &Caller,
        name: &str,
        all: bool,
    ) -> Result<usize, RemoteError> {
        writer(caller)?;
        if all && caller.role != Role::Admin {
            return Err(RemoteError::new(
                Code::Denied,
                "only an admin removes the names of others",
            ));
        }
        let Some((key, instances)) = self.names.get_key_value(name) else {
            return Err(unknown(name));
        };
        if !all && instances.iter().all(|i| i.owner != caller.key) {
            return Err(RemoteError::new(
                Code::Denied,
                format!(
                    "`{name}` is registered by another key; only its owner or an admin removes it"
                ),
            ));
        }
        let key = Arc::clone(key);
        let taken = self.remove_where(&key, |i| all || i.owner == caller.key);
        for instance in &taken {
            self.changes.push(NameChange::Removed {
                name: name.to_owned(),
                owner: instance.owner,
                reason: RemovalReason::Unregistered,
            });
        }
        Ok(taken.len())
    }

    /// Takes back what a key has registered, at most so many names; answers how many went. It looks at
    /// every name, and is for the rare case that a key is thrown out.
    pub fn evict(&mut self, owner: PublicKey, most: usize) -> usize {
        let owned = |instances: &Vec<Instance>| instances.iter().any(|i| i.owner == owner);
        let names: Vec<_> = self
            .names
            .iter()
            .filter(|(_, instances)| owned(instances))
            .map(|(name, _)| Arc::clone(name))
            .take(most)
            .collect();
        for name in &names {
            self.remove_where(name, |instance| instance.owner == owner);
            self.changes.push(NameChange::Removed {
                name: name.to_string(),
                owner,
                reason: RemovalReason::Unregistered,
            });
        }
        names.len()
    }

    /// Everybody who serves a name, the live ones first.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub fn lookup(&self, name: &str) -> Result<Vec<Record>, RemoteError> {
        let instances = self.names.get(name).ok_or_else(|| unknown(name))?;
        let of = |health| {
            instances
                .iter()
                .filter(move |i| i.health == health)
                .map(|i| i.record(name))
        };
        Ok(of(Health::Live).chain(of(Health::Suspect)).collect())
    }

    /// Records that match, in the order of their names; a name's records are never torn over pages.
    ///
    /// # Errors
    /// [`Code::BadArguments`] for a pattern that cannot be used.
    pub fn list(&self, query: &NameQuery) -> Result<NamePage, RemoteError> {
        let filter = CompiledQuery::new(query)?;
        let limit = query.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
        let prefix = query.prefix.as_deref().unwrap_or_default();
        let from = match query.after.as_deref() {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let mut page = NamePage {
            records: Vec::new(),
            next: None,
            revision: self.revision(),
        };
        let names = self
            .names
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix));
        let mut last: Option<&Arc<str>> = None;
        for (looked, (name, instances)) in names.enumerate() {
            if looked >= SCAN_LIMIT || page.records.len() >= limit {
                page.next = last.map(ToString::to_string);
                break;
            }
            if filter.name(name) {
                let matching = instances.iter().filter(|i| filter.tags(&i.tags));
                page.records.extend(matching.map(|i| i.record(name)));
            }
            last = Some(name);
        }
        Ok(page)
    }

    /// Replaces the tags of the caller's own registration.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the caller has none under this name.
    pub fn set_tags(
        &mut self,
        caller: &Caller,
        name: &str,
        tags: Vec<String>,
    ) -> Result<u64, RemoteError> {
        writer(caller)?;
        let tags = check_tags(tags)?;
        let instance = self
            .names
            .get_mut(name)
            .into_iter()
            .flatten()
            .find(|instance| instance.owner == caller.key)
            .ok_or_else(|| {
                RemoteError::not_found(format!("this key has not registered `{name}`"))
            })?;
        instance.tags = tags.into_iter().map(Into::into).collect();
        let record = instance.record(name);
        self.changes.push(NameChange::Put(record));
        Ok(self.revision())
    }

    /// Takes up a registration that was kept. Until its owner renews it, it is suspect; one for ever
    /// is as it was.
    pub fn restore(&mut self, now: Millis, kept: StoredRegistration) {
        let StoredRegistration { id, record } = kept;
        self.last_id = self.last_id.max(id);
        let instance = Instance {
            id,
            owner: record.owner,
            uri: record.uri.into(),
            tags: record.tags.into_iter().map(Into::into).collect(),
            lease: record.lease_ms.map(|lease| (lease, now)),
            health: match record.lease_ms {
                Some(_) => Health::Suspect,
                None => Health::Live,
            },
            exclusive: record.exclusive,
        };
        self.insert(record.name.into(), instance);
    }

    /// A key's own registration under a name, to be kept.
    #[must_use]
    pub fn registered(&self, name: &str, owner: PublicKey) -> Option<StoredRegistration> {
        let mut instances = self.names.get(name)?.iter();
        let instance = instances.find(|instance| instance.owner == owner)?;
        Some(StoredRegistration {
            id: instance.id,
            record: instance.record(name),
        })
    }

    /// How many records there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The number of changes so far.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.changes.revision()
    }

    /// Up to `limit` changes after `revision` and the revision they lead to; `None` when they are no
    /// longer kept, and a watcher must start from a listing.
    #[must_use]
    pub fn since(&self, revision: u64, limit: usize) -> Option<(u64, Vec<NameChange>)> {
        self.changes.since(revision, limit)
    }

    /// Lets time pass: marks the suspect and drops the gone.
    pub fn advance(&mut self, now: Millis) {
        while self.advance_some(now, usize::MAX) {}
    }

    /// The same for so many of them at most; answers whether there may be more.
    pub(super) fn advance_some(&mut self, now: Millis, most: usize) -> bool {
        for _ in 0..most {
            let Some(first) = self.due.first_entry().filter(|due| due.key().0 <= now) else {
                return false;
            };
            let ((_, id), name) = first.remove_entry();
            self.check_lease(now, &name, id);
        }
        true
    }

    /// When [`NameRegistry::advance`] next has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        self.due.first_key_value().map(|((due, _), _)| *due)
    }

    fn check_lease(&mut self, now: Millis, name: &Arc<str>, id: u64) {
        let mut instances = self.names.get_mut(name).into_iter().flatten();
        let Some(instance) = instances.find(|instance| instance.id == id) else {
            return;
        };
        if instance.gone_at().is_some_and(|gone| gone <= now) {
            let owner = instance.owner;
            self.remove_where(name, |instance| instance.id == id);
            self.changes.push(NameChange::Removed {
                name: name.to_string(),
                owner,
                reason: RemovalReason::Expired,
            });
            return;
        }
        instance.health = Health::Suspect;
        let record = instance.record(name);
        if let Some(gone) = instance.gone_at() {
            self.due.insert((gone, id), Arc::clone(name));
        }
        self.changes.push(NameChange::Put(record));
    }

    fn insert(&mut self, name: Arc<str>, instance: Instance) {
        if let Some(due) = instance.due() {
            self.due.insert((due, instance.id), Arc::clone(&name));
        }
        self.changes.push(NameChange::Put(instance.record(&name)));
        self.count += 1;
        match self.names.entry(name) {
            // Almost every name has one server; room for a second is made when it comes.
            btree_map::Entry::Vacant(entry) => drop(entry.insert(vec![instance])),
            btree_map::Entry::Occupied(mut entry) => entry.get_mut().push(instance),
        }
    }

    /// Removes the matching instances of a name, and the name with its last one.
    fn remove_where(&mut self, name: &Arc<str>, goes: impl Fn(&Instance) -> bool) -> Vec<Instance> {
        let Some(instances) = self.names.get_mut(name) else {
            return Vec::new();
        };
        let taken: Vec<_> = instances
            .extract_if(.., |instance| goes(instance))
            .collect();
        if instances.is_empty() {
            self.names.remove(name);
        }
        for instance in &taken {
            if let Some(due) = instance.due() {
                self.due.remove(&(due, instance.id));
            }
        }
        self.count -= taken.len();
        taken
    }
}

fn writer(caller: &Caller) -> Result<(), RemoteError> {
    match caller.role {
        Role::Member | Role::Admin => Ok(()),
        Role::Read => Err(RemoteError::new(
            Code::Denied,
            "this key may only read; ask for a member ticket",
        )),
    }
}

fn unknown(name: &str) -> RemoteError {
    let end = name.floor_char_boundary(80);
    let name = name.get(..end).unwrap_or_default().escape_debug();
    RemoteError::not_found(format!("nothing is registered under `{name}`"))
}

#[cfg(test)]
mod tests;

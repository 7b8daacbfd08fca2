//! The registry as a pure state machine: time and callers are arguments; nothing here waits, sends or reads
//! a clock.

mod eviction;
mod expiry;
mod instance;
mod listing;
mod sharing;
mod snapshot;
mod undo;
mod usage;

use std::{
    collections::{BTreeMap, HashMap, btree_map},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    change_log::{ChangeLog, NameChange, RemovalReason},
    journal::{JournalEntry, StoredRegistration},
    record::{Health, Millis, Record, RegisterRequest, check_tags},
};
use crate::{
    net::{
        rpc::{
            error::{Code, RemoteError},
            object::Caller,
        },
        trust::{principal::Principal, role::Role},
    },
    value::excerpt,
};

/// Limit of owners that share one name: its records fit in one frame together.
pub const MAX_INSTANCES: usize = 64;

/// Limits of one registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamingLimits {
    /// Limit of records.
    pub records: usize,
    /// Limit of the bytes of all records.
    pub bytes: usize,
    /// Limit of the records of one key; admins have no such limit.
    pub names_per_key: usize,
    /// Limit of the bytes in the records of one key; admins have no such limit.
    pub bytes_per_key: usize,
    /// Limit of owners that share one name, at most [`MAX_INSTANCES`].
    pub instances: usize,
}

impl NamingLimits {
    /// The limits of a naming server by default.
    pub const DEFAULT: Self = Self {
        records: 1_000_000,
        bytes: 512 << 20,
        names_per_key: 100_000,
        bytes_per_key: 64 << 20,
        instances: MAX_INSTANCES,
    };
}

impl Default for NamingLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The lease of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The id to renew it with; registering again gives another one.
    pub id: u64,
    /// The time within which to renew it; `None` needs no renewal.
    pub lease_ms: Option<Millis>,
    /// The registry's revision after the registration.
    pub revision: u64,
}

pub use self::eviction::Eviction;
use self::instance::Instance;
pub use self::usage::NameUsage;
use self::usage::Usages;
pub(super) use self::{listing::PageScan, snapshot::SnapshotScan, undo::Undo};

/// Registered names with their owners and leases.
#[derive(Debug, Default)]
pub struct NameRegistry {
    limits: NamingLimits,
    /// The instances of each name in the order of their owners.
    names: BTreeMap<Arc<str>, Vec<Instance>>,
    /// The instances by the time of their next state change; each one with a lease is in here once.
    due: BTreeMap<(Millis, u64), Arc<str>>,
    changes: ChangeLog,
    last_id: u64,
    usages: Usages,
    /// The names of the node's services, with their owner.
    reserved: HashMap<Box<str>, Principal>,
}

impl NameRegistry {
    /// Creates an empty registry.
    #[must_use]
    pub fn new(limits: NamingLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Registers an object, or replaces that of the same principal under the name.
    ///
    /// # Errors
    /// [`Code::Exists`] when another owner has the name and does not share it, or the request does not;
    /// [`Code::Denied`] for readers; [`Code::QuotaExceeded`] and [`Code::Overloaded`] at a limit.
    pub fn register(
        &mut self,
        now: Millis,
        caller: &Caller,
        request: RegisterRequest,
    ) -> Result<Lease, RemoteError> {
        let (lease, _undo) = self.register_undoable(now, caller, request)?;
        Ok(lease)
    }

    /// Like [`NameRegistry::register`]; the second value restores the state before it.
    pub(super) fn register_undoable(
        &mut self,
        now: Millis,
        caller: &Caller,
        request: RegisterRequest,
    ) -> Result<(Lease, Undo), RemoteError> {
        caller.require_role(Role::Member)?;
        let (request, lease) = request.validate()?;
        let instances = self.names.get(&*request.name).map(Vec::as_slice);
        let instances = instances.unwrap_or_default();
        let own = instances.iter().find(|i| i.owner == caller.principal);
        let share = self.consent(caller, &request, own)?;
        let sharing = instances.len() - usize::from(own.is_some());
        if sharing >= self.limits.instances.min(MAX_INSTANCES) {
            return Err(RemoteError::new(
                Code::Overloaded,
                format!(
                    "`{}` has {sharing} servers, the limit of one name",
                    request.name
                ),
            ));
        }
        let id = self.last_id + 1;
        let instance = Instance {
            id,
            owner: caller.principal,
            uri: request.uri,
            tags: request.tags.into_iter().map(Into::into).collect(),
            lease: lease.map(|lease| (lease, now)),
            health: Health::Live,
            since: own.map_or(id, |own| own.since),
            share,
        };
        let own = own.map(|own| own.encoded_len(&request.name));
        let bytes = instance.encoded_len(&request.name);
        self.usages.check(&self.limits, caller, bytes, own)?;
        self.last_id += 1;
        let name: Arc<str> = match self.names.get_key_value(&*request.name) {
            Some((name, _)) => Arc::clone(name),
            None => request.name.into(),
        };
        let mut replaced = self.remove_unshared(&name, caller.principal, share);
        replaced.extend(self.remove_where(&name, |i| i.owner == caller.principal));
        let undo = Undo::new(&name, &instance, replaced);
        let lease = Lease {
            id,
            lease_ms: lease,
            revision: self.revision() + 1,
        };
        self.insert(name, instance);
        Ok((lease, undo))
    }

    /// Renews a lease for its full length from now; returns the revision.
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
        caller.require_role(Role::Member)?;
        let found = self
            .names
            .get_key_value(name)
            .map(|(name, _)| Arc::clone(name));
        let instance = self
            .names
            .get_mut(name)
            .into_iter()
            .flatten()
            .find(|instance| instance.id == id && instance.owner == caller.principal);
        let (Some(name), Some(instance)) = (found, instance) else {
            return Err(RemoteError::not_found(format!(
                "`{name}` is not registered by the caller under that id; register it again"
            )));
        };
        if let Some(due) = instance.due() {
            self.due.remove(&(due, id));
        }
        if let Some((_, renewed)) = &mut instance.lease {
            *renewed = now;
        }
        let was_suspect = instance.health == Health::Suspect;
        instance.health = Health::Live;
        if let Some(due) = instance.due() {
            self.due.insert((due, id), Arc::clone(&name));
        }
        if was_suspect {
            let record = instance.record(&name);
            self.changes.push(NameChange::Put(record));
        }
        Ok(self.revision())
    }

    /// Removes the caller's registration of a name, or with `all`, as admin, everybody's. Returns the number
    /// of removed records.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the name is not registered; [`Code::Denied`] when it is not the caller's.
    pub fn unregister(
        &mut self,
        caller: &Caller,
        name: &str,
        all: bool,
    ) -> Result<usize, RemoteError> {
        caller.require_role(Role::Member)?;
        if all && caller.role != Role::Admin {
            return Err(RemoteError::new(
                Code::Denied,
                "only an admin can remove the names of others",
            ));
        }
        let Some((key, instances)) = self.names.get_key_value(name) else {
            return Err(unknown(name));
        };
        if !all && instances.iter().all(|i| i.owner != caller.principal) {
            return Err(RemoteError::new(
                Code::Denied,
                format!(
                    "`{name}` is registered by another owner; only its owner or an admin can remove it"
                ),
            ));
        }
        let key = Arc::clone(key);
        let removed = self.remove_where(&key, |i| all || i.owner == caller.principal);
        for instance in &removed {
            self.changes.push(NameChange::Removed {
                name: name.to_owned(),
                owner: instance.owner,
                reason: RemovalReason::Unregistered,
            });
        }
        Ok(removed.len())
    }

    /// Returns every registration of a name, the live ones first.
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

    /// Replaces the tags of the caller's registration; returns the revision.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the caller has not registered this name; [`Code::QuotaExceeded`] and
    /// [`Code::Overloaded`] at a limit.
    pub fn set_tags(
        &mut self,
        caller: &Caller,
        name: &str,
        tags: Vec<String>,
    ) -> Result<u64, RemoteError> {
        let _undo = self.set_tags_undoable(caller, name, tags)?;
        Ok(self.revision())
    }

    /// Like [`NameRegistry::set_tags`]; the value restores the state before it.
    pub(super) fn set_tags_undoable(
        &mut self,
        caller: &Caller,
        name: &str,
        tags: Vec<String>,
    ) -> Result<Undo, RemoteError> {
        caller.require_role(Role::Member)?;
        let tags = check_tags(tags)?;
        let Some((name, before)) = self.own_instance(caller, name) else {
            let message = format!("your key has not registered `{}`", excerpt(name));
            return Err(RemoteError::not_found(message));
        };
        let mut after = before.clone();
        after.tags = tags.into_iter().map(Into::into).collect();
        let (bytes, replaced) = (after.encoded_len(&name), before.encoded_len(&name));
        self.usages
            .check(&self.limits, caller, bytes, Some(replaced))?;
        let undo = Undo::new(&name, &after, vec![before]);
        self.remove_where(&name, |instance| instance.owner == caller.principal);
        self.insert(name, after);
        Ok(undo)
    }

    /// Restores a stored registration. It is suspect until its owner renews it, unless it needs no renewal.
    pub fn restore(&mut self, now: Millis, stored: StoredRegistration) {
        let StoredRegistration { id, since, record } = stored;
        self.last_id = self.last_id.max(id);
        let instance = Instance {
            id,
            owner: record.owner,
            uri: record.uri,
            tags: record.tags.into_iter().map(Into::into).collect(),
            lease: record.lease_ms.map(|lease| (lease, now)),
            health: match record.lease_ms {
                Some(_) => Health::Suspect,
                None => Health::Live,
            },
            since,
            share: record.share,
        };
        self.insert(record.name.into(), instance);
    }

    /// Returns a principal's registration of a name, to be stored.
    #[must_use]
    pub fn registered(&self, name: &str, owner: Principal) -> Option<StoredRegistration> {
        let mut instances = self.names.get(name)?.iter();
        let instance = instances.find(|instance| instance.owner == owner)?;
        Some(StoredRegistration {
            id: instance.id,
            since: instance.since,
            record: instance.record(name),
        })
    }

    /// Returns the number of records.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.usages.total().names
    }

    /// Returns the registrations of one owner in numbers.
    #[must_use]
    pub fn usage(&self, owner: Principal) -> NameUsage {
        self.usages.of(owner)
    }

    /// Returns all registrations in numbers.
    #[must_use]
    pub const fn total_usage(&self) -> NameUsage {
        self.usages.total()
    }

    /// Returns the limits.
    #[must_use]
    pub const fn limits(&self) -> &NamingLimits {
        &self.limits
    }

    /// Returns the number of changes so far.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.changes.revision()
    }

    /// Returns up to `limit` changes after `revision` and the revision that they lead to; `None` when they
    /// are no longer held, and a watcher must start again with a snapshot.
    #[must_use]
    pub fn since(&self, revision: u64, limit: usize) -> Option<(u64, Vec<NameChange>)> {
        self.changes.since(revision, limit)
    }

    /// Like [`NameRegistry::since`], but only changes of matching names, and as many as fit in one event.
    pub(super) fn since_matching(
        &self,
        revision: u64,
        matches: impl Fn(&str) -> bool,
    ) -> Option<(u64, Vec<NameChange>)> {
        self.changes.since_matching(revision, matches)
    }

    /// Returns the entries that store the changes after a revision, of which the newest are held.
    pub(super) fn journal_entries(&self, revision: u64) -> impl Iterator<Item = JournalEntry> {
        self.changes
            .held_after(revision)
            .filter_map(|change| match change {
                NameChange::Put(record) => {
                    let stored = self.registered(&record.name, record.owner)?;
                    Some(JournalEntry::Put(stored))
                }
                NameChange::Removed { name, owner, .. } => Some(JournalEntry::Removed {
                    name: name.clone(),
                    owner: *owner,
                }),
            })
    }

    /// Returns a copy of the caller's registration of a name.
    fn own_instance(&self, caller: &Caller, name: &str) -> Option<(Arc<str>, Instance)> {
        let (name, instances) = self.names.get_key_value(name)?;
        let own = instances.iter().find(|i| i.owner == caller.principal)?;
        Some((Arc::clone(name), own.clone()))
    }

    fn insert(&mut self, name: Arc<str>, instance: Instance) {
        if let Some(due) = instance.due() {
            self.due.insert((due, instance.id), Arc::clone(&name));
        }
        self.changes.push(NameChange::Put(instance.record(&name)));
        self.usages.add(instance.owner, instance.encoded_len(&name));
        match self.names.entry(name) {
            // Almost every name has one owner.
            btree_map::Entry::Vacant(entry) => drop(entry.insert(vec![instance])),
            btree_map::Entry::Occupied(mut entry) => {
                let instances = entry.get_mut();
                let at = instances.partition_point(|other| other.owner < instance.owner);
                instances.insert(at, instance);
            }
        }
    }

    /// Removes the matching instances of a name, and the name with its last one.
    fn remove_where(
        &mut self,
        name: &Arc<str>,
        matches: impl Fn(&Instance) -> bool,
    ) -> Vec<Instance> {
        let Some(instances) = self.names.get_mut(name) else {
            return Vec::new();
        };
        let removed: Vec<_> = instances
            .extract_if(.., |instance| matches(instance))
            .collect();
        if instances.is_empty() {
            self.names.remove(name);
        }
        for instance in &removed {
            if let Some(due) = instance.due() {
                self.due.remove(&(due, instance.id));
            }
            self.usages
                .remove(instance.owner, instance.encoded_len(name));
        }
        removed
    }
}

fn unknown(name: &str) -> RemoteError {
    RemoteError::not_found(format!("nothing is registered under `{}`", excerpt(name)))
}

#[cfg(test)]
mod tests;

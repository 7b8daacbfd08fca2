//! The registry as a pure state machine: time and callers are arguments; nothing here waits, sends or reads
//! a clock.

mod eviction;
mod expiry;
mod instance;
mod listing;

use std::{
    collections::{BTreeMap, btree_map},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    change_log::{ChangeLog, NameChange, RemovalReason},
    journal::StoredRegistration,
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
    /// Limit of owners that share one name, at most [`MAX_INSTANCES`].
    pub instances: usize,
}

impl Default for NamingLimits {
    fn default() -> Self {
        Self {
            records: 1_000_000,
            instances: MAX_INSTANCES,
        }
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
pub(super) use self::listing::PageScan;

/// Registered names with their owners and leases.
#[derive(Debug, Default)]
pub struct NameRegistry {
    limits: NamingLimits,
    names: BTreeMap<Arc<str>, Vec<Instance>>,
    /// The instances by the time of their next state change; each one with a lease is in here once.
    due: BTreeMap<(Millis, u64), Arc<str>>,
    changes: ChangeLog,
    last_id: u64,
    count: usize,
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
    /// [`Code::Exists`] when another owner has the name exclusively, or has it and the request is
    /// exclusive; [`Code::Denied`] for readers; [`Code::Overloaded`] at a limit.
    pub fn register(
        &mut self,
        now: Millis,
        caller: &Caller,
        request: RegisterRequest,
    ) -> Result<Lease, RemoteError> {
        caller.require_role(Role::Member)?;
        let (request, lease) = request.validate()?;
        let others = self
            .names
            .get(&*request.name)
            .into_iter()
            .flatten()
            .filter(|instance| instance.owner != caller.principal);
        let mut sharing = 0;
        for other in others {
            sharing += 1;
            if other.exclusive || request.exclusive {
                return Err(RemoteError::new(
                    Code::Exists,
                    format!(
                        "`{}` is already registered by {}; choose another name",
                        request.name,
                        other.owner.fingerprint()
                    ),
                ));
            }
        }
        if self.count >= self.limits.records || sharing >= self.limits.instances.min(MAX_INSTANCES)
        {
            return Err(RemoteError::new(
                Code::Overloaded,
                "the naming server is at its limit; unregister something or try again later",
            ));
        }
        self.last_id += 1;
        let instance = Instance {
            id: self.last_id,
            owner: caller.principal,
            uri: request.uri,
            tags: request.tags.into_iter().map(Into::into).collect(),
            lease: lease.map(|lease| (lease, now)),
            health: Health::Live,
            exclusive: request.exclusive,
        };
        let name: Arc<str> = match self.names.get_key_value(&*request.name) {
            Some((name, _)) => Arc::clone(name),
            None => request.name.into(),
        };
        self.remove_where(&name, |instance| instance.owner == caller.principal);
        let id = instance.id;
        self.insert(name, instance);
        Ok(Lease {
            id,
            lease_ms: lease,
            revision: self.revision(),
        })
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
    /// [`Code::NotFound`] when the caller has not registered this name.
    pub fn set_tags(
        &mut self,
        caller: &Caller,
        name: &str,
        tags: Vec<String>,
    ) -> Result<u64, RemoteError> {
        caller.require_role(Role::Member)?;
        let tags = check_tags(tags)?;
        let instance = self
            .names
            .get_mut(name)
            .into_iter()
            .flatten()
            .find(|instance| instance.owner == caller.principal)
            .ok_or_else(|| {
                RemoteError::not_found(format!("the caller has not registered `{name}`"))
            })?;
        instance.tags = tags.into_iter().map(Into::into).collect();
        let record = instance.record(name);
        self.changes.push(NameChange::Put(record));
        Ok(self.revision())
    }

    /// Restores a stored registration. It is suspect until its owner renews it, unless it needs no renewal.
    pub fn restore(&mut self, now: Millis, stored: StoredRegistration) {
        let StoredRegistration { id, record } = stored;
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
            exclusive: record.exclusive,
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
            record: instance.record(name),
        })
    }

    /// Returns the number of records.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
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

    /// Returns the removals after a revision that are still held.
    pub(super) fn removals_after(
        &self,
        revision: u64,
    ) -> impl Iterator<Item = (&String, Principal)> {
        self.changes.removals_after(revision)
    }

    fn insert(&mut self, name: Arc<str>, instance: Instance) {
        if let Some(due) = instance.due() {
            self.due.insert((due, instance.id), Arc::clone(&name));
        }
        self.changes.push(NameChange::Put(instance.record(&name)));
        self.count += 1;
        match self.names.entry(name) {
            // Almost every name has one owner.
            btree_map::Entry::Vacant(entry) => drop(entry.insert(vec![instance])),
            btree_map::Entry::Occupied(mut entry) => entry.get_mut().push(instance),
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
        }
        self.count -= removed.len();
        removed
    }
}

fn unknown(name: &str) -> RemoteError {
    RemoteError::not_found(format!("nothing is registered under `{}`", excerpt(name)))
}

#[cfg(test)]
mod tests;

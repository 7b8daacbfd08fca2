//! Undoing a change that could not be stored.

use std::sync::Arc;

use super::{NameRegistry, instance::Instance};
use crate::net::{
    naming::change_log::{NameChange, RemovalReason},
    trust::principal::Principal,
};

/// The state before a change of one registration.
#[derive(Debug)]
pub(in crate::net::naming) struct Undo {
    name: Arc<str>,
    owner: Principal,
    /// The id of the registration after the change.
    id: u64,
    /// The registrations that the change replaced or removed.
    before: Vec<Instance>,
}

impl Undo {
    pub(super) fn new(name: &Arc<str>, after: &Instance, before: Vec<Instance>) -> Self {
        Self {
            name: Arc::clone(name),
            owner: after.owner,
            id: after.id,
            before,
        }
    }
}

impl NameRegistry {
    /// Restores the state before a change: what was acknowledged before it is still registered. Does nothing
    /// if the registration has been removed since.
    pub(in crate::net::naming) fn undo(&mut self, undo: Undo) {
        let Undo {
            name,
            owner,
            id,
            before,
        } = undo;
        let current = self.remove_where(&name, |i| i.owner == owner && i.id == id);
        let Some(current) = current.into_iter().next() else {
            return;
        };
        if before.iter().all(|instance| instance.owner != owner) {
            self.changes.push(NameChange::Removed {
                name: name.to_string(),
                owner,
                reason: RemovalReason::Unregistered,
            });
        }
        for mut instance in before {
            if instance.id == current.id {
                // It may have been renewed meanwhile.
                instance.lease = current.lease;
                instance.health = current.health;
            }
            // Another owner may have registered again meanwhile.
            let instances = self.names.get(&name).into_iter().flatten();
            if instances.into_iter().all(|i| i.owner != instance.owner) {
                self.insert(Arc::clone(&name), instance);
            }
        }
    }
}

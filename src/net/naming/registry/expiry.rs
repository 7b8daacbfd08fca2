//! The passing of time: leases become suspect, then expire.

use std::sync::Arc;

use super::NameRegistry;
use crate::net::naming::{
    change_log::{NameChange, RemovalReason},
    record::{Health, Millis},
};

impl NameRegistry {
    /// Advances the time: marks suspect records and removes expired ones.
    pub fn advance(&mut self, now: Millis) {
        while self.advance_some(now, usize::MAX) {}
    }

    /// Like [`NameRegistry::advance`], for at most `limit` records; reports whether there may be more.
    pub(in crate::net::naming) fn advance_some(&mut self, now: Millis, limit: usize) -> bool {
        for _ in 0..limit {
            let Some(first) = self.due.first_entry().filter(|due| due.key().0 <= now) else {
                return false;
            };
            let ((_, id), name) = first.remove_entry();
            self.check_lease(now, &name, id);
        }
        true
    }

    /// Reports whether the state of a record has to change by now.
    pub(in crate::net::naming) fn is_due(&self, now: Millis) -> bool {
        self.next_deadline().is_some_and(|due| due <= now)
    }

    /// Returns the time of the next state change of a record.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        self.due.first_key_value().map(|((due, _), _)| *due)
    }

    fn check_lease(&mut self, now: Millis, name: &Arc<str>, id: u64) {
        let mut instances = self.names.get_mut(name).into_iter().flatten();
        let Some(instance) = instances.find(|instance| instance.id == id) else {
            return;
        };
        if instance.expires_at().is_some_and(|at| at <= now) {
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
        if let Some(expires_at) = instance.expires_at() {
            self.due.insert((expires_at, id), Arc::clone(name));
        }
        self.changes.push(NameChange::Put(record));
    }
}

//! The removal of everything that one principal has registered.

use std::{
    ops::{Bound, ControlFlow},
    sync::Arc,
};

use super::NameRegistry;
use crate::net::{
    naming::change_log::{NameChange, RemovalReason},
    trust::principal::Principal,
};

/// Limit of names in one step.
const STEP: usize = 256;

/// The progress of an eviction: one pass over all names, in steps.
#[derive(Debug)]
pub struct Eviction {
    owner: Principal,
    /// The newest registration at the beginning. The owner may come back and register again meanwhile.
    up_to: u64,
    /// The last name that was scanned.
    last: Option<Arc<str>>,
    removed: usize,
}

impl Eviction {
    /// Returns the principal whose registrations are removed.
    #[must_use]
    pub const fn owner(&self) -> Principal {
        self.owner
    }

    /// Returns the id of the newest registration that is removed.
    #[must_use]
    pub const fn up_to(&self) -> u64 {
        self.up_to
    }

    /// Returns the number of records removed so far.
    #[must_use]
    pub const fn removed(&self) -> usize {
        self.removed
    }
}

impl NameRegistry {
    /// Begins the removal of a principal's registrations.
    #[must_use]
    pub const fn begin_eviction(&self, owner: Principal) -> Eviction {
        Eviction {
            owner,
            up_to: self.last_id,
            last: None,
            removed: 0,
        }
    }

    /// Scans some more names and removes the principal's registrations among them; breaks at the end.
    pub fn evict(&mut self, eviction: &mut Eviction) -> ControlFlow<()> {
        let from = match eviction.last.as_deref() {
            Some(last) => Bound::Excluded(last),
            None => Bound::Unbounded,
        };
        let names = self.names.range::<str, _>((from, Bound::Unbounded));
        let names: Vec<Arc<str>> = names.map(|(name, _)| Arc::clone(name)).take(STEP).collect();
        for name in &names {
            let removed = self.remove_where(name, |instance| {
                instance.owner == eviction.owner && instance.id <= eviction.up_to
            });
            for instance in &removed {
                self.changes.push(NameChange::Removed {
                    name: name.to_string(),
                    owner: instance.owner,
                    reason: RemovalReason::Unregistered,
                });
            }
            eviction.removed += removed.len();
        }
        let more = names.len() == STEP;
        eviction.last = names.into_iter().next_back();
        match more {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }
}

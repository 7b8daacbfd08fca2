//! Who may connect, and what each may do.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use super::{key::PublicKey, wire::Role};

/// Who may connect, and what each may do. Unknown keys are turned away before they can ask anything.
#[derive(Debug, Default)]
pub struct Members(RwLock<HashMap<PublicKey, Role>>);

impl Members {
    /// Only the process itself, as admin.
    #[must_use]
    pub fn only(own: PublicKey) -> Self {
        let members = Self::default();
        members.admit(own, Role::Admin);
        members
    }

    /// Lets a key in, or changes what it may do.
    pub fn admit(&self, key: PublicKey, role: Role) {
        let mut members = self.0.write().unwrap_or_else(PoisonError::into_inner);
        members.insert(key, role);
    }

    pub(super) fn role(&self, key: &PublicKey) -> Option<Role> {
        let members = self.0.read().unwrap_or_else(PoisonError::into_inner);
        members.get(key).copied()
    }
}

//! The names and bytes that each owner has registered, and their quotas.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::NamingLimits;
use crate::net::{
    rpc::{
        error::{Code, RemoteError},
        object::Caller,
    },
    trust::{principal::Principal, role::Role},
};

/// The registrations of one owner, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameUsage {
    /// Number of registrations.
    pub names: usize,
    /// Their bytes: names, URIs, tags and a fixed size for the rest.
    pub bytes: usize,
}

impl NameUsage {
    const fn add(&mut self, bytes: usize) {
        self.names += 1;
        self.bytes += bytes;
    }

    const fn remove(&mut self, bytes: usize) {
        self.names = self.names.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// The usage of every owner.
#[derive(Debug, Default)]
pub(super) struct Usages {
    by_owner: HashMap<Principal, NameUsage>,
    total: NameUsage,
}

impl Usages {
    pub(super) fn of(&self, owner: Principal) -> NameUsage {
        self.by_owner.get(&owner).copied().unwrap_or_default()
    }

    pub(super) const fn total(&self) -> NameUsage {
        self.total
    }

    pub(super) fn add(&mut self, owner: Principal, bytes: usize) {
        self.by_owner.entry(owner).or_default().add(bytes);
        self.total.add(bytes);
    }

    pub(super) fn remove(&mut self, owner: Principal, bytes: usize) {
        self.total.remove(bytes);
        if let Some(usage) = self.by_owner.get_mut(&owner) {
            usage.remove(bytes);
            if usage.names == 0 {
                self.by_owner.remove(&owner);
            }
        }
    }

    /// Checks that a caller may have one registration of `bytes`, in place of one of `replaced` bytes. The
    /// quotas of a key do not apply to admins, who can remove the names of others anyway.
    ///
    /// # Errors
    /// [`Code::QuotaExceeded`] or [`Code::Overloaded`] with the name of the limit.
    pub(super) fn check(
        &self,
        limits: &NamingLimits,
        caller: &Caller,
        bytes: usize,
        replaced: Option<usize>,
    ) -> Result<(), RemoteError> {
        let with = |mut usage: NameUsage| {
            if let Some(replaced) = replaced {
                usage.remove(replaced);
            }
            usage.add(bytes);
            usage
        };
        // What is not larger than before is accepted also where a limit was lowered.
        if replaced.is_some_and(|replaced| bytes <= replaced) {
            return Ok(());
        }
        let NamingLimits {
            names_per_key,
            bytes_per_key,
            ..
        } = limits;
        let own = with(self.of(caller.principal));
        let exceeded = |message| Err(RemoteError::new(Code::QuotaExceeded, message));
        if caller.role < Role::Admin {
            if own.names > *names_per_key {
                return exceeded(format!(
                    "the quota names-per-key is used up: {names_per_key} names of one key; unregister some"
                ));
            }
            if own.bytes > *bytes_per_key {
                return exceeded(format!(
                    "the quota name-bytes-per-key is used up: {bytes_per_key} bytes in names, URIs and tags \
                     of one key; unregister some, or use shorter ones"
                ));
            }
        }
        let total = with(self.total);
        if total.names > limits.records || total.bytes > limits.bytes {
            return Err(RemoteError::new(
                Code::Overloaded,
                "the naming server is at its limit; unregister something or try again later",
            ));
        }
        Ok(())
    }
}

//! The submitter of a task: quotas are counted, and keys of submits apply, for each of them.

use std::sync::Arc;

use ring::digest;
use serde::{Deserialize, Serialize};

use super::id::IdempotencyKey;

/// The submitter of a task, known from the connection and never from the request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Submitter {
    /// The owner of the engine: every caller in its process, and admins of the node. It has no quota.
    #[default]
    Owner,
    /// A member of the node, by its key.
    Member(Arc<str>),
}

impl Submitter {
    /// Returns the key under which a submit is stored. Members cannot get the receipts of others, or
    /// replace their submits, by using their keys.
    pub(super) fn scoped_key(&self, key: IdempotencyKey) -> IdempotencyKey {
        let Self::Member(member) = self else {
            return key;
        };
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(b"distro-tui submit key\0");
        hash.update(&key.0.to_be_bytes());
        hash.update(member.as_bytes());
        let half = hash.finish().as_ref().first_chunk().copied();
        IdempotencyKey(u128::from_be_bytes(half.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_has_keys_of_its_own() {
        let key = IdempotencyKey(7);
        let member = |name: &str| Submitter::Member(name.into());
        assert_eq!(Submitter::Owner.scoped_key(key), key);
        let ada = member("ada").scoped_key(key);
        assert_eq!(ada, member("ada").scoped_key(key));
        assert_ne!(ada, key);
        assert_ne!(ada, member("bob").scoped_key(key));
        assert_ne!(ada, member("ada").scoped_key(IdempotencyKey(8)));
    }
}

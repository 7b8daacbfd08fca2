//! One registration and its lease.

use crate::net::{
    naming::{
        record::{Health, Millis, Record, encoded_len},
        share::ShareRule,
    },
    trust::principal::Principal,
    uri::Uri,
};

/// The registration of a name by one owner.
#[derive(Debug, Clone)]
pub(in crate::net::naming) struct Instance {
    pub(super) id: u64,
    pub(super) owner: Principal,
    pub(super) uri: Uri,
    pub(super) tags: Box<[Box<str>]>,
    /// The lease, and the time of the last renewal.
    pub(super) lease: Option<(Millis, Millis)>,
    pub(super) health: Health,
    /// The id of the owner's first registration of this name, of those that followed without a gap.
    pub(super) since: u64,
    pub(super) share: ShareRule,
}

impl Instance {
    /// The time at which two renewals were missed: owners renew at every third of their lease.
    fn suspect_at(&self) -> Option<Millis> {
        self.lease.map(|(lease, renewed)| renewed + lease / 3 * 2)
    }

    /// The time at which the lease expires.
    pub(super) fn expires_at(&self) -> Option<Millis> {
        self.lease.map(|(lease, renewed)| renewed + lease)
    }

    /// The time of the next state change.
    pub(super) fn due(&self) -> Option<Millis> {
        match self.health {
            Health::Live => self.suspect_at(),
            Health::Suspect => self.expires_at(),
        }
    }

    /// Returns a bound of the size of its record as encoded, in bytes.
    pub(super) fn encoded_len(&self, name: &str) -> usize {
        encoded_len(name, &self.uri, self.tags.iter().map(|tag| tag.len()))
    }

    /// Returns the public form.
    pub(super) fn record(&self, name: &str) -> Record {
        Record {
            name: name.to_owned(),
            uri: self.uri.clone(),
            owner: self.owner,
            tags: self.tags.iter().map(ToString::to_string).collect(),
            lease_ms: self.lease.map(|(lease, _)| lease),
            health: self.health,
            share: self.share,
        }
    }
}

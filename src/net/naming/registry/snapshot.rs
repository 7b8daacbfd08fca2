//! A snapshot for a watcher, read part by part while the registry changes.

use std::{ops::Bound, sync::Arc};

use super::NameRegistry;
use crate::net::{
    naming::{
        change_log::{MAX_EVENT_BYTES, MAX_PER_EVENT},
        record::Record,
    },
    trust::principal::Principal,
};

/// The position of a snapshot.
#[derive(Debug)]
pub(in crate::net::naming) struct SnapshotScan {
    prefix: Box<str>,
    /// The last record that was read.
    last: Option<(Arc<str>, Principal)>,
    at_end: bool,
}

impl SnapshotScan {
    pub(in crate::net::naming) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.into(),
            last: None,
            at_end: false,
        }
    }

    /// Reports whether records of this name were read, or would have been.
    pub(in crate::net::naming) fn has_passed(&self, name: &str) -> bool {
        self.last.as_ref().is_some_and(|(last, _)| name <= &**last)
    }

    pub(in crate::net::naming) const fn is_at_start(&self) -> bool {
        self.last.is_none()
    }

    pub(in crate::net::naming) const fn is_at_end(&self) -> bool {
        self.at_end
    }
}

impl NameRegistry {
    /// Returns the next records of a snapshot: as many as fit in one event.
    pub(in crate::net::naming) fn snapshot_part(&self, scan: &mut SnapshotScan) -> Vec<Record> {
        let (mut records, mut bytes) = (Vec::new(), 0);
        let from = match &scan.last {
            Some((name, _)) => Bound::Included(&**name),
            None => Bound::Included(&*scan.prefix),
        };
        let after = scan.last.clone();
        let names = self.names.range::<str, _>((from, Bound::Unbounded));
        for (name, instances) in names.take_while(|(name, _)| name.starts_with(&*scan.prefix)) {
            for instance in instances {
                // Those of one name are in the order of their owners.
                let was_read = after
                    .as_ref()
                    .is_some_and(|(last, owner)| **last == **name && instance.owner <= *owner);
                if was_read {
                    continue;
                }
                if records.len() >= MAX_PER_EVENT || bytes >= MAX_EVENT_BYTES {
                    return records;
                }
                bytes += instance.encoded_len(name);
                records.push(instance.record(name));
                scan.last = Some((Arc::clone(name), instance.owner));
            }
        }
        scan.at_end = true;
        records
    }
}

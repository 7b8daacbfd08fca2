//! Idempotent submits: a submit that is repeated with the same idempotency key gets the receipts of the
//! first one.

use std::collections::{HashMap, VecDeque};

use crate::queue::{
    broker::IDEMPOTENCY_WINDOW,
    clock::Timestamp,
    embedded::store::{IdRange, SubmitRow},
    id::{IdempotencyKey, TaskId},
    task::Receipt,
};

/// The most keys in the cache; beyond it the oldest are removed before their time.
const MAX_KEYS: usize = 100_000;
/// New keys between two deletions of old ones from the store.
const EXPIRE_EVERY: usize = 256;

/// The receipts of recent submits by idempotency key.
#[derive(Debug, Default)]
pub(super) struct IdempotencyCache {
    receipts: HashMap<IdempotencyKey, Vec<IdRange>>,
    order: VecDeque<(Timestamp, IdempotencyKey)>,
    since_expired: usize,
}

impl IdempotencyCache {
    /// A cache of the stored submits, oldest first.
    pub(super) fn new(rows: Vec<SubmitRow>) -> Self {
        let mut cache = Self::default();
        for row in rows {
            cache.insert_row(&row);
        }
        cache
    }

    /// The receipts of the submit with this key.
    pub(super) fn receipts(&self, key: IdempotencyKey) -> Option<Vec<Receipt>> {
        let ranges = self.receipts.get(&key)?;
        let receipts = ranges.iter().flat_map(|range| {
            let ids = range.first..range.first + range.count;
            ids.map(|id| Receipt {
                id: TaskId::Sequence(id),
                deduplicated: range.deduplicated,
            })
        });
        Some(receipts.collect())
    }

    /// Adds the receipts of a submit; returns the row to store.
    pub(super) fn insert(
        &mut self,
        now: Timestamp,
        key: IdempotencyKey,
        receipts: &[Receipt],
    ) -> SubmitRow {
        let row = SubmitRow {
            key,
            at: now,
            ids: id_ranges(receipts),
        };
        self.insert_row(&row);
        row
    }

    /// Removes the key of a submit that was rolled back.
    pub(super) fn remove(&mut self, key: IdempotencyKey) {
        self.receipts.remove(&key);
    }

    /// Removes old keys; now and then returns the time before which the store is to delete its own.
    pub(super) fn expire(&mut self, now: Timestamp) -> Option<Timestamp> {
        let before = now.before(IDEMPOTENCY_WINDOW);
        while let Some((at, key)) = self.order.front()
            && (*at < before || self.order.len() > MAX_KEYS)
        {
            self.receipts.remove(key);
            self.order.pop_front();
        }
        if self.since_expired < EXPIRE_EVERY {
            return None;
        }
        self.since_expired = 0;
        // Keys that were removed before their time are deleted from the store as well.
        let oldest = self.order.front().map_or(before, |(at, _)| *at);
        Some(oldest.max(before))
    }

    fn insert_row(&mut self, row: &SubmitRow) {
        self.receipts.insert(row.key, row.ids.clone());
        self.order.push_back((row.at, row.key));
        self.since_expired += 1;
    }
}

/// Receipts as ranges of consecutive ids; mostly there is one.
fn id_ranges(receipts: &[Receipt]) -> Vec<IdRange> {
    let mut ranges: Vec<IdRange> = Vec::new();
    for receipt in receipts {
        let id = receipt.id.sequence().unwrap_or_default();
        match ranges.last_mut() {
            Some(range)
                if range.deduplicated == receipt.deduplicated
                    && range.first + range.count == id =>
            {
                range.count += 1;
            }
            _ => ranges.push(IdRange {
                first: id,
                count: 1,
                deduplicated: receipt.deduplicated,
            }),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn receipt((id, deduplicated): (u64, bool)) -> Receipt {
        Receipt {
            id: TaskId::Sequence(id),
            deduplicated,
        }
    }

    proptest! {
        #[test]
        fn the_receipts_of_a_key_are_returned_as_they_were(ids in prop::collection::vec((1_u64..9, any::<bool>()), 0..20)) {
            let receipts: Vec<_> = ids.into_iter().map(receipt).collect();
            let mut cache = IdempotencyCache::default();
            let row = cache.insert(Timestamp(5), IdempotencyKey(1), &receipts);
            prop_assert_eq!(cache.receipts(IdempotencyKey(1)), Some(receipts.clone()));
            let restored = IdempotencyCache::new(vec![row]);
            prop_assert_eq!(restored.receipts(IdempotencyKey(1)), Some(receipts));
        }
    }

    #[test]
    fn old_keys_expire_in_the_cache_and_in_the_store() {
        let mut cache = IdempotencyCache::default();
        let at = |n: u64| Timestamp(n).after(IDEMPOTENCY_WINDOW);
        for n in 0..300 {
            cache.insert(at(n), IdempotencyKey(n.into()), &[]);
        }
        assert_eq!(cache.expire(at(10).after(IDEMPOTENCY_WINDOW)), Some(at(10)));
        assert_eq!(cache.receipts(IdempotencyKey(9)), None);
        assert!(cache.receipts(IdempotencyKey(10)).is_some());
        let later = at(11)
            .after(IDEMPOTENCY_WINDOW)
            .after(Duration::from_micros(1));
        assert_eq!(cache.expire(later), None, "not each time");
        assert_eq!(cache.receipts(IdempotencyKey(11)), None);
    }
}

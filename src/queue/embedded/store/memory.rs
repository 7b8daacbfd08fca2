//! The store in the memory of this process.

use std::sync::Arc;

use super::{Store, StoreChange, SubmitRow, SweepReport, reads::ReadRequest};
use crate::{
    cause::Cause,
    queue::{
        clock::Timestamp,
        index::{
            bitmap::{IdBitmap, SortKey},
            page::list,
            row::{EndRow, Row},
            rows::{Running, StorageError},
            table::Table,
        },
        query::{Page, Query},
        state::State,
        stats::Percentiles,
        storage::Retention,
    },
};

/// The size of a row without its texts, in bytes, as measured with a million of them.
const ROW_BYTES: u64 = 320;
const MICROS_PER_SECOND: u64 = 1_000_000;
/// The most rows that one sweep deletes.
const SWEEP_BATCH: usize = 512;

/// A store that ends with the process.
#[derive(Debug)]
pub(in crate::queue) struct Memory {
    retention: Retention,
    table: Table,
    /// Finished rows by the second of their eviction.
    evictions: IdBitmap,
    bytes: u64,
}

impl Memory {
    pub(in crate::queue) fn new(retention: Retention) -> Self {
        Self {
            retention,
            table: Table::default(),
            evictions: IdBitmap::default(),
            bytes: 0,
        }
    }

    fn apply(&mut self, change: StoreChange) {
        match change {
            StoreChange::New(row) => {
                self.bytes += row_bytes(&row);
                self.table.insert(row);
            }
            StoreChange::Reschedule(change) | StoreChange::Requeue(change) => {
                self.update_row(change.id, |row| row.reschedule(change));
            }
            StoreChange::Attempt(id, attempt) => self.table.add_attempt(id, attempt),
            StoreChange::Completion(id, completion) => {
                self.update_row(id, |row| row.complete(completion));
            }
            StoreChange::Delete(ids) => {
                for id in ids {
                    self.delete(id);
                }
            }
            // Idempotency keys live as long as the dispatcher, which holds them itself.
            StoreChange::Submit(_) | StoreChange::ExpireKeys(_) => {}
        }
    }

    fn update_row(&mut self, id: u64, update: impl FnOnce(&mut Row)) {
        let (bytes, evictions) = (&mut self.bytes, &mut self.evictions);
        self.table.update(id, |row| {
            *bytes -= row_bytes(row);
            if let Some(end) = &row.end {
                evictions.remove(eviction_key(end, id));
            }
            update(row);
            *bytes += row_bytes(row);
            if let Some(end) = &row.end {
                evictions.insert(eviction_key(end, id));
            }
        });
    }

    /// Deletes a finished row; returns false when there is none.
    fn delete(&mut self, id: u64) -> bool {
        let Some(end) = self.table.get(id).and_then(|row| row.end.as_ref()) else {
            return false;
        };
        self.evictions.remove(eviction_key(end, id));
        if let Some(row) = self.table.remove(id) {
            self.bytes -= row_bytes(&row);
        }
        true
    }

    fn finished(&self) -> usize {
        self.evictions.len()
    }
}

fn eviction_key(end: &EndRow, id: u64) -> SortKey {
    (end.evict_at.0 / MICROS_PER_SECOND, id)
}

fn row_bytes(row: &Row) -> u64 {
    let result = row.end.as_ref().and_then(|end| end.result.as_ref());
    let texts = row.args.len()
        + result.map_or(0, |text| text.len())
        + row.cold().error.as_ref().map_or(0, |error| error.size());
    ROW_BYTES + texts as u64
}

impl Store for Memory {
    fn for_each_unfinished(&mut self, each: &mut dyn FnMut(Row)) -> Result<(), StorageError> {
        let unfinished = self.table.rows().filter(|row| row.end.is_none());
        unfinished.for_each(|row| each(Row::clone(row)));
        Ok(())
    }

    fn commit(&mut self, changes: &mut Vec<StoreChange>) -> Result<(), StorageError> {
        for change in changes.drain(..) {
            self.apply(change);
        }
        Ok(())
    }

    fn args(&mut self, id: u64) -> Result<Arc<str>, StorageError> {
        match self.table.get(id) {
            Some(row) => Ok(Arc::clone(&row.args)),
            None => Err(StorageError(Cause::from_message(format!(
                "there is no task #{id}"
            )))),
        }
    }

    fn row(&mut self, id: u64) -> Result<Option<Row>, StorageError> {
        Ok(self.table.get(id).cloned())
    }

    fn list(&mut self, running: &Running, query: &Query) -> Result<Page, StorageError> {
        list(&self.table, running, query)
    }

    fn read(&mut self, running: &Arc<Running>, request: ReadRequest) {
        request.execute(&self.table, running);
    }

    fn finished_counts(&self) -> [usize; State::COUNT] {
        let mut counts = self.table.counts();
        for state in State::ALL {
            if !state.is_finished()
                && let Some(count) = counts.get_mut(state.index())
            {
                *count = 0;
            }
        }
        counts
    }

    fn sweep(&mut self, now: Timestamp) -> Result<SweepReport, StorageError> {
        let mut report = SweepReport::default();
        let this_second = now.0 / MICROS_PER_SECOND;
        while report.evicted < SWEEP_BATCH {
            let over = self.is_over_retention();
            let first = self.evictions.first();
            let Some((_, id)) = first.filter(|(second, _)| over || *second < this_second) else {
                break;
            };
            report.evicted += usize::from(self.delete(id));
        }
        let next = self.evictions.first();
        report.next = next.map(|(second, _)| Timestamp((second + 1) * MICROS_PER_SECOND));
        Ok(report)
    }

    fn is_over_retention(&self) -> bool {
        self.finished() > self.retention.count
            || (self.bytes > self.retention.bytes && self.finished() > 0)
    }

    fn usage(&mut self) -> (u64, Percentiles) {
        (self.bytes, Percentiles::default())
    }

    fn submits(&mut self) -> Result<Vec<SubmitRow>, StorageError> {
        Ok(Vec::new())
    }

    fn close(&mut self) {}
}

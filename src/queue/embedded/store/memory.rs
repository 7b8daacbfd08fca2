//! The store in the memory of this process.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{
    Store, StoreChange, StoreUsage, SubmitRow, SweepReport,
    reader::{Reader, RowSource},
    reads::ActiveRead,
};
use crate::{
    cause::Cause,
    queue::{
        clock::Timestamp,
        error::BrokerError,
        index::{
            bitmap::{IdBitmap, SortKey},
            row::{EndRow, Row},
            rows::{Rows, StorageError},
            table::Table,
        },
        state::State,
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
    table: SharedTable,
    usage: Usage,
    /// Started with the first read.
    reader: Option<Reader>,
}

/// The rows. The dispatcher changes them, and the reader thread holds them for one step at a time.
#[derive(Debug, Clone, Default)]
struct SharedTable(Arc<RwLock<Table>>);

impl SharedTable {
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RowSource for SharedTable {
    fn with_rows(&mut self, read: &mut dyn FnMut(&dyn Rows)) -> Result<(), StorageError> {
        read(&*self.read());
        Ok(())
    }
}

/// The part of the store that retention depends on.
#[derive(Debug, Default)]
struct Usage {
    /// Finished rows by the second of their eviction.
    evictions: IdBitmap,
    bytes: u64,
}

impl Usage {
    fn apply(&mut self, table: &mut Table, change: StoreChange) {
        match change {
            StoreChange::New(row) => {
                self.bytes += row_bytes(&row);
                table.insert(row);
            }
            StoreChange::Reschedule(change) | StoreChange::Requeue(change) => {
                self.update_row(table, change.id, |row| row.reschedule(change));
            }
            StoreChange::Attempt(id, attempt) => table.add_attempt(id, attempt),
            StoreChange::Completion(id, completion) => {
                self.update_row(table, id, |row| row.complete(completion));
            }
            StoreChange::Delete(ids) => {
                for id in ids {
                    self.delete(table, id);
                }
            }
            // Idempotency keys live as long as the dispatcher, which holds them itself.
            StoreChange::Submit(_) | StoreChange::ExpireKeys(_) => {}
        }
    }

    fn update_row(&mut self, table: &mut Table, id: u64, update: impl FnOnce(&mut Row)) {
        let (bytes, evictions) = (&mut self.bytes, &mut self.evictions);
        table.update(id, |row| {
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
    fn delete(&mut self, table: &mut Table, id: u64) -> bool {
        let Some(end) = table.get(id).and_then(|row| row.end.as_ref()) else {
            return false;
        };
        self.evictions.remove(eviction_key(end, id));
        if let Some(row) = table.remove(id) {
            self.bytes -= row_bytes(&row);
        }
        true
    }

    fn finished(&self) -> usize {
        self.evictions.len()
    }

    fn is_over(&self, retention: &Retention) -> bool {
        self.finished() > retention.count || (self.bytes > retention.bytes && self.finished() > 0)
    }
}

impl Memory {
    pub(in crate::queue) fn new(retention: Retention) -> Self {
        Self {
            retention,
            table: SharedTable::default(),
            usage: Usage::default(),
            reader: None,
        }
    }

    /// The rows.
    #[cfg(test)]
    pub(in crate::queue) fn rows(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read()
    }

    fn reader(&mut self) -> Result<&Reader, StorageError> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => Reader::start(self.table.clone())?,
        };
        Ok(self.reader.insert(reader))
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
        let table = self.table.read();
        let unfinished = table.rows().filter(|row| row.end.is_none());
        unfinished.for_each(|row| each(Row::clone(row)));
        Ok(())
    }

    fn commit(&mut self, changes: &mut Vec<StoreChange>) -> Result<(), StorageError> {
        let mut table = self.table.write();
        for change in changes.drain(..) {
            self.usage.apply(&mut table, change);
        }
        Ok(())
    }

    fn args(&mut self, id: u64) -> Result<Arc<str>, StorageError> {
        match self.table.read().get(id) {
            Some(row) => Ok(Arc::clone(&row.args)),
            None => Err(StorageError(Cause::from_message(format!(
                "there is no task #{id}"
            )))),
        }
    }

    fn row(&mut self, id: u64) -> Result<Option<Row>, StorageError> {
        Ok(self.table.read().get(id).cloned())
    }

    fn finished_at(&mut self, id: u64) -> Result<Option<Timestamp>, StorageError> {
        let table = self.table.read();
        let end = table.get(id).and_then(|row| row.end.as_ref());
        Ok(end.map(|end| end.finished_at))
    }

    fn read(&mut self, read: Box<dyn ActiveRead>) {
        match self.reader() {
            Ok(reader) => reader.read(read),
            Err(StorageError(why)) => read.reject(BrokerError::Storage(why)),
        }
    }

    fn finished_counts(&self) -> [usize; State::COUNT] {
        let mut counts = self.table.read().counts();
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
        let mut table = self.table.write();
        let mut report = SweepReport::default();
        let this_second = now.0 / MICROS_PER_SECOND;
        while report.evicted < SWEEP_BATCH {
            let over = self.usage.is_over(&self.retention);
            let first = self.usage.evictions.first();
            let Some((_, id)) = first.filter(|(second, _)| over || *second < this_second) else {
                break;
            };
            report.evicted += usize::from(self.usage.delete(&mut table, id));
        }
        let next = self.usage.evictions.first();
        report.next = next.map(|(second, _)| Timestamp((second + 1) * MICROS_PER_SECOND));
        Ok(report)
    }

    fn is_over_retention(&self) -> bool {
        self.usage.is_over(&self.retention)
    }

    fn usage(&mut self) -> StoreUsage {
        StoreUsage {
            bytes: self.usage.bytes,
            ..StoreUsage::default()
        }
    }

    fn submits(&mut self) -> Result<Vec<SubmitRow>, StorageError> {
        Ok(Vec::new())
    }

    fn close(&mut self) {
        self.reader = None;
    }
}

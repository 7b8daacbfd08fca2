//! The store in the memory of this process.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use super::{
    Retention, Store, StoreChange, StoreError, SubmitRow, SweepReport,
    ids::{IdBitmap, SortKey},
    index::Index,
    list::list,
    reads::ReadRequest,
    row::{EndRow, Row},
    rows::{KeyRange, Rows, Running, Scan, ScanIter},
};
use crate::queue::{
    clock::Timestamp,
    query::{Page, Query},
    state::State,
    stats::Percentiles,
    task::{Attempt, MAX_ATTEMPTS_HISTORY},
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
    tables: Tables,
    /// Finished rows by the second of their eviction.
    evictions: IdBitmap,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Tables {
    rows: BTreeMap<u64, Box<Row>>,
    attempts: BTreeMap<u64, Vec<Attempt>>,
    index: Index,
}

impl Memory {
    pub(in crate::queue) fn new(retention: Retention) -> Self {
        Self {
            retention,
            tables: Tables::default(),
            evictions: IdBitmap::default(),
            bytes: 0,
        }
    }

    fn apply(&mut self, change: StoreChange) {
        match change {
            StoreChange::New(row) => {
                self.bytes += row_bytes(&row);
                self.tables.index.insert(&row);
                self.tables.rows.insert(row.id, row);
            }
            StoreChange::Reschedule(change) | StoreChange::Requeue(change) => {
                self.update_row(change.id, |row| row.reschedule(change));
            }
            StoreChange::Attempt(id, attempt) => {
                let attempts = self.tables.attempts.entry(id).or_default();
                if attempts.len() >= MAX_ATTEMPTS_HISTORY {
                    attempts.remove(0);
                }
                attempts.push(attempt);
            }
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
        let Some(row) = self.tables.rows.get_mut(&id) else {
            return;
        };
        self.tables.index.remove(row);
        self.bytes -= row_bytes(row);
        if let Some(end) = &row.end {
            self.evictions.remove(eviction_key(end, id));
        }
        update(row);
        self.tables.index.insert(row);
        self.bytes += row_bytes(row);
        if let Some(end) = &row.end {
            self.evictions.insert(eviction_key(end, id));
        }
    }

    /// Deletes a finished row; returns false when there is none.
    fn delete(&mut self, id: u64) -> bool {
        let Some(end) = self.tables.rows.get(&id).and_then(|row| row.end.as_ref()) else {
            return false;
        };
        self.evictions.remove(eviction_key(end, id));
        if let Some(row) = self.tables.rows.remove(&id) {
            self.bytes -= row_bytes(&row);
            self.tables.index.remove(&row);
        }
        self.tables.attempts.remove(&id);
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
        + row.cold().error.as_ref().map_or(0, |text| text.len());
    ROW_BYTES + texts as u64
}

impl Store for Memory {
    fn for_each_unfinished(&mut self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        let waiting = self.tables.rows.values().filter(|row| row.end.is_none());
        waiting.for_each(|row| each(Row::clone(row)));
        Ok(())
    }

    fn commit(&mut self, changes: &mut Vec<StoreChange>) -> Result<(), StoreError> {
        for change in changes.drain(..) {
            self.apply(change);
        }
        Ok(())
    }

    fn args(&mut self, id: u64) -> Result<Arc<str>, StoreError> {
        match self.tables.rows.get(&id) {
            Some(row) => Ok(Arc::clone(&row.args)),
            None => Err(StoreError(format!("there is no task #{id}"))),
        }
    }

    fn row(&mut self, id: u64) -> Result<Option<Row>, StoreError> {
        Ok(self.tables.rows.get(&id).map(|row| Row::clone(row)))
    }

    fn list(&mut self, running: &Running, query: &Query) -> Result<Page, StoreError> {
        list(&self.tables, running, query)
    }

    fn read(&mut self, running: &Arc<Running>, request: ReadRequest) {
        request.execute(&self.tables, running);
    }

    fn finished_counts(&self) -> [usize; 8] {
        let mut counts = self.tables.index.counts();
        for state in State::ALL {
            if !state.is_finished()
                && let Some(count) = counts.get_mut(state.index())
            {
                *count = 0;
            }
        }
        counts
    }

    fn sweep(&mut self, now: Timestamp) -> Result<SweepReport, StoreError> {
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

    fn submits(&mut self) -> Result<Vec<SubmitRow>, StoreError> {
        Ok(Vec::new())
    }

    fn close(&mut self) {}
}

impl Rows for Tables {
    fn row(&self, id: u64) -> Result<Option<Cow<'_, Row>>, StoreError> {
        Ok(self.rows.get(&id).map(|row| Cow::Borrowed(&**row)))
    }

    fn attempts(&self, id: u64) -> Result<Vec<Attempt>, StoreError> {
        Ok(self.attempts.get(&id).cloned().unwrap_or_default())
    }

    fn scan(&self, scan: Scan, range: KeyRange, descending: bool) -> ScanIter<'_> {
        let row = |(key, id)| {
            let row = self.rows.get(&id)?;
            Some(Ok((key, Cow::Borrowed(&**row))))
        };
        match scan {
            Scan::All => {
                let ids = (range.0.map(|(_, id)| id), range.1.map(|(_, id)| id));
                let rows = self
                    .rows
                    .range(ids)
                    .map(|(_, row)| Ok((0, Cow::Borrowed(&**row))));
                directed(rows, descending)
            }
            Scan::State(state) => directed(
                self.index.in_state(state, range).filter_map(row),
                descending,
            ),
            Scan::RunTime => directed(self.index.by_run_time(range).filter_map(row), descending),
        }
    }
}

fn directed<'a, T>(
    ascending: impl DoubleEndedIterator<Item = T> + 'a,
    descending: bool,
) -> Box<dyn Iterator<Item = T> + 'a> {
    if descending {
        Box::new(ascending.rev())
    } else {
        Box::new(ascending)
    }
}

//! Rows in memory, with indexes by state and by run time.

use std::{borrow::Cow, collections::BTreeMap, ops::RangeBounds};

use super::{
    bitmap::{IdBitmap, SortKey},
    row::Row,
    rows::{KeyRange, Rows, Scan, ScanIter, Scanned, StorageError},
};
use crate::queue::{limits::MAX_ATTEMPTS_HISTORY, state::State, task::Attempt};

/// A table of rows in memory. The cost of a page does not depend on the number of rows.
#[derive(Debug, Default)]
pub(in crate::queue) struct Table {
    rows: BTreeMap<u64, Box<Row>>,
    attempts: BTreeMap<u64, Vec<Attempt>>,
    index: Index,
}

#[derive(Debug, Default)]
struct Index {
    states: [IdBitmap; State::COUNT],
    /// Finished tasks by run time.
    run_times: IdBitmap,
}

impl Table {
    pub(in crate::queue) fn get(&self, id: u64) -> Option<&Row> {
        self.rows.get(&id).map(|row| &**row)
    }

    /// All rows in the order of their ids.
    pub(in crate::queue) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values().map(|row| &**row)
    }

    pub(in crate::queue) fn insert(&mut self, row: Box<Row>) {
        self.index.insert(&row);
        self.rows.insert(row.id, row);
    }

    /// Changes a row, if there is one with this id.
    pub(in crate::queue) fn update(&mut self, id: u64, update: impl FnOnce(&mut Row)) {
        let Some(row) = self.rows.get_mut(&id) else {
            return;
        };
        self.index.remove(row);
        update(row);
        self.index.insert(row);
    }

    /// Removes a row with its attempts.
    pub(in crate::queue) fn remove(&mut self, id: u64) -> Option<Box<Row>> {
        let row = self.rows.remove(&id)?;
        self.index.remove(&row);
        self.attempts.remove(&id);
        Some(row)
    }

    /// Adds a failed attempt; beyond [`MAX_ATTEMPTS_HISTORY`] the oldest are removed.
    pub(in crate::queue) fn add_attempt(&mut self, id: u64, attempt: Attempt) {
        let attempts = self.attempts.entry(id).or_default();
        if attempts.len() >= MAX_ATTEMPTS_HISTORY {
            attempts.remove(0);
        }
        attempts.push(attempt);
    }

    /// The number of rows by state, in the order of [`State::ALL`].
    pub(in crate::queue) fn counts(&self) -> [usize; State::COUNT] {
        self.index.states.each_ref().map(IdBitmap::len)
    }
}

impl Index {
    fn insert(&mut self, row: &Row) {
        if let Some(set) = self.states.get_mut(row.state.index()) {
            set.insert((0, row.id));
        }
        if row.end.is_some() {
            self.run_times.insert((row.duration_key(), row.id));
        }
    }

    fn remove(&mut self, row: &Row) {
        if let Some(set) = self.states.get_mut(row.state.index()) {
            set.remove((0, row.id));
        }
        if row.end.is_some() {
            self.run_times.remove((row.duration_key(), row.id));
        }
    }

    fn in_state<R: RangeBounds<SortKey>>(
        &self,
        state: State,
        range: R,
    ) -> impl DoubleEndedIterator<Item = SortKey> + use<'_, R> {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        let set = self.states.get(state.index());
        set.into_iter().flat_map(move |set| set.range(bounds))
    }
}

impl Rows for Table {
    fn row(&self, id: u64) -> Result<Option<Cow<'_, Row>>, StorageError> {
        Ok(self.get(id).map(Cow::Borrowed))
    }

    fn attempts(&self, id: u64) -> Result<Vec<Attempt>, StorageError> {
        Ok(self.attempts.get(&id).cloned().unwrap_or_default())
    }

    fn scan(&self, scan: Scan, range: KeyRange, descending: bool) -> ScanIter<'_> {
        let row = |(key, id)| {
            let row = self.get(id)?;
            Some(Ok(Scanned::new(key, Cow::Borrowed(row))))
        };
        match scan {
            Scan::All => {
                let ids = (range.0.map(|(_, id)| id), range.1.map(|(_, id)| id));
                let rows = self
                    .rows
                    .range(ids)
                    .map(|(_, row)| Ok(Scanned::new(0, Cow::Borrowed(&**row))));
                directed(rows, descending)
            }
            Scan::State(state) => directed(
                self.index.in_state(state, range).filter_map(row),
                descending,
            ),
            Scan::RunTime => directed(
                self.index.run_times.range(range).filter_map(row),
                descending,
            ),
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

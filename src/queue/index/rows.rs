//! Access to rows by id and by ordered scans, for every kind of storage.

use std::{borrow::Cow, collections::BTreeMap, ops::Bound};

use super::{
    bitmap::SortKey,
    row::{Row, RunningInfo},
};
use crate::{
    cause::Cause,
    queue::{state::State, task::Attempt},
};

/// A failed write or read, with a message for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub(in crate::queue) struct StorageError(pub(in crate::queue) Cause);

/// The current runs by task id.
pub(in crate::queue) type Running = BTreeMap<u64, RunningInfo>;

/// A row of a scan.
#[derive(Debug)]
pub(in crate::queue) struct Scanned<'a> {
    /// Its sort key.
    pub(in crate::queue) key: u64,
    pub(in crate::queue) row: Cow<'a, Row>,
    /// False for a row that does not belong to the scan. A storage without an index for a scan returns
    /// the rows that it has to pass, so that they count as examined.
    pub(in crate::queue) wanted: bool,
}

impl<'a> Scanned<'a> {
    /// A row that belongs to the scan.
    pub(in crate::queue) const fn new(key: u64, row: Cow<'a, Row>) -> Self {
        Self {
            key,
            row,
            wanted: true,
        }
    }
}

/// A row of a scan, or the error that ends it.
pub(in crate::queue) type ScanItem<'a> = Result<Scanned<'a>, StorageError>;
/// The rows of a scan.
pub(in crate::queue) type ScanIter<'a> = Box<dyn Iterator<Item = ScanItem<'a>> + 'a>;

/// A set of rows in a fixed order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum Scan {
    /// Every row, by id; the key is 0.
    All,
    /// Rows in a state, by id; the key is 0.
    State(State),
    /// Finished rows by run time, and by id among equals; the key of short runs is 0.
    RunTime,
}

/// A range of sort keys.
pub(in crate::queue) type KeyRange = (Bound<SortKey>, Bound<SortKey>);

/// Read access to rows.
pub(in crate::queue) trait Rows {
    fn row(&self, id: u64) -> Result<Option<Cow<'_, Row>>, StorageError>;

    /// The newest failed attempts of a task, oldest first.
    fn attempts(&self, id: u64) -> Result<Vec<Attempt>, StorageError>;

    /// The rows of a scan within a range, in ascending or descending order.
    fn scan(&self, scan: Scan, range: KeyRange, descending: bool) -> ScanIter<'_>;
}

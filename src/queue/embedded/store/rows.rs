//! Rows that can be looked at and walked, wherever they are.

use std::{borrow::Cow, collections::BTreeMap, ops::Bound};

use super::{
    StoreError,
    ids::SortKey,
    row::{Row, RunningInfo},
};
use crate::queue::task::{Attempt, State};

/// What is running right now, by id.
pub(in crate::queue) type Running = BTreeMap<u64, RunningInfo>;

/// A row and the key by which the walk goes.
pub(super) type ScanItem<'a> = Result<(u64, Cow<'a, Row>), StoreError>;
/// Rows, walking one way.
pub(super) type ScanIter<'a> = Box<dyn Iterator<Item = ScanItem<'a>> + 'a>;

/// A part of all rows that can be walked in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    /// Every row, by id; the key is 0.
    All,
    /// Rows in a state, by id; the key is 0.
    State(State),
    /// Ended rows by how slow they were, and by id among equals; those that were brief have 0.
    Slowest,
}

/// A range of places.
pub(super) type KeyRange = (Bound<SortKey>, Bound<SortKey>);

/// Rows that can be looked at.
pub(super) trait Rows {
    fn row(&self, id: u64) -> Result<Option<Cow<'_, Row>>, StoreError>;

    /// The newest attempts of a task that did not succeed, oldest first.
    fn log(&self, id: u64) -> Result<Vec<Attempt>, StoreError>;

    fn walk(&self, part: Scan, places: KeyRange, down: bool) -> ScanIter<'_>;
}

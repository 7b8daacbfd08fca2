//! Tasks by state and by how long they ran, so that a page of either costs what a page costs.

use std::ops::RangeBounds;

use super::{
    ids::{IdBitmap, SortKey},
    row::Row,
};
use crate::queue::task::State;

#[derive(Debug, Default)]
pub(super) struct Index {
    states: [IdBitmap; 8],
    /// Finished tasks by how slow they were.
    slowest: IdBitmap,
}

impl Index {
    pub(super) fn put_in(&mut self, row: &Row) {
        if let Some(set) = self.states.get_mut(row.state.index()) {
            set.insert((0, row.id));
        }
        if row.end.is_some() {
            self.slowest.insert((row.slowness(), row.id));
        }
    }

    pub(super) fn take_out(&mut self, row: &Row) {
        if let Some(set) = self.states.get_mut(row.state.index()) {
            set.remove((0, row.id));
        }
        if row.end.is_some() {
            self.slowest.remove((row.slowness(), row.id));
        }
    }

    pub(super) fn of<R: RangeBounds<SortKey>>(
        &self,
        state: State,
        places: R,
    ) -> impl DoubleEndedIterator<Item = SortKey> + use<'_, R> {
        let bounds = (places.start_bound().cloned(), places.end_bound().cloned());
        let set = self.states.get(state.index());
        set.into_iter().flat_map(move |set| set.range(bounds))
    }

    pub(super) fn slowest<R: RangeBounds<SortKey>>(
        &self,
        places: R,
    ) -> impl DoubleEndedIterator<Item = SortKey> + use<'_, R> {
        self.slowest.range(places)
    }

    pub(super) fn counts(&self) -> [usize; 8] {
        self.states.each_ref().map(IdBitmap::len)
    }
}

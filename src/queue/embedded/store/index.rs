//! Indexes by state and by run time, so that the cost of a page does not depend on the number of tasks.

use std::ops::RangeBounds;

use super::{
    ids::{IdBitmap, SortKey},
    row::Row,
};
use crate::queue::state::State;

#[derive(Debug, Default)]
pub(super) struct Index {
    states: [IdBitmap; 8],
    /// Finished tasks by run time.
    run_times: IdBitmap,
}

impl Index {
    pub(super) fn insert(&mut self, row: &Row) {
        if let Some(set) = self.states.get_mut(row.state.index()) {
            set.insert((0, row.id));
        }
        if row.end.is_some() {
            self.run_times.insert((row.slowness(), row.id));
        }
    }

    pub(super) fn remove(&mut self, row: &Row) {
        if let Some(set) = self.states.get_mut(row.state.index()) {
            set.remove((0, row.id));
        }
        if row.end.is_some() {
            self.run_times.remove((row.slowness(), row.id));
        }
    }

    pub(super) fn in_state<R: RangeBounds<SortKey>>(
        &self,
        state: State,
        range: R,
    ) -> impl DoubleEndedIterator<Item = SortKey> + use<'_, R> {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        let set = self.states.get(state.index());
        set.into_iter().flat_map(move |set| set.range(bounds))
    }

    pub(super) fn by_run_time<R: RangeBounds<SortKey>>(
        &self,
        range: R,
    ) -> impl DoubleEndedIterator<Item = SortKey> + use<'_, R> {
        self.run_times.range(range)
    }

    pub(super) fn counts(&self) -> [usize; 8] {
        self.states.each_ref().map(IdBitmap::len)
    }
}

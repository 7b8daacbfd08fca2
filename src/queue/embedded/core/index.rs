//! Tasks by state and by how long they ran, so that a page of either costs what a page costs.

use std::ops::{Bound, RangeBounds};

use super::{
    ids::{Ids, Place},
    record::Record,
};
use crate::queue::task::State;

#[derive(Default)]
pub(super) struct Index {
    states: [Ids; 8],
    /// Finished tasks by microseconds run.
    slowest: Ids,
}

impl Index {
    pub(super) fn put_in(&mut self, id: u64, record: &Record) {
        if let Some(set) = self.states.get_mut(record.state.index()) {
            set.insert((0, id));
        }
    }

    /// The record's state was `before` and is now what it says.
    pub(super) fn moved(&mut self, id: u64, before: State, record: &Record) {
        if let Some(set) = self.states.get_mut(before.index()) {
            set.remove((0, id));
        }
        self.put_in(id, record);
        if record.state.is_finished()
            && let Some(ran) = record.ran()
        {
            self.slowest.insert((ran, id));
        }
    }

    pub(super) fn leave_slowest(&mut self, id: u64, record: &Record) {
        if let Some(ran) = record.ran() {
            self.slowest.remove((ran, id));
        }
    }

    pub(super) fn take_out(&mut self, id: u64, record: &Record) {
        if let Some(set) = self.states.get_mut(record.state.index()) {
            set.remove((0, id));
        }
        self.leave_slowest(id, record);
    }

    pub(super) fn oldest(&self, state: State) -> Option<u64> {
        self.states.get(state.index())?.first().map(|(_, id)| id)
    }

    pub(super) fn of(&self, state: State) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.range(state, ..)
    }

    pub(super) fn range<R: RangeBounds<u64>>(
        &self,
        state: State,
        ids: R,
    ) -> impl DoubleEndedIterator<Item = u64> + use<'_, R> {
        let place = |bound: Bound<&u64>| bound.map(|id| (0, *id));
        let places = (place(ids.start_bound()), place(ids.end_bound()));
        let set = self.states.get(state.index());
        set.into_iter()
            .flat_map(move |set| set.range(places).map(|(_, id)| id))
    }

    pub(super) fn slowest<R: RangeBounds<Place>>(
        &self,
        range: R,
    ) -> impl DoubleEndedIterator<Item = Place> + use<'_, R> {
        self.slowest.range(range)
    }

    pub(super) fn counts(&self) -> [usize; 8] {
        self.states.each_ref().map(Ids::len)
    }

    pub(super) fn unfinished(&self) -> usize {
        self.count(|state| !state.is_finished())
    }

    pub(super) fn finished(&self) -> usize {
        self.count(State::is_finished)
    }

    fn count(&self, wanted: impl Fn(State) -> bool) -> usize {
        State::ALL
            .into_iter()
            .filter(|state| wanted(*state))
            .filter_map(|state| self.states.get(state.index()))
            .map(Ids::len)
            .sum()
    }
}

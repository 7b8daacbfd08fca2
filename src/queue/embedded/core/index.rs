//! Tasks by state and by how long they ran, so that a page of either costs what a page costs.

use std::{collections::BTreeSet, ops::RangeBounds};

use super::record::Record;
use crate::queue::task::State;

#[derive(Default)]
pub(super) struct Index {
    states: [BTreeSet<u64>; 8],
    /// Finished tasks by microseconds run.
    slowest: BTreeSet<(u64, u64)>,
}

impl Index {
    pub(super) fn put_in(&mut self, id: u64, record: &Record) {
        if let Some(set) = self.states.get_mut(record.state.index()) {
            set.insert(id);
        }
    }

    /// The record's state was `before` and is now what it says.
    pub(super) fn moved(&mut self, id: u64, before: State, record: &Record) {
        if let Some(set) = self.states.get_mut(before.index()) {
            set.remove(&id);
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
            self.slowest.remove(&(ran, id));
        }
    }

    pub(super) fn take_out(&mut self, id: u64, record: &Record) {
        if let Some(set) = self.states.get_mut(record.state.index()) {
            set.remove(&id);
        }
        self.leave_slowest(id, record);
    }

    pub(super) fn of(&self, state: State) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.range(state, ..)
    }

    pub(super) fn range<R: RangeBounds<u64>>(
        &self,
        state: State,
        ids: R,
    ) -> impl DoubleEndedIterator<Item = u64> + use<'_, R> {
        let ids = (ids.start_bound().cloned(), ids.end_bound().cloned());
        let set = self.states.get(state.index());
        set.into_iter().flat_map(move |set| set.range(ids).copied())
    }

    pub(super) fn slowest<R: RangeBounds<(u64, u64)>>(
        &self,
        range: R,
    ) -> impl DoubleEndedIterator<Item = (u64, u64)> + use<'_, R> {
        self.slowest.range(range).copied()
    }

    pub(super) fn counts(&self) -> [usize; 8] {
        self.states.each_ref().map(BTreeSet::len)
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
            .map(BTreeSet::len)
            .sum()
    }
}

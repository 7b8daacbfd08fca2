//! The tasks that pending changes are about, to find those without any at once.

use std::collections::HashSet;

use crate::queue::embedded::store::StoreChange;

/// The ids of changed tasks. They are read from the changes only when a row is looked up, so that
/// rounds without look-ups cost nothing.
#[derive(Default)]
pub(super) struct ChangedIds {
    ids: HashSet<u64>,
    /// The number of changes whose ids were read.
    read: usize,
}

impl ChangedIds {
    /// Returns true if any of the changes is about this task. Since the last
    /// [`clear`](Self::clear), changes may only have been appended.
    pub(super) fn contains(&mut self, changes: &[StoreChange], id: u64) -> bool {
        let unread = changes.get(self.read..).unwrap_or_default();
        self.ids
            .extend(unread.iter().flat_map(StoreChange::task_ids));
        self.read = changes.len();
        self.ids.contains(&id)
    }

    /// Removes all ids, after changes were stored or removed.
    pub(super) fn clear(&mut self) {
        self.ids.clear();
        self.read = 0;
    }
}

//! Failed tasks in groups of the same error.

use std::{collections::HashMap, ops::Bound, sync::Arc};

use super::{
    rows::{Rows, Running, Scan, Scanned, StorageError},
    step::{Budget, Progress, SteppedRead},
};
use crate::queue::{
    error::{FailureGroup, MAX_FAILURE_GROUPS, MAX_FAILURES},
    id::TaskId,
    state::State,
    task::TaskFailure,
};

/// The most groups that are built; beyond it only failures of those are counted.
const MAX_BUILT: usize = 10 * MAX_FAILURE_GROUPS;

/// The read of failures grouped by name, and by the kind and the first line of their error, the largest
/// group first.
#[derive(Debug)]
pub(in crate::queue) struct GroupRead {
    groups: HashMap<(Arc<str>, TaskFailure), FailureGroup>,
    /// The failures that may still be examined.
    left: usize,
    /// The last failure that was examined; they are examined from the newest to the oldest.
    last: Option<u64>,
}

impl GroupRead {
    pub(in crate::queue) fn new() -> Self {
        Self {
            groups: HashMap::new(),
            left: MAX_FAILURES,
            last: None,
        }
    }

    fn add(&mut self, scanned: &Scanned<'_>) {
        let row = &scanned.row;
        let error = row.cold().error.as_deref();
        let error = error.map_or_else(|| "".into(), TaskFailure::summary);
        let last = row.end.as_ref().map(|end| end.finished_at);
        let last = last.unwrap_or_default();
        let key = (Arc::clone(&row.name), error);
        if self.groups.len() >= MAX_BUILT && !self.groups.contains_key(&key) {
            return;
        }
        let group = self
            .groups
            .entry(key)
            .or_insert_with_key(|(name, error)| FailureGroup {
                name: Arc::clone(name),
                error: error.clone(),
                count: 0,
                newest: TaskId::Sequence(row.id),
                last,
            });
        group.count += 1;
        group.last = group.last.max(last);
    }
}

impl SteppedRead for GroupRead {
    type Output = Vec<FailureGroup>;
    const IS_SCAN: bool = true;

    fn step(
        &mut self,
        rows: &dyn Rows,
        _: &Running,
        budget: &mut Budget,
    ) -> Result<Progress, StorageError> {
        let before = self
            .last
            .map_or(Bound::Unbounded, |id| Bound::Excluded((0, id)));
        let failures = rows.scan(Scan::State(State::Failed), (Bound::Unbounded, before), true);
        for (examined, item) in failures.enumerate() {
            if self.left == 0 {
                break;
            }
            if examined > 0 && budget.is_spent() {
                return Ok(Progress::Paused);
            }
            let scanned = item?;
            budget.spend(scanned.row.text_size());
            self.left -= 1;
            self.last = Some(scanned.row.id);
            if scanned.wanted {
                self.add(&scanned);
            }
        }
        Ok(Progress::Complete)
    }

    fn finish(self) -> Vec<FailureGroup> {
        let mut groups: Vec<FailureGroup> = self.groups.into_values().collect();
        groups.sort_by(|a, b| (b.count, &b.newest).cmp(&(a.count, &a.newest)));
        groups.truncate(MAX_FAILURE_GROUPS);
        groups
    }
}

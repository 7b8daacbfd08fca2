//! Failed tasks in groups of the same error.

use std::{collections::HashMap, ops::Bound, sync::Arc};

use super::rows::{Rows, Scan, StorageError};
use crate::queue::{
    error::{FailureGroup, MAX_FAILURE_GROUPS, MAX_FAILURES},
    id::TaskId,
    state::State,
    task::TaskFailure,
};

/// Failures grouped by name, and by the kind and the first line of their error, the largest group first.
pub(in crate::queue) fn failure_groups(rows: &dyn Rows) -> Result<Vec<FailureGroup>, StorageError> {
    let everything = (Bound::Unbounded, Bound::Unbounded);
    let mut groups: HashMap<(Arc<str>, TaskFailure), FailureGroup> = HashMap::new();
    let failures = rows.scan(Scan::State(State::Failed), everything, true);
    for item in failures.take(MAX_FAILURES) {
        let (_, row) = item?;
        let error = row.cold().error.as_deref();
        let error = error.map_or_else(|| "".into(), TaskFailure::summary);
        let last = row
            .end
            .as_ref()
            .map(|end| end.finished_at)
            .unwrap_or_default();
        let group = groups
            .entry((Arc::clone(&row.name), error.clone()))
            .or_insert_with(|| FailureGroup {
                name: Arc::clone(&row.name),
                error,
                count: 0,
                newest: TaskId::Sequence(row.id),
                last,
            });
        group.count += 1;
        group.last = group.last.max(last);
    }
    let mut groups: Vec<FailureGroup> = groups.into_values().collect();
    groups.sort_by(|a, b| (b.count, &b.newest).cmp(&(a.count, &a.newest)));
    groups.truncate(MAX_FAILURE_GROUPS);
    Ok(groups)
}

//! Questions about tasks, and their answers from rows, wherever those are.

use std::{collections::HashMap, ops::Bound, sync::Arc};

use tokio::sync::oneshot;

use super::{
    StoreError,
    list::{self, list},
    rows::{Rows, Running, Scan},
};
use crate::queue::{
    broker::{BrokerError, FailureGroup, MAX_FAILURES, MAX_REASONS},
    query::{Filter, Page, Query},
    task::{State, Task, TaskId},
};

/// Where an answer goes.
pub(in crate::queue) type ReadResponder<T> = oneshot::Sender<Result<T, BrokerError>>;

/// What can be asked about tasks.
pub(in crate::queue) enum ReadRequest {
    Get(TaskId, ReadResponder<Option<Task>>),
    List(Query, ReadResponder<Page>),
    Count(Filter, ReadResponder<usize>),
    Reasons(ReadResponder<Vec<FailureGroup>>),
}

impl ReadRequest {
    pub(super) fn answer(self, rows: &dyn Rows, running: &Running) {
        // Nobody waiting for an answer any more is no reason to fail.
        match self {
            Self::Get(id, answer) => drop(answer.send(told(get(rows, running, id)))),
            Self::List(query, answer) => drop(answer.send(told(list(rows, running, &query)))),
            Self::Count(filter, answer) => drop(answer.send(told(count(rows, running, &filter)))),
            Self::Reasons(answer) => drop(answer.send(told(reasons(rows)))),
        }
    }

    /// Nobody can answer it now.
    pub(super) fn refuse(self, why: BrokerError) {
        match self {
            Self::Get(_, answer) => drop(answer.send(Err(why))),
            Self::List(_, answer) => drop(answer.send(Err(why))),
            Self::Count(_, answer) => drop(answer.send(Err(why))),
            Self::Reasons(answer) => drop(answer.send(Err(why))),
        }
    }
}

fn told<T>(answer: Result<T, StoreError>) -> Result<T, BrokerError> {
    answer.map_err(|StoreError(why)| BrokerError::Storage(why))
}

fn get(rows: &dyn Rows, running: &Running, id: TaskId) -> Result<Option<Task>, StoreError> {
    let Ok(key) = u64::try_from(id.0) else {
        return Ok(None);
    };
    let Some(row) = rows.row(key)? else {
        return Ok(None);
    };
    let mut task = row.task(running.get(&key));
    task.log = rows.log(key)?;
    Ok(Some(task))
}

fn count(rows: &dyn Rows, running: &Running, filter: &Filter) -> Result<usize, StoreError> {
    let mut count = 0;
    for step in list::matching(rows, running, filter) {
        step?;
        count += 1;
    }
    Ok(count)
}

/// Failures by name and by the first line of what they said.
fn reasons(rows: &dyn Rows) -> Result<Vec<FailureGroup>, StoreError> {
    let everywhere = (Bound::Unbounded, Bound::Unbounded);
    let mut groups: HashMap<(Arc<str>, Box<str>), FailureGroup> = HashMap::new();
    let failures = rows.walk(Scan::State(State::Failed), everywhere, true);
    for step in failures.take(MAX_FAILURES) {
        let (_, row) = step?;
        let said = row.rare().error.as_deref().unwrap_or_default();
        let error: Box<str> = said.lines().next().unwrap_or_default().into();
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
                newest: TaskId(row.id.into()),
                last,
            });
        group.count += 1;
        group.last = group.last.max(last);
    }
    let mut reasons: Vec<FailureGroup> = groups.into_values().collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse((reason.count, reason.newest)));
    reasons.truncate(MAX_REASONS);
    Ok(reasons)
}

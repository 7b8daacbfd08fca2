//! Read requests and their execution on any kind of rows.

use std::{collections::HashMap, ops::Bound, sync::Arc};

use tokio::sync::oneshot;

use super::{
    StoreError,
    list::{self, list},
    rows::{Rows, Running, Scan},
};
use crate::queue::{
    error::{BrokerError, FailureGroup, MAX_FAILURE_GROUPS, MAX_FAILURES},
    id::TaskId,
    query::{Filter, Page, Query},
    state::State,
    task::Task,
};

/// The sender of a reply to a read.
pub(in crate::queue) type ReadResponder<T> = oneshot::Sender<Result<T, BrokerError>>;

/// A read of tasks, with the sender of its reply.
pub(in crate::queue) enum ReadRequest {
    Get(TaskId, ReadResponder<Option<Task>>),
    List(Query, ReadResponder<Page>),
    Count(Filter, ReadResponder<usize>),
    FailureGroups(ReadResponder<Vec<FailureGroup>>),
}

impl ReadRequest {
    pub(super) fn execute(self, rows: &dyn Rows, running: &Running) {
        match self {
            Self::Get(id, reply) => send(reply, get(rows, running, id)),
            Self::List(query, reply) => send(reply, list(rows, running, &query)),
            Self::Count(filter, reply) => send(reply, count(rows, running, &filter)),
            Self::FailureGroups(reply) => send(reply, failure_groups(rows)),
        }
    }

    /// Replies with an error.
    pub(super) fn reject(self, error: BrokerError) {
        match self {
            Self::Get(_, reply) => drop(reply.send(Err(error))),
            Self::List(_, reply) => drop(reply.send(Err(error))),
            Self::Count(_, reply) => drop(reply.send(Err(error))),
            Self::FailureGroups(reply) => drop(reply.send(Err(error))),
        }
    }
}

/// Sends a reply; a caller that no longer waits for it is no error.
fn send<T>(reply: ReadResponder<T>, result: Result<T, StoreError>) {
    drop(reply.send(result.map_err(|StoreError(why)| BrokerError::Storage(why))));
}

fn get(rows: &dyn Rows, running: &Running, id: TaskId) -> Result<Option<Task>, StoreError> {
    let Ok(key) = u64::try_from(id.0) else {
        return Ok(None);
    };
    let Some(row) = rows.row(key)? else {
        return Ok(None);
    };
    let mut task = row.to_task(running.get(&key));
    task.attempts_history = rows.attempts(key)?;
    Ok(Some(task))
}

fn count(rows: &dyn Rows, running: &Running, filter: &Filter) -> Result<usize, StoreError> {
    let mut count = 0;
    for item in list::matching(rows, running, filter) {
        item?;
        count += 1;
    }
    Ok(count)
}

/// Failures grouped by name and by the first line of their error.
fn failure_groups(rows: &dyn Rows) -> Result<Vec<FailureGroup>, StoreError> {
    let everything = (Bound::Unbounded, Bound::Unbounded);
    let mut groups: HashMap<(Arc<str>, Box<str>), FailureGroup> = HashMap::new();
    let failures = rows.scan(Scan::State(State::Failed), everything, true);
    for item in failures.take(MAX_FAILURES) {
        let (_, row) = item?;
        let error = row.cold().error.as_deref().unwrap_or_default();
        let error: Box<str> = error.lines().next().unwrap_or_default().into();
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
    let mut groups: Vec<FailureGroup> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse((group.count, group.newest)));
    groups.truncate(MAX_FAILURE_GROUPS);
    Ok(groups)
}

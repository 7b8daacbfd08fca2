//! Read requests and their execution on any kind of rows.

use tokio::sync::oneshot;

use crate::queue::{
    error::{BrokerError, FailureGroup},
    id::TaskId,
    index::{
        groups::failure_groups,
        page::{count, get, list},
        rows::{Rows, Running, StorageError},
    },
    query::{Filter, Page, Query},
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
            Self::Get(id, reply) => send(reply, get(rows, running, &id)),
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
fn send<T>(reply: ReadResponder<T>, result: Result<T, StorageError>) {
    drop(reply.send(result.map_err(|StorageError(why)| BrokerError::Storage(why))));
}

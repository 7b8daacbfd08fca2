//! Commands to the dispatcher, and the replies that it sends after a commit.

use std::time::Duration;

use tokio::sync::oneshot;

use super::core::ValidatedTask;
use crate::queue::{
    broker::{BulkAction, BulkOutcome, ShutdownReport},
    embedded::store::reads::ReadRequest,
    error::BrokerError,
    event::EventBatch,
    id::{IdempotencyKey, TaskId},
    index::rows::StorageError,
    query::Filter,
    state::State,
    stats::{NameHistograms, QueueStatus, Stats},
    submitter::Submitter,
    task::Receipt,
    worker::WorkerStatus,
};

pub(super) type Responder<T> = oneshot::Sender<T>;
pub(super) type TryResponder<T> = oneshot::Sender<Result<T, BrokerError>>;

/// Tasks of one submitter, with the key of their submit.
pub(super) struct Submission {
    pub(super) submitter: Submitter,
    pub(super) tasks: Vec<ValidatedTask>,
    pub(super) key: Option<IdempotencyKey>,
}

/// A command to the dispatcher, with the sender of its reply.
pub(super) enum DispatcherCommand {
    Submit(Submission, TryResponder<Vec<Receipt>>),
    Read(ReadRequest),
    Cancel(TaskId, TryResponder<State>),
    UndoCancel(TaskId, TryResponder<State>),
    Retry(TaskId, TryResponder<State>),
    Bulk(BulkAction, Filter, TryResponder<BulkOutcome>),
    Pause(Option<String>, bool, TryResponder<()>),
    Stats(Responder<Stats>),
    Histograms(Responder<Vec<NameHistograms>>),
    Queues(Responder<Vec<QueueStatus>>),
    Workers(Responder<Vec<WorkerStatus>>),
    Scale(usize, Responder<usize>),
    Subscribe(async_channel::Sender<EventBatch>),
    Shutdown(Duration, Responder<ShutdownReport>),
}

/// A reply that is sent only after the commit of what it acknowledges.
pub(super) enum PendingReply {
    Submitted(Vec<Receipt>, TryResponder<Vec<Receipt>>),
    StateChanged(State, TryResponder<State>),
    BulkDone(BulkOutcome, TryResponder<BulkOutcome>),
    /// A bulk action that ended early, with the reason.
    BulkStopped(BulkOutcome, BrokerError, TryResponder<BulkOutcome>),
}

impl PendingReply {
    /// Sends the reply, or the error when the commit failed. New tasks are then rolled back; all
    /// other changes stay pending.
    pub(super) fn send(self, committed: &Result<(), StorageError>) {
        let not_persisted =
            |StorageError(why): &StorageError| BrokerError::NotPersisted(why.clone());
        let pending = |StorageError(why): &StorageError| BrokerError::PersistPending(why.clone());
        let committed = committed.as_ref();
        // A caller that no longer waits for the reply is no error.
        match self {
            Self::Submitted(receipts, reply) => {
                drop(reply.send(committed.map(|()| receipts).map_err(not_persisted)));
            }
            Self::StateChanged(state, reply) => {
                drop(reply.send(committed.map(|()| state).map_err(pending)));
            }
            Self::BulkDone(outcome, reply) => {
                drop(reply.send(committed.map(|()| outcome).map_err(pending)));
            }
            Self::BulkStopped(outcome, error, reply) => {
                let error = committed.map_or_else(pending, |()| error);
                let error = if outcome == BulkOutcome::default() {
                    error
                } else {
                    BrokerError::PartialBulk {
                        done: outcome.done,
                        source: Box::new(error),
                    }
                };
                drop(reply.send(Err(error)));
            }
        }
    }
}

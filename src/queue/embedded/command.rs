//! What can be asked of the dispatcher, and the answers that it holds back.

use std::time::Duration;

use tokio::sync::oneshot;

use super::core::ValidatedTask;
use crate::queue::{
    broker::{
        BrokerError, BulkAction, BulkOutcome, EventBatch, NameHistograms, ShutdownReport, Stats,
    },
    embedded::store::reads::ReadRequest,
    query::Filter,
    task::{IdempotencyKey, Receipt, State, TaskId},
    worker::WorkerStatus,
};

pub(super) type Responder<T> = oneshot::Sender<T>;
pub(super) type TryResponder<T> = oneshot::Sender<Result<T, BrokerError>>;

/// What can be asked of the dispatcher.
pub(super) enum DispatcherCommand {
    /// Under a name of its own, if it has one.
    Submit(
        Vec<ValidatedTask>,
        Option<IdempotencyKey>,
        TryResponder<Vec<Receipt>>,
    ),
    Ask(ReadRequest),
    Cancel(TaskId, TryResponder<State>),
    Restore(TaskId, TryResponder<State>),
    Retry(TaskId, TryResponder<State>),
    Bulk(BulkAction, Filter, TryResponder<BulkOutcome>),
    Pause(Option<String>, bool, Responder<()>),
    Stats(Responder<Stats>),
    Histograms(Responder<Vec<NameHistograms>>),
    Workers(Responder<Vec<WorkerStatus>>),
    Scale(usize, Responder<usize>),
    Subscribe(async_channel::Sender<EventBatch>),
    Shutdown(Duration, Responder<ShutdownReport>),
}

/// An answer that must not leave before what it says has been kept.
pub(super) enum PendingReply {
    Taken(Vec<Receipt>, TryResponder<Vec<Receipt>>),
    Moved(State, TryResponder<State>),
    Through(BulkOutcome, TryResponder<BulkOutcome>),
}

impl PendingReply {
    pub(super) fn answer(self, kept: &Result<(), String>) {
        let refused = |why: &String| BrokerError::NotPersisted(why.clone());
        let unsaved = |why: &String| BrokerError::PersistPending(why.clone());
        let kept = kept.as_ref();
        // Nobody waiting for an answer any more is no reason to fail.
        match self {
            Self::Taken(ids, answer) => {
                drop(answer.send(kept.map(|()| ids).map_err(refused)));
            }
            Self::Moved(state, answer) => {
                drop(answer.send(kept.map(|()| state).map_err(unsaved)));
            }
            Self::Through(bulk, answer) => {
                drop(answer.send(kept.map(|()| bulk).map_err(unsaved)));
            }
        }
    }
}

//! What can be asked of the dispatcher, and the answers that it holds back.

use std::time::Duration;

use tokio::sync::oneshot;

use super::core::Accepted;
use crate::queue::{
    broker::{Batch, BrokerError, Bulk, Deed, Drained, NameHistograms, Stats},
    embedded::store::{NameChange, reads::Question},
    query::Filter,
    task::{Receipt, State, SubmitId, TaskId},
    worker::WorkerStatus,
};

pub(super) type Answer<T> = oneshot::Sender<T>;
pub(super) type Verdict<T> = oneshot::Sender<Result<T, BrokerError>>;

/// What can be asked of the dispatcher.
pub(super) enum Command {
    /// Under a name of its own, if it has one.
    Submit(Vec<Accepted>, Option<SubmitId>, Verdict<Vec<Receipt>>),
    Ask(Question),
    Cancel(TaskId, Verdict<State>),
    Restore(TaskId, Verdict<State>),
    Retry(TaskId, Verdict<State>),
    Bulk(Deed, Filter, Verdict<Bulk>),
    Pause(Option<String>, bool, Answer<()>),
    Stats(Answer<Stats>),
    Histograms(Answer<Vec<NameHistograms>>),
    Workers(Answer<Vec<WorkerStatus>>),
    Scale(usize, Answer<usize>),
    Subscribe(async_channel::Sender<Batch>),
    Names(Vec<NameChange>, Verdict<()>),
    Shutdown(Duration, Answer<Drained>),
}

/// An answer that must not leave before what it says has been kept.
pub(super) enum Held {
    Taken(Vec<Receipt>, Verdict<Vec<Receipt>>),
    Moved(State, Verdict<State>),
    Through(Bulk, Verdict<Bulk>),
    Named(Verdict<()>),
}

impl Held {
    pub(super) fn answer(self, kept: &Result<(), String>) {
        let refused = |why: &String| BrokerError::Refused(why.clone());
        let unsaved = |why: &String| BrokerError::Unsaved(why.clone());
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
            Self::Named(answer) => drop(answer.send(kept.copied().map_err(refused))),
        }
    }
}

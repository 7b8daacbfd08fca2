//! What is asked: each command is decided at once, and answered when what it changed has been kept.

use tokio::time::Instant;

use super::{Dispatcher, ShutdownState, Subscriber};
use crate::queue::{
    broker::{BrokerError, BulkAction, BulkOutcome, Event},
    embedded::{
        bulk::{BulkJob, Next},
        command::{DispatcherCommand, PendingReply, TryResponder},
        core::ValidatedTask,
        store::{StoreChange, StoreError},
    },
    query::Page,
    task::{IdempotencyKey, Receipt, State, TaskId, TaskOptions, Transition},
};

impl Dispatcher {
    pub(super) fn command(&mut self, command: DispatcherCommand) {
        // Nobody waiting for an answer any more is no reason to fail.
        match command {
            DispatcherCommand::Submit(tasks, name, answer) => self.submit(tasks, name, answer),
            DispatcherCommand::Ask(question) => self.questions.push(question),
            DispatcherCommand::Cancel(id, answer) => {
                let verdict = self.cancel(id);
                self.hold(verdict, answer);
            }
            DispatcherCommand::Restore(id, answer) => {
                self.settle();
                let verdict = self.bring_back(id, Transition::Restore);
                self.hold(verdict, answer);
            }
            DispatcherCommand::Retry(id, answer) => {
                self.settle();
                let verdict = self.bring_back(id, Transition::Retry);
                self.hold(verdict, answer);
            }
            DispatcherCommand::Bulk(deed, filter, answer) => {
                self.bulk.push_back(BulkJob::new(deed, filter, answer));
            }
            DispatcherCommand::Pause(queue, paused, answer) => {
                self.call_back();
                self.core.pause(queue.as_deref(), paused);
                answer.send(()).ok();
            }
            DispatcherCommand::Stats(answer) => self.counted.push(answer),
            DispatcherCommand::Histograms(answer) => drop(answer.send(self.core.histograms())),
            DispatcherCommand::Workers(answer) => drop(answer.send(self.pool.status())),
            DispatcherCommand::Scale(workers, answer) => {
                self.scale(workers);
                answer.send(self.wanted).ok();
            }
            DispatcherCommand::Subscribe(batches) => {
                self.core.listen(true);
                self.subscribers.push(Subscriber {
                    batches,
                    dropped: 0,
                });
            }
            DispatcherCommand::Shutdown(grace, answer) => {
                self.call_back();
                self.core.pause(None, true);
                self.ending = Some(ShutdownState {
                    by: Instant::now() + grace,
                    unstarted: self.core.unfinished().saturating_sub(self.core.in_hands()),
                    answer,
                });
            }
        }
    }

    pub(super) fn submit(
        &mut self,
        tasks: Vec<ValidatedTask>,
        name: Option<IdempotencyKey>,
        answer: TryResponder<Vec<Receipt>>,
    ) {
        if let Some(name) = name
            && let Some(receipts) = self.submits.answer(name)
        {
            // The first time may have been a moment ago, and not be kept yet.
            let open =
                |change: &StoreChange| matches!(change, StoreChange::Submit(row) if row.id == name);
            if self.changes.iter().any(open) {
                self.held.push(PendingReply::Taken(receipts, answer));
            } else {
                answer.send(Ok(receipts)).ok();
            }
            return;
        }
        if self.ending.is_some() {
            answer.send(Err(BrokerError::Closed)).ok();
            return;
        }
        let usual = TaskOptions::default().priority;
        if tasks.iter().any(|task| task.options.priority > usual) {
            // What goes first must also go before what lies in the channel.
            self.call_back();
        }
        let now = self.clock.now();
        match self.core.submit(now, tasks) {
            Ok(receipts) => {
                if let Some(name) = name {
                    let row = self.submits.note(now, name, &receipts);
                    self.changes.push(StoreChange::Submit(row));
                    let over = self.submits.expire(now);
                    self.changes.extend(over.map(StoreChange::ExpireKeys));
                }
                self.held.push(PendingReply::Taken(receipts, answer));
            }
            Err(why) => drop(answer.send(Err(why))),
        }
    }

    pub(super) fn hold(
        &mut self,
        verdict: Result<State, BrokerError>,
        answer: TryResponder<State>,
    ) {
        match verdict {
            Ok(state) => self.held.push(PendingReply::Moved(state, answer)),
            Err(why) => drop(answer.send(Err(why))),
        }
    }

    pub(super) fn cancel(&mut self, id: TaskId) -> Result<State, BrokerError> {
        self.call_back();
        let now = self.clock.now();
        let key = key(id)?;
        if let Some(state) = self.core.cancel(now, key) {
            return Ok(state);
        }
        // It may have ended in this very round.
        self.settle();
        let state = self.ended_row(id)?.state;
        Err(match state.apply(Transition::Cancel) {
            Err(why) => BrokerError::InvalidTransition { id, why },
            Ok(_) => BrokerError::NotFound(id),
        })
    }

    /// Brings an ended task back. What has ended must have been kept, which is done once for many.
    pub(super) fn bring_back(
        &mut self,
        id: TaskId,
        step: Transition,
    ) -> Result<State, BrokerError> {
        if let Some(state) = self.core.state(key(id)?) {
            return Err(match state.apply(step) {
                Err(why) => BrokerError::InvalidTransition { id, why },
                Ok(_) => BrokerError::NotFound(id),
            });
        }
        let now = self.clock.now();
        let row = self.ended_row(id)?;
        let function = self.registry.get(&row.name).cloned();
        match step {
            Transition::Retry => self.core.retry(now, row, function),
            _ => self.core.restore(now, row, function),
        }
    }

    pub(super) fn ended_row(
        &mut self,
        id: TaskId,
    ) -> Result<crate::queue::embedded::store::row::Row, BrokerError> {
        let unreadable = |StoreError(why)| BrokerError::Storage(why);
        let row = self.store.row(key(id)?).map_err(unreadable)?;
        let row = row.ok_or(BrokerError::NotFound(id))?;
        match &self.trouble {
            // What ended and could not be kept is still kept as it was before.
            Some(why) if row.end.is_none() => Err(BrokerError::NotPersisted(why.clone())),
            _ => Ok(row),
        }
    }

    /// Does a page of the bulk that is first in line.
    pub(super) fn bulk_step(&mut self) {
        let Some(job) = self.bulk.pop_front() else {
            return;
        };
        // What this very round has changed is to be seen.
        self.settle();
        let running = self.running();
        let page = match self.store.list(&running, job.query()) {
            Ok(page) => page,
            Err(StoreError(why)) => return job.fail(BrokerError::Storage(why)),
        };
        let done = self.do_to(job.deed, &page);
        match job.turn(&page, done) {
            Next::More(job) => self.bulk.push_back(*job),
            Next::Over(bulk, answer) => self.held.push(PendingReply::Through(bulk, answer)),
        }
    }

    pub(super) fn do_to(&mut self, deed: BulkAction, page: &Page) -> BulkOutcome {
        let ids = page.tasks.iter().map(|task| task.id);
        let mut bulk = BulkOutcome::default();
        if deed == BulkAction::Purge {
            let ids: Vec<u64> = ids.filter_map(|id| u64::try_from(id.0).ok()).collect();
            bulk.done = ids.len();
            if !ids.is_empty() {
                self.core.forgotten(ids.len());
                self.core.note(Event::Purged { count: ids.len() });
                self.changes.push(StoreChange::Delete(ids));
            }
            return bulk;
        }
        for id in ids {
            let done = match deed {
                BulkAction::Cancel => self.cancel(id),
                BulkAction::Retry | BulkAction::Purge => self.bring_back(id, Transition::Retry),
            };
            match done {
                Ok(_) => bulk.done += 1,
                Err(_refused) => bulk.skipped += 1,
            }
        }
        bulk
    }
}

/// The number of a task of this engine.
fn key(id: TaskId) -> Result<u64, BrokerError> {
    u64::try_from(id.0).map_err(|_not_ours| BrokerError::NotFound(id))
}

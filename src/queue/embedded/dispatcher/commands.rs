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
    pub(super) fn handle_command(&mut self, command: DispatcherCommand) {
        // Nobody waiting for an answer any more is no reason to fail.
        match command {
            DispatcherCommand::Submit(tasks, name, answer) => self.submit(tasks, name, answer),
            DispatcherCommand::Read(request) => self.reads.push(request),
            DispatcherCommand::Cancel(id, answer) => {
                let verdict = self.cancel(id);
                self.reply_after_commit(verdict, answer);
            }
            DispatcherCommand::Restore(id, answer) => {
                self.commit();
                let verdict = self.requeue(id, Transition::Restore);
                self.reply_after_commit(verdict, answer);
            }
            DispatcherCommand::Retry(id, answer) => {
                self.commit();
                let verdict = self.requeue(id, Transition::Retry);
                self.reply_after_commit(verdict, answer);
            }
            DispatcherCommand::Bulk(action, filter, answer) => {
                self.bulk_jobs
                    .push_back(BulkJob::new(action, filter, answer));
            }
            DispatcherCommand::Pause(queue, paused, answer) => {
                self.reclaim();
                self.core.set_paused(queue.as_deref(), paused);
                answer.send(()).ok();
            }
            DispatcherCommand::Stats(answer) => self.stats_requests.push(answer),
            DispatcherCommand::Histograms(answer) => drop(answer.send(self.core.histograms())),
            DispatcherCommand::Workers(answer) => drop(answer.send(self.pool.statuses())),
            DispatcherCommand::Scale(workers, answer) => {
                self.scale(workers);
                answer.send(self.desired_workers).ok();
            }
            DispatcherCommand::Subscribe(batches) => {
                self.core.set_recording(true);
                self.subscribers.push(Subscriber {
                    batches,
                    dropped: 0,
                });
            }
            DispatcherCommand::Shutdown(grace, answer) => {
                self.reclaim();
                self.core.set_paused(None, true);
                self.shutdown = Some(ShutdownState {
                    by: Instant::now() + grace,
                    unstarted: self.core.unfinished().saturating_sub(self.core.in_flight()),
                    answer,
                });
            }
        }
    }

    pub(super) fn submit(
        &mut self,
        tasks: Vec<ValidatedTask>,
        key: Option<IdempotencyKey>,
        reply: TryResponder<Vec<Receipt>>,
    ) {
        if let Some(key) = key
            && let Some(receipts) = self.idempotency.receipts(key)
        {
            // The first submit may not be committed yet.
            let pending =
                |change: &StoreChange| matches!(change, StoreChange::Submit(row) if row.key == key);
            if self.changes.iter().any(pending) {
                self.pending_replies
                    .push(PendingReply::Submitted(receipts, reply));
            } else {
                reply.send(Ok(receipts)).ok();
            }
            return;
        }
        if self.shutdown.is_some() {
            reply.send(Err(BrokerError::Closed)).ok();
            return;
        }
        let default = TaskOptions::default().priority;
        if tasks.iter().any(|task| task.options.priority > default) {
            // A higher priority also goes before the jobs in the channel.
            self.reclaim();
        }
        let now = self.clock.now();
        match self.core.submit(now, tasks) {
            Ok(receipts) => {
                if let Some(key) = key {
                    let row = self.idempotency.insert(now, key, &receipts);
                    self.changes.push(StoreChange::Submit(row));
                    let expired = self.idempotency.expire(now);
                    self.changes.extend(expired.map(StoreChange::ExpireKeys));
                }
                self.pending_replies
                    .push(PendingReply::Submitted(receipts, reply));
            }
            Err(why) => drop(reply.send(Err(why))),
        }
    }

    pub(super) fn reply_after_commit(
        &mut self,
        verdict: Result<State, BrokerError>,
        answer: TryResponder<State>,
    ) {
        match verdict {
            Ok(state) => self
                .pending_replies
                .push(PendingReply::StateChanged(state, answer)),
            Err(why) => drop(answer.send(Err(why))),
        }
    }

    pub(super) fn cancel(&mut self, id: TaskId) -> Result<State, BrokerError> {
        self.reclaim();
        let now = self.clock.now();
        if let Some(state) = self.core.cancel(now, sequence(id)?) {
            return Ok(state);
        }
        // It may have ended in this very round.
        self.commit();
        let state = self.finished_row(id)?.state;
        Err(match state.apply(Transition::Cancel) {
            Err(why) => BrokerError::InvalidTransition { id, why },
            Ok(_) => BrokerError::NotFound(id),
        })
    }

    /// Brings an ended task back. What has ended must have been kept, which is done once for many.
    pub(super) fn requeue(&mut self, id: TaskId, step: Transition) -> Result<State, BrokerError> {
        if let Some(state) = self.core.state(sequence(id)?) {
            return Err(match state.apply(step) {
                Err(why) => BrokerError::InvalidTransition { id, why },
                Ok(_) => BrokerError::NotFound(id),
            });
        }
        let now = self.clock.now();
        let row = self.finished_row(id)?;
        let function = self.registry.get(&row.name).cloned();
        match step {
            Transition::Retry => self.core.retry(now, row, function),
            _ => self.core.undo_cancel(now, row, function),
        }
    }

    pub(super) fn finished_row(
        &mut self,
        id: TaskId,
    ) -> Result<crate::queue::embedded::store::row::Row, BrokerError> {
        let store_error = |StoreError(why)| BrokerError::Storage(why);
        let row = self.store.row(sequence(id)?).map_err(store_error)?;
        let row = row.ok_or(BrokerError::NotFound(id))?;
        match &self.persist_error {
            // What ended and could not be kept is still kept as it was before.
            Some(why) if row.end.is_none() => Err(BrokerError::NotPersisted(why.clone())),
            _ => Ok(row),
        }
    }

    /// Does a page of the bulk that is first in line.
    pub(super) fn run_bulk_page(&mut self) {
        let Some(job) = self.bulk_jobs.pop_front() else {
            return;
        };
        // What this very round has changed is to be seen.
        self.commit();
        let running = self.running();
        let page = match self.store.list(&running, job.query()) {
            Ok(page) => page,
            Err(StoreError(why)) => return job.fail(BrokerError::Storage(why)),
        };
        let done = self.apply_to_page(job.action, &page);
        match job.add_page(&page, done) {
            Next::Continue(job) => self.bulk_jobs.push_back(*job),
            Next::Finished(bulk, answer) => self
                .pending_replies
                .push(PendingReply::BulkDone(bulk, answer)),
        }
    }

    pub(super) fn apply_to_page(&mut self, action: BulkAction, page: &Page) -> BulkOutcome {
        let ids = page.tasks.iter().map(|task| task.id);
        let mut bulk = BulkOutcome::default();
        if action == BulkAction::Purge {
            let ids: Vec<u64> = ids.filter_map(|id| u64::try_from(id.0).ok()).collect();
            bulk.done = ids.len();
            if !ids.is_empty() {
                self.core.count_evicted(ids.len());
                self.core.emit(Event::Purged { count: ids.len() });
                self.changes.push(StoreChange::Delete(ids));
            }
            return bulk;
        }
        for id in ids {
            let done = match action {
                BulkAction::Cancel => self.cancel(id),
                BulkAction::Retry | BulkAction::Purge => self.requeue(id, Transition::Retry),
            };
            match done {
                Ok(_) => bulk.done += 1,
                Err(_refused) => bulk.skipped += 1,
            }
        }
        bulk
    }
}

/// The sequence number of a task of this engine.
fn sequence(id: TaskId) -> Result<u64, BrokerError> {
    u64::try_from(id.0).map_err(|_not_ours| BrokerError::NotFound(id))
}

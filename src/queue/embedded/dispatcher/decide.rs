//! The second phase of a round: the decision on each message. It changes the core, and adds to the
//! changes, replies and reads that the later phases carry out.

use tokio::time::Instant;

use super::{Dispatcher, ShutdownState, Subscriber, collect::Message};
use crate::queue::{
    embedded::{
        command::{DispatcherCommand, PendingReply, Submission, TryResponder},
        store::StoreChange,
    },
    error::BrokerError,
    executor::job::WorkerReport,
    id::TaskId,
    index::{row::Row, rows::StorageError},
    limits::MAX_SPAN,
    options::TaskOptions,
    state::{State, Transition},
    task::Receipt,
};

impl Dispatcher {
    /// Decides on everything that was collected, and lets the time pass.
    pub(super) fn decide(&mut self) {
        self.ended_runs = 0;
        if let Some(step) = self.clock.detect_step() {
            // Jobs have expiry times of their own, which do not follow the step.
            self.reclaim();
            self.core.apply_clock_step(step);
            self.retention_clock.apply_step(step);
        }
        let bulk_may_step = self.changes.is_empty();
        let mut inbox = std::mem::take(&mut self.inbox);
        for message in inbox.drain(..) {
            match message {
                Message::Report(report) => self.handle_report(report),
                Message::Command(command) => self.handle_command(command),
                Message::Candidates(page) => self.receive_candidates(page),
            }
        }
        if bulk_may_step {
            self.step_bulk_job();
        }
        // The buffer is reused.
        self.inbox = inbox;
        let now = self.clock.now();
        if self.core.has_expired(now) {
            self.reclaim();
        }
        self.core.advance(now);
    }

    fn handle_report(&mut self, report: WorkerReport) {
        let worker = report.worker;
        if let Some(ended) = report.ended {
            self.ended_runs += 1;
            self.core.run_ended(worker, ended);
        }
        if let Some(expired) = report.expired {
            self.core.job_expired(&expired);
        }
        if let Some(started) = report.started {
            self.core.run_started(worker, started);
        }
        if report.stopped {
            self.pool.remove(worker);
            self.emit_worker_event(worker, false);
        }
    }

    fn handle_command(&mut self, command: DispatcherCommand) {
        // A caller that no longer waits for its reply is no error.
        match command {
            DispatcherCommand::Submit(submission, reply) => self.submit(submission, reply),
            DispatcherCommand::Read(request) => self.reads.push(request),
            DispatcherCommand::Cancel(id, reply) => {
                let decision = self.cancel(id);
                self.reply_after_commit(decision, reply);
            }
            DispatcherCommand::UndoCancel(id, reply) => {
                let decision = self.requeue(id, Transition::UndoCancel);
                self.reply_after_commit(decision, reply);
            }
            DispatcherCommand::Retry(id, reply) => {
                let decision = self.requeue(id, Transition::Retry);
                self.reply_after_commit(decision, reply);
            }
            DispatcherCommand::Bulk(_, _, reply) if self.shutdown.is_some() => {
                reply.send(Err(BrokerError::Closed)).ok();
            }
            DispatcherCommand::Bulk(action, filter, reply) => {
                self.bulk_jobs.add(action, filter, reply);
            }
            DispatcherCommand::Pause(queue, paused, reply) => {
                self.reclaim();
                let done = self.core.set_paused(queue.as_deref(), paused);
                reply.send(done.map_err(BrokerError::from)).ok();
            }
            DispatcherCommand::Stats(reply) => self.stats_requests.push(reply),
            DispatcherCommand::Histograms(reply) => drop(reply.send(self.core.histograms())),
            DispatcherCommand::Queues(reply) => {
                // What no worker has received is still in its queue.
                self.reclaim();
                reply.send(self.core.queues(self.pool.consumers())).ok();
            }
            DispatcherCommand::Workers(reply) => drop(reply.send(self.pool.statuses())),
            DispatcherCommand::Scale(workers, reply) => {
                self.scale(workers);
                reply.send(self.desired_workers).ok();
            }
            DispatcherCommand::Subscribe(batches) => {
                self.core.set_recording(true);
                self.subscribers.push(Subscriber {
                    batches,
                    dropped: 0,
                });
            }
            DispatcherCommand::Shutdown(grace, reply) => {
                self.reclaim();
                self.stop_bulk_jobs();
                // Pausing everything needs no other queue, so it cannot fail.
                self.core.set_paused(None, true).ok();
                self.shutdown = Some(ShutdownState {
                    deadline: Instant::now() + grace.min(MAX_SPAN),
                    unstarted: self.core.unfinished().saturating_sub(self.core.in_flight()),
                    reply,
                });
            }
        }
    }

    fn submit(&mut self, submission: Submission, reply: TryResponder<Vec<Receipt>>) {
        let Submission {
            submitter,
            tasks,
            key,
        } = submission;
        if let Some(key) = key
            && let Some(receipts) = self.idempotency.receipts(key)
        {
            // The first submit may not be committed yet.
            let pending =
                |change: &StoreChange| matches!(change, StoreChange::Submit(row) if row.key == key);
            if self.changes.iter().any(pending) {
                self.replies.push(PendingReply::Submitted(receipts, reply));
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
        match self.core.submit(now, &submitter, tasks) {
            Ok(receipts) => {
                if let Some(key) = key {
                    let row = self.idempotency.insert(now, key, &receipts);
                    self.push_change(StoreChange::Submit(row));
                    let now = self.retention_clock.at(now);
                    if let Some(before) = self.idempotency.expire(now) {
                        self.push_change(StoreChange::ExpireKeys(before));
                    }
                }
                self.replies.push(PendingReply::Submitted(receipts, reply));
            }
            Err(why) => drop(reply.send(Err(why))),
        }
    }

    fn reply_after_commit(
        &mut self,
        decision: Result<State, BrokerError>,
        reply: TryResponder<State>,
    ) {
        match decision {
            Ok(state) => self.replies.push(PendingReply::StateChanged(state, reply)),
            Err(why) => drop(reply.send(Err(why))),
        }
    }

    pub(super) fn cancel(&mut self, id: TaskId) -> Result<State, BrokerError> {
        self.reclaim();
        if let Some(state) = self.core.cancel(self.clock.now(), sequence(&id)?) {
            return Ok(state);
        }
        let state = self.current_row(&id)?.state;
        Err(invalid(id, state, Transition::Cancel))
    }

    /// Requeues a finished task: retries it, or undoes its cancellation.
    pub(super) fn requeue(
        &mut self,
        id: TaskId,
        transition: Transition,
    ) -> Result<State, BrokerError> {
        if let Some(state) = self.core.state(sequence(&id)?) {
            return Err(invalid(id, state, transition));
        }
        let row = self.current_row(&id)?;
        let now = self.clock.now();
        let function = self.registry.get(&row.name).cloned();
        match transition {
            Transition::Retry => self.core.retry(now, row, function),
            _ => self.core.undo_cancel(now, row, function),
        }
    }

    /// The row of a task with all pending changes, as it will be stored by the commit.
    pub(super) fn current_row(&mut self, id: &TaskId) -> Result<Row, BrokerError> {
        let number = sequence(id)?;
        let stored = self.store.row(number);
        let mut row = stored.map_err(|StorageError(why)| BrokerError::Storage(why))?;
        if self.has_pending_change(number) {
            for change in &self.changes {
                change.apply_to(number, &mut row);
            }
        }
        row.ok_or_else(|| BrokerError::NotFound(id.clone()))
    }

    /// Returns true if a change of the task has not been committed.
    pub(super) fn has_pending_change(&mut self, id: u64) -> bool {
        self.core.drain_changes(&mut self.changes);
        self.changed.contains(&self.changes, id)
    }

    /// Adds a change behind those that the core has made.
    pub(super) fn push_change(&mut self, change: StoreChange) {
        self.core.drain_changes(&mut self.changes);
        self.changes.push(change);
    }
}

/// The error of a transition that a task in this state cannot make.
fn invalid(id: TaskId, state: State, transition: Transition) -> BrokerError {
    match state.apply(transition) {
        Err(why) => BrokerError::InvalidTransition { id, source: why },
        Ok(_) => BrokerError::NotFound(id),
    }
}

/// The sequence number of a task of this engine.
fn sequence(id: &TaskId) -> Result<u64, BrokerError> {
    id.sequence()
        .ok_or_else(|| BrokerError::NotFound(id.clone()))
}

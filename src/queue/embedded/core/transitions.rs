//! The transitions of one task, with its timers and its places in the queues.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Core, Timer, backoff::retry_delay, deadlines::ActiveRun, live_task::LiveTask, sequence, task_id,
};
use crate::queue::{
    clock::Timestamp,
    embedded::store::StoreChange,
    error::BrokerError,
    event::Event,
    executor::job::{JobExpired, RunEnded, RunOutcome, RunStarted},
    id::WorkerNumber,
    index::row::{Completion, EndRow, Row, Run},
    options::TimeLimits,
    registry::TaskFunction,
    state::{State, Transition},
    task::{Attempt, TaskFailure},
};

impl Core {
    /// Handles the report that a worker has started a run.
    pub(in crate::queue::embedded) fn run_started(
        &mut self,
        worker: WorkerNumber,
        started: RunStarted,
    ) {
        let RunStarted { id, run, at } = started;
        let id = sequence(&id);
        let Some(task) = self.tasks.get_mut(&id).filter(|task| task.run == run) else {
            return;
        };
        self.queues.end_dispatch(task.queue);
        task.attempts = task.attempts.saturating_add(1);
        let wait_time = at.since(task.ready_at);
        let own = task.overrides.as_deref().map(|own| own.limits);
        let own = own.unwrap_or_default();
        let limits = TimeLimits {
            soft: own.soft.or(self.limits.run.soft),
            hard: own.hard.or(self.limits.run.hard),
        };
        let stop = task.cancelling;
        clear_timers(&mut self.timers, id, task);
        apply_transition(&mut self.counts, id, task, Transition::Start);
        self.metrics.record_wait(&task.name, wait_time);
        let name = self.recording.then(|| Arc::clone(&task.name));
        self.track_run(id, ActiveRun::new(run, worker, at, wait_time, limits));
        if let Some(name) = name {
            self.emit(Event::Started {
                id: task_id(id),
                name,
                worker: worker.into(),
            });
        }
        if stop {
            self.request_stop(at, id);
        }
    }

    /// Handles the report that a worker has received a task too late.
    pub(in crate::queue::embedded) fn job_expired(&mut self, expired: &JobExpired) {
        let id = sequence(&expired.id);
        let task = self.tasks.get(&id);
        if task.is_some_and(|task| task.run == expired.run && task.state == State::Queued) {
            self.finish_task(expired.at, id, State::Expired, None, None, None);
        }
    }

    /// Handles the report that a worker has ended a run.
    pub(in crate::queue::embedded) fn run_ended(&mut self, worker: WorkerNumber, report: RunEnded) {
        let RunEnded {
            id,
            run: number,
            at,
            run_time,
            outcome,
        } = report;
        let id = sequence(&id);
        let known = self
            .running
            .get(&id)
            .filter(|active| active.number == number);
        let (Some(active), Some(task)) = (known.copied(), self.tasks.get(&id)) else {
            self.metrics.stale_reports += 1;
            return;
        };
        let last_run = Some(active.ended(run_time));
        let (error, retryable) = match outcome {
            RunOutcome::Succeeded(result) => {
                self.metrics.record_run(&task.name, run_time, true);
                self.finish_task(at, id, State::Succeeded, None, last_run, Some(result));
                return;
            }
            RunOutcome::Cancelled => {
                self.finish_task(at, id, State::Cancelled, None, last_run, None);
                return;
            }
            RunOutcome::Failed { error, retryable } => (error, retryable),
            RunOutcome::TimedOut => {
                let own = task.overrides.as_deref().and_then(|own| own.limits.hard);
                let limit = own.or(self.limits.run.hard).unwrap_or_default();
                let why = format!("ran longer than its time limit of {limit:?}");
                (TaskFailure::new(TaskFailure::TIME_LIMIT, why), true)
            }
        };
        self.metrics.record_run(&task.name, run_time, false);
        let retry = retryable && task.attempts < task.max_attempts && !task.cancelling;
        if retry {
            let name = self.recording.then(|| Arc::clone(&task.name));
            self.record_attempt(id, last_run, &error);
            self.schedule_retry(id, at, error);
            if let Some(name) = name {
                self.emit(Event::Finished {
                    id: task_id(id),
                    name,
                    state: State::Retrying,
                    worker: Some(worker.into()),
                    run_time,
                });
            }
        } else {
            self.record_attempt(id, last_run, &error);
            self.finish_task(at, id, State::Failed, Some(error), last_run, None);
        }
    }

    pub(super) fn record_attempt(&mut self, id: u64, run: Option<Run>, error: &TaskFailure) {
        let attempt = Attempt {
            worker: run.map(|run| run.worker.into()),
            wait_time: run.map(|run| run.wait_time()).unwrap_or_default(),
            started_at: run.map(|run| run.started_at).unwrap_or_default(),
            run_time: run.map(|run| run.run_time()).unwrap_or_default(),
            error: error.clone(),
        };
        self.changes.push(StoreChange::Attempt(id, attempt));
    }

    /// Moves a task to a final state. It leaves the core; the store retains it.
    pub(super) fn finish_task(
        &mut self,
        now: Timestamp,
        id: u64,
        state: State,
        error: Option<TaskFailure>,
        last_run: Option<Run>,
        result: Option<Box<str>>,
    ) {
        let Some(task) = self.remove_task(id) else {
            return;
        };
        let result_ttl = task.overrides.as_deref().and_then(|own| own.result_ttl);
        let age = result_ttl.unwrap_or(match state {
            State::Failed => self.ages.failed_age,
            _ => self.ages.age,
        });
        let evict_at = now.after(age);
        self.next_eviction = Some(self.next_eviction.map_or(evict_at, |at| at.min(evict_at)));
        self.changes.push(StoreChange::Completion(
            id,
            Completion {
                state,
                attempts: task.attempts,
                crashes: task.crashes,
                error: error.map(Box::new),
                end: EndRow {
                    finished_at: now,
                    evict_at,
                    last_run,
                    result,
                },
            },
        ));
        self.metrics.record_end(now, state);
        self.emit(Event::Finished {
            id: task_id(id),
            name: task.name,
            state,
            worker: last_run.map(|run| run.worker.into()),
            run_time: last_run.map(|run| run.run_time()).unwrap_or_default(),
        });
    }

    /// Removes a task with everything that refers to it.
    pub(super) fn remove_task(&mut self, id: u64) -> Option<Box<LiveTask>> {
        let task = self.tasks.remove(&id)?;
        clear_timers(&mut self.timers, id, &task);
        self.adjust_count(task.state, -1);
        if self.running.remove(&id).is_none() && task.state == State::Queued {
            if task.run == 0 {
                self.queues.remove(id, &task);
            } else {
                self.queues.end_dispatch(task.queue);
            }
        }
        if let Some((account, bytes)) = task.account {
            self.accounts.remove(account, bytes.into());
        }
        if let Some(key) = task.unique_key() {
            self.unique.remove(&key);
        }
        if let Some(next) = self.queues.release_serial_group(id, &task) {
            self.make_holder_ready(next);
        }
        Some(task)
    }

    fn make_holder_ready(&mut self, holder: u64) {
        if let Some(task) = self.tasks.get(&holder) {
            self.queues.insert_ready(holder, task);
        }
    }

    /// Fails a task that cannot be started.
    pub(in crate::queue::embedded) fn fail_to_start(&mut self, id: u64, why: TaskFailure) {
        let ready_at = self.tasks.get(&id).map(|task| task.ready_at);
        let now = ready_at.unwrap_or_default();
        self.record_attempt(id, None, &why);
        self.finish_task(now, id, State::Failed, Some(why), None, None);
    }

    /// Cancels a task. The dispatcher has reclaimed the jobs in the channel, so a task that is neither
    /// waiting nor running has just been received by a worker.
    pub(in crate::queue::embedded) fn cancel(&mut self, now: Timestamp, id: u64) -> Option<State> {
        let task = self.tasks.get_mut(&id)?;
        let dispatched = task.state == State::Queued && task.run != 0;
        if task.state == State::Running || dispatched {
            task.cancelling = true;
            self.request_stop(now, id);
            return Some(State::Running);
        }
        self.finish_task(now, id, State::Cancelled, None, None, None);
        Some(State::Cancelled)
    }

    /// Makes a finished task ready again, with all its attempts.
    pub(in crate::queue::embedded) fn retry(
        &mut self,
        now: Timestamp,
        mut row: Row,
        function: Option<Arc<TaskFunction>>,
    ) -> Result<State, BrokerError> {
        row.state = self.check_requeue(&row, Transition::Retry)?;
        row.attempts = 0;
        row.crashes = 0;
        row.update_cold(|cold| {
            cold.expires_at = None;
            cold.due_at = None;
            cold.wall_clock = false;
        });
        row.ready_at = now;
        self.requeue(row, function)
    }

    /// Undoes a cancellation: the task waits as it did before.
    pub(in crate::queue::embedded) fn undo_cancel(
        &mut self,
        now: Timestamp,
        mut row: Row,
        function: Option<Arc<TaskFunction>>,
    ) -> Result<State, BrokerError> {
        row.update_cold(|cold| cold.due_at = cold.due_at.filter(|due| *due > now));
        let transition = match row.cold().due_at {
            Some(_) => Transition::UndoCancelScheduled,
            None => Transition::UndoCancel,
        };
        row.state = self.check_requeue(&row, transition)?;
        self.requeue(row, function)
    }

    /// The state that a finished task would have after a transition back.
    fn check_requeue(&self, row: &Row, transition: Transition) -> Result<State, BrokerError> {
        let state = row.state.apply(transition);
        let state = state.map_err(|why| BrokerError::InvalidTransition {
            id: task_id(row.id),
            source: why,
        })?;
        let (backlog, limit) = (self.unfinished(), self.limits.backlog);
        if backlog >= limit {
            return Err(BrokerError::Overloaded { backlog, limit });
        }
        self.queues.check_room_for(row.cold().queue.as_ref())?;
        let unique = super::live_task::unique_key(&row.name, row.cold().key.as_deref());
        match unique.and_then(|key| self.unique.get(&key)) {
            Some(by) => Err(BrokerError::DuplicateKey {
                id: task_id(row.id),
                holder: task_id(*by),
            }),
            None => Ok(state),
        }
    }

    fn requeue(
        &mut self,
        mut row: Row,
        function: Option<Arc<TaskFunction>>,
    ) -> Result<State, BrokerError> {
        row.end = None;
        let id = row.id;
        self.insert_task(&row, function);
        if let Some(task) = self.tasks.get(&id) {
            self.changes.push(StoreChange::Requeue(task.reschedule(id)));
        }
        self.emit(Event::Requeued { id: task_id(id) });
        Ok(row.state)
    }

    pub(super) fn make_due(&mut self, now: Timestamp, id: u64) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        task.make_ready(now);
        apply_transition(&mut self.counts, id, task, Transition::Due);
        self.queues.enqueue(id, task);
        self.changes
            .push(StoreChange::Reschedule(task.reschedule(id)));
    }

    pub(super) fn expire_task(&mut self, now: Timestamp, id: u64) {
        let task = self.tasks.get(&id);
        if task.is_some_and(|task| task.run == 0 && task.state != State::Running) {
            self.finish_task(now, id, State::Expired, None, None, None);
        }
    }

    fn schedule_retry(&mut self, id: u64, now: Timestamp, error: TaskFailure) {
        self.running.remove(&id);
        self.metrics.retried += 1;
        let share = self.rng.f64();
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let due = now.after(retry_delay(task.attempts, share));
        task.due_at = Some(due);
        task.wall_clock = false;
        task.run = 0;
        apply_transition(&mut self.counts, id, task, Transition::FailRetryable);
        self.timers.insert((due, id, Timer::Due));
        if let Some(expires) = task.expires_at {
            self.timers.insert((expires, id, Timer::Expire));
        }
        let mut change = task.reschedule(id);
        change.error = Some(Box::new(error));
        self.changes.push(StoreChange::Reschedule(change));
        if let Some(next) = self.queues.release_serial_group(id, task) {
            self.make_holder_ready(next);
        }
    }

    /// Removes new tasks that could not be stored: their submits fail, and it is as if they had never
    /// been accepted. All other changes stay. Returns the number of tasks removed.
    pub(in crate::queue::embedded) fn rollback_new(
        &mut self,
        changes: &mut Vec<StoreChange>,
    ) -> usize {
        let new: BTreeSet<u64> = changes
            .iter()
            .filter_map(|change| match change {
                StoreChange::New(row) => Some(row.id),
                _ => None,
            })
            .collect();
        for id in &new {
            self.remove_task(*id);
        }
        self.metrics.submitted -= new.len() as u64;
        changes.retain(|change| match change {
            StoreChange::New(_) => false,
            StoreChange::Reschedule(change) | StoreChange::Requeue(change) => {
                !new.contains(&change.id)
            }
            StoreChange::Attempt(id, _) | StoreChange::Completion(id, _) => !new.contains(id),
            StoreChange::Submit(submit) => {
                !submit.ids.iter().any(|range| new.contains(&range.first))
            }
            StoreChange::Delete(_) | StoreChange::ExpireKeys(_) => true,
        });
        new.len()
    }
}

/// Applies a transition that the caller knows to be valid, and updates the counts.
pub(super) fn apply_transition(
    counts: &mut [usize; State::COUNT],
    id: u64,
    task: &mut LiveTask,
    transition: Transition,
) {
    match task.state.apply(transition) {
        Ok(state) => {
            if let Some(count) = counts.get_mut(task.state.index()) {
                *count -= 1;
            }
            if let Some(count) = counts.get_mut(state.index()) {
                *count += 1;
            }
            task.state = state;
        }
        Err(why) => debug_assert!(false, "#{id}: {why}"),
    }
}

fn clear_timers(timers: &mut BTreeSet<(Timestamp, u64, Timer)>, id: u64, task: &LiveTask) {
    if let Some(due) = task.due_at {
        timers.remove(&(due, id, Timer::Due));
    }
    if let Some(expires) = task.expires_at {
        timers.remove(&(expires, id, Timer::Expire));
    }
}

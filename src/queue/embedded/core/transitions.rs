//! The life of one task: every step that it takes, with its timers and its places in the queues.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{Core, Timer, deadlines::ActiveRun, live_task::LiveTask, task_id};
use crate::{
    queue::{
        broker::{BrokerError, Event},
        embedded::store::{
            Completion, StoreChange,
            row::{EndRow, LastRun, Row},
        },
        executor::worker::{RunEnded, RunOutcome, Started},
        registry::TaskFunction,
        task::{Attempt, State, TimeLimits, Timestamp, Transition, WorkerId},
    },
    retry,
};

/// The first and the longest pause between attempts.
pub(super) const FIRST_RETRY: Duration = Duration::from_secs(1);
pub(super) const LONGEST_RETRY: Duration = Duration::from_secs(60);

impl Core {
    /// A worker has begun.
    pub(in crate::queue::embedded) fn started(&mut self, worker: WorkerId, started: Started) {
        let Started { id, run, at } = started;
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.run == run) else {
            return;
        };
        self.handed -= 1;
        entry.attempts = entry.attempts.saturating_add(1);
        let waited = at.since(entry.ready_at);
        let own = entry.terms.as_deref().map(|terms| terms.limits);
        let own = own.unwrap_or_default();
        let limits = TimeLimits {
            soft: own.soft.or(self.limits.run.soft),
            hard: own.hard.or(self.limits.run.hard),
        };
        let stop = entry.cancelling;
        disarm(&mut self.timers, id, entry);
        step(&mut self.counts, id, entry, Transition::Start);
        self.meter.wait(&entry.name, waited);
        self.watch(id, ActiveRun::new(run, worker, at, waited, limits));
        self.note(Event::Started {
            id: task_id(id),
            worker,
        });
        if stop {
            self.stop_running(at, id);
        }
    }

    /// A worker has ended a run.
    pub(in crate::queue::embedded) fn ended(&mut self, worker: WorkerId, report: RunEnded) {
        let RunEnded {
            id,
            run: number,
            at,
            ran,
            outcome,
        } = report;
        let known = self.running.get(&id).filter(|run| run.run == number);
        let (Some(run), Some(entry)) = (known.copied(), self.entries.get(&id)) else {
            self.meter.late += 1;
            return;
        };
        let last = Some(run.last(ran));
        let (error, again) = match outcome {
            RunOutcome::Succeeded(result) => {
                self.meter.run(&entry.name, ran, true);
                self.end(at, id, State::Succeeded, None, last, Some(result));
                return;
            }
            RunOutcome::Cancelled => {
                self.end(at, id, State::Cancelled, None, last, None);
                return;
            }
            RunOutcome::Failed { error, again } => (error, again),
            RunOutcome::Overdue => {
                let own = entry.terms.as_deref().and_then(|terms| terms.limits.hard);
                let limit = own.or(self.limits.run.hard).unwrap_or_default();
                (
                    format!("ran longer than its time limit of {limit:?}").into(),
                    true,
                )
            }
        };
        self.meter.run(&entry.name, ran, false);
        let again = again && entry.attempts < entry.max_attempts && !entry.cancelling;
        self.log_attempt(id, Some(&run), ran, &error);
        if again {
            self.try_again(id, at, error);
            self.note(Event::Finished {
                id: task_id(id),
                state: State::Retrying,
                worker: Some(worker),
                ran,
            });
        } else {
            self.end(at, id, State::Failed, Some(error), last, None);
        }
    }

    pub(super) fn log_attempt(
        &mut self,
        id: u64,
        run: Option<&ActiveRun>,
        ran: Duration,
        error: &str,
    ) {
        let attempt = Attempt {
            worker: run.map(|run| run.worker),
            waited: run.map(|run| run.waited).unwrap_or_default(),
            started_at: run.map(|run| run.started_at).unwrap_or_default(),
            ran,
            error: error.into(),
        };
        self.changes.push(StoreChange::Attempt(id, attempt));
    }

    /// The end of a life, from whatever state. The entry goes; what remains is where tasks are kept.
    pub(super) fn end(
        &mut self,
        now: Timestamp,
        id: u64,
        state: State,
        error: Option<Box<str>>,
        last: Option<LastRun>,
        result: Option<Box<str>>,
    ) {
        let Some(entry) = self.remove(id) else {
            return;
        };
        let keep = entry.terms.as_deref().and_then(|terms| terms.keep);
        let keep = keep.unwrap_or(match state {
            State::Failed => self.ages.failed,
            _ => self.ages.usual,
        });
        let forget_at = now.after(keep);
        self.next_forget = Some(self.next_forget.map_or(forget_at, |at| at.min(forget_at)));
        self.changes.push(StoreChange::Completion(
            id,
            Completion {
                state,
                attempts: entry.attempts,
                crashes: entry.crashes,
                error,
                end: EndRow {
                    finished_at: now,
                    forget_at,
                    last,
                    result,
                },
            },
        ));
        self.meter.ended(now, state);
        self.note(Event::Finished {
            id: task_id(id),
            state,
            worker: last.map(|run| run.worker),
            ran: Duration::from_micros(last.map(|run| run.ran).unwrap_or_default()),
        });
    }

    /// A living task is none any more.
    pub(super) fn remove(&mut self, id: u64) -> Option<Box<LiveTask>> {
        let entry = self.entries.remove(&id)?;
        disarm(&mut self.timers, id, &entry);
        self.count(entry.state, -1);
        if self.running.remove(&id).is_none() && entry.state == State::Queued {
            if entry.run == 0 {
                self.queues.take_out(id, &entry);
            } else {
                self.handed -= 1;
            }
        }
        if let Some(key) = entry.unique_key() {
            self.unique.remove(&key);
        }
        self.free_lane(id, &entry);
        Some(entry)
    }

    fn free_lane(&mut self, id: u64, entry: &LiveTask) {
        if let Some(next) = self.queues.free_lane(id, entry)
            && let Some(entry) = self.entries.get(&next)
        {
            self.queues.put_back(next, entry);
        }
    }

    /// A task that cannot even be started.
    pub(in crate::queue::embedded) fn cannot_run(&mut self, id: u64, why: &str) {
        let ready_at = self.entries.get(&id).map(|entry| entry.ready_at);
        let now = ready_at.unwrap_or_default();
        self.log_attempt(id, None, Duration::ZERO, why);
        self.end(now, id, State::Failed, Some(why.into()), None, None);
    }

    /// Cancels a task. The caller has taken back what was handed over, so a task that is neither
    /// waiting nor running is in a worker's hands.
    pub(in crate::queue::embedded) fn cancel(&mut self, now: Timestamp, id: u64) -> Option<State> {
        let entry = self.entries.get_mut(&id)?;
        let in_hands = entry.state == State::Queued && entry.run != 0;
        if entry.state == State::Running || in_hands {
            entry.cancelling = true;
            self.stop_running(now, id);
            return Some(State::Running);
        }
        self.end(now, id, State::Cancelled, None, None, None);
        Some(State::Cancelled)
    }

    /// Runs an ended task again, with all its attempts.
    pub(in crate::queue::embedded) fn retry(
        &mut self,
        now: Timestamp,
        mut row: Row,
        function: Option<Arc<TaskFunction>>,
    ) -> Result<State, BrokerError> {
        row.state = self.may_return(&row, Transition::Retry)?;
        row.attempts = 0;
        row.crashes = 0;
        row.change_rare(|rare| {
            rare.expires_at = None;
            rare.due_at = None;
            rare.wall_clock = false;
        });
        row.ready_at = now;
        self.bring_back(row, function)
    }

    /// Takes a cancellation back: the task waits as it did before.
    pub(in crate::queue::embedded) fn restore(
        &mut self,
        now: Timestamp,
        mut row: Row,
        function: Option<Arc<TaskFunction>>,
    ) -> Result<State, BrokerError> {
        row.change_rare(|rare| rare.due_at = rare.due_at.filter(|due| *due > now));
        let step = match row.rare().due_at {
            Some(_) => Transition::Postpone,
            None => Transition::Restore,
        };
        row.state = self.may_return(&row, step)?;
        self.bring_back(row, function)
    }

    fn may_return(&self, row: &Row, step: Transition) -> Result<State, BrokerError> {
        let id = task_id(row.id);
        let state = row.state.apply(step);
        let state = state.map_err(|why| BrokerError::InvalidTransition { id, why })?;
        let (backlog, limit) = (self.unfinished(), self.limits.backlog);
        if backlog >= limit {
            return Err(BrokerError::Overloaded { backlog, limit });
        }
        let unique = super::live_task::unique_key(&row.name, row.rare().key.as_deref());
        match unique.and_then(|key| self.unique.get(&key)) {
            Some(by) => Err(BrokerError::DuplicateKey {
                id,
                by: task_id(*by),
            }),
            None => Ok(state),
        }
    }

    fn bring_back(
        &mut self,
        mut row: Row,
        function: Option<Arc<TaskFunction>>,
    ) -> Result<State, BrokerError> {
        row.end = None;
        let id = row.id;
        self.admit(&row, function);
        if let Some(entry) = self.entries.get(&id) {
            self.changes.push(StoreChange::Requeue(entry.waits(id)));
        }
        self.note(Event::Requeued { id: task_id(id) });
        Ok(row.state)
    }

    pub(super) fn come_due(&mut self, now: Timestamp, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        entry.make_ready(now);
        step(&mut self.counts, id, entry, Transition::Due);
        self.queues.put_in(id, entry);
        self.changes.push(StoreChange::Reschedule(entry.waits(id)));
    }

    pub(super) fn expire(&mut self, now: Timestamp, id: u64) {
        let entry = self.entries.get(&id);
        if entry.is_some_and(|entry| entry.run == 0 && entry.state != State::Running) {
            self.end(now, id, State::Expired, None, None, None);
        }
    }

    fn try_again(&mut self, id: u64, now: Timestamp, error: Box<str>) {
        self.running.remove(&id);
        self.meter.retried += 1;
        let share = self.roll();
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let attempt = u32::from(entry.attempts.saturating_sub(1));
        let most = retry::exponential(FIRST_RETRY, LONGEST_RETRY, attempt);
        // Full jitter: many that failed together do not come back together.
        let due = now.after(most.mul_f64(share));
        entry.due_at = Some(due);
        entry.wall_clock = false;
        entry.run = 0;
        step(&mut self.counts, id, entry, Transition::FailRetryable);
        self.timers.insert((due, id, Timer::Due));
        if let Some(expires) = entry.expires_at {
            self.timers.insert((expires, id, Timer::Expire));
        }
        let mut waits = entry.waits(id);
        waits.error = Some(error);
        self.changes.push(StoreChange::Reschedule(waits));
        if entry.lane().is_some()
            && let Some(next) = self.queues.free_lane(id, entry)
            && let Some(entry) = self.entries.get(&next)
        {
            self.queues.put_back(next, entry);
        }
    }

    /// Takes back tasks that could not be kept: whoever submitted them is told, and they were never
    /// there. What else has changed stays to be kept.
    pub(in crate::queue::embedded) fn withdraw(&mut self, changes: &mut Vec<StoreChange>) -> usize {
        let new: BTreeSet<u64> = changes
            .iter()
            .filter_map(|change| match change {
                StoreChange::New(row) => Some(row.id),
                _ => None,
            })
            .collect();
        for id in &new {
            self.remove(*id);
        }
        self.meter.submitted -= new.len() as u64;
        changes.retain(|change| match change {
            StoreChange::New(_) => false,
            StoreChange::Reschedule(waits) | StoreChange::Requeue(waits) => {
                !new.contains(&waits.id)
            }
            StoreChange::Attempt(id, _) | StoreChange::Completion(id, _) => !new.contains(id),
            StoreChange::Submit(submit) => !submit.runs.iter().any(|run| new.contains(&run.first)),
            StoreChange::Delete(_) | StoreChange::ExpireKeys(_) => true,
        });
        new.len()
    }

    /// The next number of a well-mixed series (splitmix64), 0 to 1.
    fn roll(&mut self) -> f64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Takes a step that the caller knows to be legal, and keeps the counts in step.
pub(super) fn step(counts: &mut [usize; 8], id: u64, entry: &mut LiveTask, step: Transition) {
    match entry.state.apply(step) {
        Ok(state) => {
            if let Some(count) = counts.get_mut(entry.state.index()) {
                *count -= 1;
            }
            if let Some(count) = counts.get_mut(state.index()) {
                *count += 1;
            }
            entry.state = state;
        }
        Err(why) => debug_assert!(false, "#{id}: {why}"),
    }
}

/// Takes a task's timers away.
fn disarm(timers: &mut BTreeSet<(Timestamp, u64, Timer)>, id: u64, entry: &LiveTask) {
    if let Some(due) = entry.due_at {
        timers.remove(&(due, id, Timer::Due));
    }
    if let Some(expires) = entry.expires_at {
        timers.remove(&(expires, id, Timer::Expire));
    }
}

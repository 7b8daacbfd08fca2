//! The truth about every task, as a pure state machine: commands, reports and time go in; jobs,
//! signals, events and the next deadline come out. Nothing here waits, sends or reads a clock.

mod ids;
mod index;
mod life;
mod list;
mod meter;
mod record;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use self::{ids::Ids, index::Index, meter::Meter, record::Record};
use crate::queue::{
    broker::{BrokerError, Event, Stats},
    query::{Filter, States},
    registry::TaskFunction,
    task::{MAX_ATTEMPTS, MAX_PRIORITY, Options, State, Step, Task, TaskId, Timestamp, WorkerId},
    worker::Job,
};

/// How many tasks one engine holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Unfinished tasks; past it [`BrokerError::Overloaded`].
    pub backlog: usize,
    /// Finished tasks; past it the oldest are forgotten, failures last.
    pub retained: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            backlog: 1_000_000,
            retained: 100_000,
        }
    }
}

/// How long a task of priority 0 waits before it goes ahead of a fresh one of priority 1, and so on:
/// nothing starves.
const AGE: Duration = Duration::from_secs(10);

/// A task that has been looked at and can be taken.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    pub(super) function: Arc<TaskFunction>,
    pub(super) args: Arc<str>,
    pub(super) options: Options,
}

/// Ask this worker to stop this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signal {
    pub(super) worker: WorkerId,
    pub(super) run: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Due,
    Expire,
}

pub(super) struct Core {
    limits: Limits,
    tasks: BTreeMap<u64, Box<Record>>,
    index: Index,
    /// Tasks that may run, by rank and then by age.
    ready: Ids,
    timers: BTreeSet<(Timestamp, u64, Timer)>,
    meter: Meter,
    paused: bool,
    last_id: u64,
    last_run: u64,
    /// Tasks that were handed over and whose start has not been reported.
    handed: usize,
    dice: u64,
    /// What happened since it was last asked; nothing is noted while nobody listens.
    events: Vec<Event>,
    listening: bool,
}

impl Core {
    pub(super) fn new(limits: Limits, seed: u64) -> Self {
        Self {
            limits,
            tasks: BTreeMap::new(),
            index: Index::default(),
            ready: Ids::default(),
            timers: BTreeSet::new(),
            meter: Meter::default(),
            paused: false,
            last_id: 0,
            last_run: 0,
            handed: 0,
            dice: seed,
            events: Vec::new(),
            listening: false,
        }
    }

    pub(super) fn submit(
        &mut self,
        now: Timestamp,
        tasks: Vec<Accepted>,
    ) -> Result<Vec<TaskId>, BrokerError> {
        let backlog = self.index.unfinished();
        if tasks.len() > self.limits.backlog.saturating_sub(backlog) {
            return Err(BrokerError::Overloaded {
                backlog,
                limit: self.limits.backlog,
            });
        }
        let first = self.last_id + 1;
        let count = tasks.len();
        for task in tasks {
            self.last_id += 1;
            self.put_in(now, self.last_id, task);
        }
        self.meter.submitted += count as u64;
        if count > 0 {
            self.note(Event::Submitted {
                first: task_id(first),
                count,
            });
        }
        Ok((first..=self.last_id).map(task_id).collect())
    }

    fn put_in(&mut self, now: Timestamp, id: u64, task: Accepted) {
        let Options {
            priority,
            delay,
            expires,
            max_attempts,
        } = task.options;
        let mut record = Record::new(task.function, task.args, now);
        record.priority = priority.min(MAX_PRIORITY);
        record.max_attempts = max_attempts.clamp(1, MAX_ATTEMPTS);
        if let Some(expires) = expires {
            record.expires_at = Some(now.after(expires));
            self.timers.insert((now.after(expires), id, Timer::Expire));
        }
        match delay.filter(|delay| !delay.is_zero()) {
            Some(delay) => {
                record.state = State::Scheduled;
                record.due_at = Some(now.after(delay));
                self.timers.insert((now.after(delay), id, Timer::Due));
            }
            None => {
                record.rank = rank(now, record.priority);
                record.ready_at = now;
                self.ready.insert((record.rank, id));
            }
        }
        self.index.put_in(id, &record);
        self.tasks.insert(id, Box::new(record));
    }

    /// The next task to hand over, if it may be.
    pub(super) fn next_job(&mut self) -> Option<Job> {
        if self.paused {
            return None;
        }
        let (_, id) = self.ready.pop_first()?;
        let record = self.tasks.get_mut(&id)?;
        self.last_run += 1;
        record.run = self.last_run;
        self.handed += 1;
        Some(Job {
            id,
            run: record.run,
            attempt: record.attempts.saturating_add(1),
            function: Arc::clone(&record.function),
            args: Arc::clone(&record.args),
        })
    }

    /// A job that was handed over but not yet taken by a worker is a waiting task again.
    pub(super) fn take_back(&mut self, job: &Job) {
        if let Some(record) = self.tasks.get_mut(&job.id)
            && record.run == job.run
            && record.state == State::Queued
        {
            record.run = 0;
            self.ready.insert((record.rank, job.id));
            self.handed -= 1;
        }
    }

    pub(super) fn pause(&mut self, paused: bool) {
        if self.paused != paused {
            self.paused = paused;
            self.note(Event::Paused(paused));
        }
    }

    pub(super) fn purge(&mut self, filter: &Filter) -> usize {
        let ids: Vec<u64> = filter
            .states
            .iter()
            .filter(|state| state.is_finished())
            .flat_map(|state| self.index.of(state))
            .filter(|id| self.matches(*id, filter))
            .collect();
        for id in &ids {
            self.forget(*id);
        }
        if !ids.is_empty() {
            self.note(Event::Purged { count: ids.len() });
        }
        ids.len()
    }

    /// Lets time pass: what was waiting for it becomes ready, what waited too long expires.
    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some((at, id, timer)) = self.timers.first().copied() {
            if at > now {
                return;
            }
            self.timers.pop_first();
            match timer {
                Timer::Due => self.make_ready(now, id, Step::Due),
                Timer::Expire => self.expire(now, id),
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, ..)| *at)
    }

    pub(super) fn get(&self, id: TaskId) -> Option<Task> {
        let key = u64::try_from(id.0).ok()?;
        self.tasks.get(&key).map(|record| record.task(key))
    }

    pub(super) fn stats(&mut self, now: Timestamp) -> Stats {
        Stats {
            counts: self.index.counts(),
            paused: self.paused,
            backlog_limit: self.limits.backlog,
            retained_limit: self.limits.retained,
            ..self.meter.stats(now)
        }
    }

    pub(super) fn unfinished(&self) -> usize {
        self.index.unfinished()
    }

    /// Tasks that a worker has, whether or not their start has been reported.
    pub(super) fn in_hands(&self) -> usize {
        self.index.of(State::Running).count() + self.handed
    }

    /// Whether anybody wants to know what happens; noting it costs time.
    pub(super) fn listen(&mut self, listening: bool) {
        self.listening = listening;
    }

    pub(super) fn note(&mut self, event: Event) {
        if self.listening {
            self.events.push(event);
        }
    }

    pub(super) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn find(&mut self, id: TaskId) -> Result<(u64, &mut Record), BrokerError> {
        u64::try_from(id.0)
            .ok()
            .and_then(|key| Some((key, &mut **self.tasks.get_mut(&key)?)))
            .ok_or(BrokerError::NotFound(id))
    }

    /// Keeps the finished within their limit: the oldest successes go first and failures last.
    fn forget_surplus(&mut self) {
        const GOES: [State; 4] = [
            State::Succeeded,
            State::Cancelled,
            State::Expired,
            State::Failed,
        ];
        while self.index.finished() > self.limits.retained {
            let oldest = GOES.into_iter().find_map(|state| self.index.oldest(state));
            match oldest {
                Some(id) => self.forget(id),
                None => return,
            }
        }
    }

    fn forget(&mut self, id: u64) {
        if let Some(record) = self.tasks.remove(&id) {
            self.index.take_out(id, &record);
            self.meter.forgotten += 1;
        }
    }

    fn matches(&self, id: u64, filter: &Filter) -> bool {
        self.tasks
            .get(&id)
            .is_some_and(|record| record.matches(id, filter))
    }
}

impl Filter {
    /// The states that an engine may look at for this filter.
    pub(super) const fn wanted(&self) -> States {
        self.states
    }
}

fn task_id(id: u64) -> TaskId {
    TaskId(id.into())
}

/// The lower the sooner. Each step of priority is worth as much as [`AGE`] of waiting.
fn rank(now: Timestamp, priority: u8) -> u64 {
    now.after(AGE * u32::from(MAX_PRIORITY - priority.min(MAX_PRIORITY)))
        .0
}

#[cfg(test)]
mod tests;

//! The truth about every task that has not ended, as a pure state machine: commands, reports and time
//! go in; jobs, signals, events, changes to keep and the next deadline come out. Nothing here waits,
//! sends, writes or reads a clock.

mod queues;
mod recover;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

pub(super) use self::recover::CrashVerdict;
use self::{deadlines::ActiveRun, live_task::LiveTask, metrics::Metrics, queues::Queues};
use crate::queue::executor::worker::Job;
use crate::queue::{
    broker::{BrokerError, Event, NameHistograms, Stats},
    clock::ClockStep,
    embedded::store::{
        StoreChange,
        row::{ColdFields, ExecOverrides, Row, RunningInfo},
    },
    executor::control::Stop,
    registry::{InvalidTask, TaskFunction},
    task::{
        MAX_ATTEMPTS, MAX_PRIORITY, NewTask, Receipt, State, TaskId, TaskOptions, TimeLimits,
        Timestamp, WorkerId,
    },
};

/// What one engine takes, and what it grants a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreLimits {
    /// Unfinished tasks; past it [`BrokerError::Overloaded`].
    pub backlog: usize,
    /// How long a run may take when its task does not say.
    pub run: TimeLimits,
    /// How long a run that must stop may take to stop, before its worker is given up and replaced.
    pub patience: Duration,
}

impl Default for CoreLimits {
    fn default() -> Self {
        Self {
            backlog: 1_000_000,
            run: TimeLimits {
                soft: None,
                hard: Some(Duration::from_secs(2 * 60 * 60)),
            },
            patience: Duration::from_secs(10),
        }
    }
}

/// How long finished tasks are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RetentionAges {
    pub(super) usual: Duration,
    pub(super) failed: Duration,
}

/// How long a task of priority 0 waits before it goes ahead of a fresh one of priority 1, and so on:
/// nothing starves.
const PRIORITY_AGING: Duration = Duration::from_secs(10);

/// A task that has been looked at and can be taken.
#[derive(Debug, Clone)]
pub(super) struct ValidatedTask {
    pub(super) function: Arc<TaskFunction>,
    pub(super) args: Arc<str>,
    pub(super) options: TaskOptions,
}

impl ValidatedTask {
    pub(super) fn new(function: Arc<TaskFunction>, task: NewTask) -> Self {
        Self {
            function,
            args: task.args.into(),
            options: task.options,
        }
    }
}

/// A word to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Stop this run.
    Ask {
        worker: WorkerId,
        run: u64,
        how: Stop,
    },
    /// It did not: another takes its place.
    GiveUp { worker: WorkerId },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Due,
    Expire,
}

/// A name and a key that only one living task may have.
type UniqueKey = (Arc<str>, Arc<str>);

pub(super) struct Core {
    limits: CoreLimits,
    ages: RetentionAges,
    entries: BTreeMap<u64, Box<LiveTask>>,
    /// Living tasks by state.
    counts: [usize; 8],
    queues: Queues,
    /// What a worker runs.
    running: BTreeMap<u64, ActiveRun>,
    /// No limit of any run is reached before.
    next_limit: Option<Timestamp>,
    unique: BTreeMap<UniqueKey, u64>,
    timers: BTreeSet<(Timestamp, u64, Timer)>,
    meter: Metrics,
    last_id: u64,
    last_run: u64,
    /// Tasks that were handed over and whose start has not been reported.
    handed: usize,
    /// When the first of those that have ended since it was last asked is to be forgotten.
    next_forget: Option<Timestamp>,
    dice: u64,
    signals: Vec<Signal>,
    /// What has happened and is to be kept.
    changes: Vec<StoreChange>,
    /// What happened since it was last asked; nothing is noted while nobody listens.
    events: Vec<Event>,
    listening: bool,
}

impl Core {
    pub(super) fn new(limits: CoreLimits, ages: RetentionAges, last_id: u64, seed: u64) -> Self {
        Self {
            limits,
            ages,
            entries: BTreeMap::new(),
            counts: [0; 8],
            queues: Queues::default(),
            running: BTreeMap::new(),
            next_limit: None,
            unique: BTreeMap::new(),
            timers: BTreeSet::new(),
            meter: Metrics::default(),
            last_id,
            last_run: 0,
            handed: 0,
            next_forget: None,
            dice: seed,
            signals: Vec::new(),
            changes: Vec::new(),
            events: Vec::new(),
            listening: false,
        }
    }

    /// Takes tasks, all or none of them. They count as taken when their change has been kept; see
    /// [`Core::withdraw`].
    pub(super) fn submit(
        &mut self,
        now: Timestamp,
        tasks: Vec<ValidatedTask>,
    ) -> Result<Vec<Receipt>, BrokerError> {
        let backlog = self.unfinished();
        if tasks.len() > self.limits.backlog.saturating_sub(backlog) {
            return Err(BrokerError::Overloaded {
                backlog,
                limit: self.limits.backlog,
            });
        }
        for task in &tasks {
            if !self.queues.has_room_for(task.options.queue.as_ref()) {
                return Err(BrokerError::InvalidTask(InvalidTask::BadArguments {
                    name: task.function.name.to_string(),
                    why: format!("there are {} queues already; use one of them", queues::MOST),
                }));
            }
        }
        let before = self.last_id;
        let mut receipts = Vec::with_capacity(tasks.len());
        for task in tasks {
            receipts.push(self.take(now, task));
        }
        let count = usize::try_from(self.last_id - before).unwrap_or(usize::MAX);
        self.meter.submitted += count as u64;
        if count > 0 {
            self.note(Event::Submitted {
                first: task_id(before + 1),
                count,
            });
        }
        Ok(receipts)
    }

    fn take(&mut self, now: Timestamp, task: ValidatedTask) -> Receipt {
        let key = task.options.key.map(Box::new);
        let unique = live_task::unique_key(&task.function.name, key.as_deref());
        if let Some(id) = unique.as_ref().and_then(|key| self.unique.get(key)) {
            let id = task_id(*id);
            self.meter.duplicates += 1;
            self.note(Event::Duplicate { id });
            return Receipt {
                id,
                deduplicated: true,
            };
        }
        self.last_id += 1;
        let id = self.last_id;
        let delay = task.options.delay.filter(|delay| !delay.is_zero());
        let countdown = delay.map(|delay| now.after(delay));
        let due_at = countdown.max(task.options.eta.filter(|eta| *eta > now));
        let terms = ExecOverrides {
            limits: task.options.limits,
            keep: task.options.keep,
        };
        let mut row = Row::new(id, Arc::clone(&task.function.name), task.args, now);
        if due_at.is_some() {
            row.state = State::Scheduled;
        }
        row.priority = task.options.priority.min(MAX_PRIORITY);
        row.max_attempts = task.options.max_attempts.clamp(1, MAX_ATTEMPTS);
        row.set_rare(ColdFields {
            queue: task.options.queue,
            key,
            terms: (terms != ExecOverrides::default()).then(|| Box::new(terms)),
            due_at,
            wall_clock: due_at.is_some() && due_at != countdown,
            expires_at: task.options.expires.map(|expires| now.after(expires)),
            error: None,
        });
        self.admit(&row, Some(task.function));
        self.changes.push(StoreChange::New(Box::new(row)));
        Receipt {
            id: task_id(id),
            deduplicated: false,
        }
    }

    /// A living task from now on, wherever its row came from.
    fn admit(&mut self, row: &Row, function: Option<Arc<TaskFunction>>) {
        let queue = self.queues.find_or_make(row.rare().queue.as_ref());
        let entry = LiveTask::new(row, queue, function);
        let id = row.id;
        if let Some(key) = entry.unique_key() {
            self.unique.insert(key, id);
        }
        if let Some(expires) = entry.expires_at {
            self.timers.insert((expires, id, Timer::Expire));
        }
        if let Some(due) = entry.due_at {
            self.timers.insert((due, id, Timer::Due));
        }
        self.count(entry.state, 1);
        if entry.state == State::Queued {
            self.queues.put_in(id, &entry);
        }
        self.entries.insert(id, Box::new(entry));
    }

    /// The next task to hand over, if it may be. Its arguments are still to be had from where they are
    /// kept.
    pub(super) fn next_job(&mut self) -> Option<Job> {
        let id = self.queues.pop_first()?;
        let entry = self.entries.get_mut(&id)?;
        self.last_run += 1;
        entry.run = self.last_run;
        self.handed += 1;
        let Some(function) = &entry.function else {
            let why = format!("there is no task named `{}` in this program", entry.name);
            self.cannot_run(id, &why);
            return self.next_job();
        };
        Some(Job {
            id,
            run: entry.run,
            attempt: entry.attempts.saturating_add(1),
            function: Arc::clone(function),
            args: Arc::default(),
        })
    }

    /// A job that was handed over but not yet taken by a worker is a waiting task again.
    pub(super) fn take_back(&mut self, job: &Job) {
        if let Some(entry) = self.entries.get_mut(&job.id)
            && entry.run == job.run
            && entry.state == State::Queued
        {
            entry.run = 0;
            self.queues.put_back(job.id, entry);
            self.handed -= 1;
        }
    }

    /// Pauses or resumes a queue, or everything.
    pub(super) fn pause(&mut self, queue: Option<&str>, paused: bool) {
        if self.queues.pause(queue, paused) {
            self.note(match queue {
                None => Event::Paused(paused),
                Some(_) => Event::QueuePaused(paused),
            });
        }
    }

    /// Lets time pass: what was waiting for it becomes ready, what waited too long expires, what runs
    /// too long is asked to stop.
    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some((at, id, timer)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            match timer {
                Timer::Due => self.come_due(now, id),
                Timer::Expire => self.expire(now, id),
            }
        }
        self.check_limits(now);
    }

    /// When [`Core::advance`] next has something to do.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let timer = self.timers.first().map(|(at, ..)| *at);
        // A run that has ended leaves the time of its limit behind; here it would be a false alarm.
        let limit = self
            .running
            .values()
            .filter_map(ActiveRun::next_limit)
            .min();
        [timer, limit].into_iter().flatten().min()
    }

    /// The wall clock was moved. Whatever waits for a span of time waits for what is left of it; what
    /// waits for a time of day waits for that.
    pub(super) fn jump(&mut self, jump: ClockStep) {
        self.timers.clear();
        for (id, entry) in &mut self.entries {
            entry.jump(jump);
            if let Some(due) = entry.due_at {
                self.timers.insert((due, *id, Timer::Due));
            }
            if let Some(expires) = entry.expires_at {
                self.timers.insert((expires, *id, Timer::Expire));
            }
        }
        self.queues.rank_anew(&self.entries);
        for run in self.running.values_mut() {
            run.jump(jump);
        }
        self.find_next_limit();
    }

    pub(super) fn stats(&mut self, now: Timestamp) -> Stats {
        let next = self.queues.first().and_then(|id| self.entries.get(&id));
        Stats {
            counts: self.counts,
            paused: self.queues.is_paused(),
            paused_queues: self.queues.paused().collect(),
            backlog_limit: self.limits.backlog,
            oldest: next.map(|entry| now.since(entry.ready_at)),
            ..self.meter.stats(now)
        }
    }

    pub(super) fn histograms(&self) -> Vec<NameHistograms> {
        self.meter.histograms()
    }

    pub(super) fn unfinished(&self) -> usize {
        self.entries.len()
    }

    /// Tasks that a worker has, whether or not their start has been reported.
    pub(super) fn in_hands(&self) -> usize {
        self.running.len() + self.handed
    }

    /// What runs, as it is shown.
    pub(super) fn running(&self) -> impl Iterator<Item = (u64, u64, RunningInfo)> + '_ {
        self.running.iter().filter_map(|(id, run)| {
            let entry = self.entries.get(id)?;
            Some((*id, run.run, run.live(entry)))
        })
    }

    /// Where a living task is in its life.
    pub(super) fn state(&self, id: u64) -> Option<State> {
        self.entries.get(&id).map(|entry| entry.state)
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

    pub(super) fn take_signals(&mut self) -> Vec<Signal> {
        std::mem::take(&mut self.signals)
    }

    /// What is to be kept since it was last asked.
    pub(super) fn take_changes(&mut self, into: &mut Vec<StoreChange>) {
        into.append(&mut self.changes);
    }

    /// When the first of those is to be forgotten that have ended since it was last asked.
    pub(super) fn take_next_forget(&mut self) -> Option<Timestamp> {
        self.next_forget.take()
    }

    /// Forgotten by whoever keeps what has ended.
    pub(super) fn forgotten(&mut self, count: usize) {
        self.meter.forgotten += count as u64;
    }

    fn count(&mut self, state: State, by: isize) {
        if let Some(count) = self.counts.get_mut(state.index()) {
            *count = count.saturating_add_signed(by);
        }
    }
}

fn task_id(id: u64) -> TaskId {
    TaskId(id.into())
}

/// The lower the sooner. Each step of priority is worth as much as [`PRIORITY_AGING`] of waiting.
fn rank(ready: Timestamp, priority: u8) -> u64 {
    ready
        .after(PRIORITY_AGING * u32::from(MAX_PRIORITY - priority.min(MAX_PRIORITY)))
        .0
}

mod deadlines;
mod live_task;
mod metrics;
#[cfg(test)]
mod tests;
mod transitions;

//! The core of the embedded engine: every unfinished task, as a pure state machine. Commands, worker
//! reports and the time go in; jobs, signals, events, changes to store and the next deadline come out.
//! Nothing here waits, sends, writes or reads a clock.

mod deadlines;
mod live_task;
mod metrics;
mod queues;
mod recover;
#[cfg(test)]
mod tests;
mod transitions;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

pub(super) use self::recover::CrashVerdict;
use self::{deadlines::ActiveRun, live_task::LiveTask, metrics::Metrics, queues::Queues};
use crate::queue::{
    clock::{ClockStep, Timestamp},
    embedded::store::StoreChange,
    error::BrokerError,
    event::Event,
    executor::{control::Signal, job::Job},
    id::TaskId,
    index::row::{ColdFields, ExecOverrides, Row, RunningInfo},
    options::{MAX_ATTEMPTS, MAX_PRIORITY, TaskOptions, TimeLimits},
    registry::{InvalidTask, TaskFunction},
    state::State,
    stats::{NameHistograms, Stats},
    task::{NewTask, Receipt},
};

/// The limits of one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreLimits {
    /// The most unfinished tasks; beyond it submits fail with [`BrokerError::Overloaded`].
    pub backlog: usize,
    /// The time limits of a run whose task sets none.
    pub run: TimeLimits,
    /// How long a run that has to stop may continue before its worker is abandoned and replaced.
    pub stop_grace: Duration,
}

impl Default for CoreLimits {
    fn default() -> Self {
        Self {
            backlog: 1_000_000,
            run: TimeLimits {
                soft: None,
                hard: Some(Duration::from_secs(2 * 60 * 60)),
            },
            stop_grace: Duration::from_secs(10),
        }
    }
}

/// How long finished tasks are retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RetentionAges {
    /// Tasks that succeeded, were cancelled or expired.
    pub(super) age: Duration,
    /// Tasks that failed.
    pub(super) failed_age: Duration,
}

/// The waiting time that is worth one step of priority, so that no task starves.
const PRIORITY_AGING: Duration = Duration::from_secs(10);

/// A new task with its function; its arguments and options are valid.
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Due,
    Expire,
}

/// A task name and a unique key, which only one unfinished task may have.
type UniqueKey = (Arc<str>, Arc<str>);

pub(super) struct Core {
    limits: CoreLimits,
    ages: RetentionAges,
    tasks: BTreeMap<u64, Box<LiveTask>>,
    /// Unfinished tasks by state.
    counts: [usize; 8],
    queues: Queues,
    /// Runs whose start was reported, by task.
    running: BTreeMap<u64, ActiveRun>,
    /// No deadline of any run is earlier than this.
    next_run_deadline: Option<Timestamp>,
    unique: BTreeMap<UniqueKey, u64>,
    timers: BTreeSet<(Timestamp, u64, Timer)>,
    metrics: Metrics,
    last_id: u64,
    last_run: u64,
    /// Tasks that were dispatched and whose start has not been reported.
    dispatched: usize,
    /// The earliest eviction time of the tasks that finished since the last
    /// [`Core::take_next_eviction`].
    next_eviction: Option<Timestamp>,
    rng: u64,
    signals: Vec<Signal>,
    /// Changes that are not in the store yet.
    changes: Vec<StoreChange>,
    /// Events since the last [`Core::take_events`]; none are recorded without a subscriber.
    events: Vec<Event>,
    recording: bool,
}

impl Core {
    pub(super) fn new(limits: CoreLimits, ages: RetentionAges, last_id: u64, seed: u64) -> Self {
        Self {
            limits,
            ages,
            tasks: BTreeMap::new(),
            counts: [0; 8],
            queues: Queues::default(),
            running: BTreeMap::new(),
            next_run_deadline: None,
            unique: BTreeMap::new(),
            timers: BTreeSet::new(),
            metrics: Metrics::default(),
            last_id,
            last_run: 0,
            dispatched: 0,
            next_eviction: None,
            rng: seed,
            signals: Vec::new(),
            changes: Vec::new(),
            events: Vec::new(),
            recording: false,
        }
    }

    /// Accepts tasks, all or none of them. They are acknowledged when their change is stored; until
    /// then [`Core::rollback_new`] can remove them.
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
                    reason: format!(
                        "there are {} queues already; use one of them",
                        queues::MAX_QUEUES
                    ),
                }));
            }
        }
        let before = self.last_id;
        let mut receipts = Vec::with_capacity(tasks.len());
        for task in tasks {
            receipts.push(self.accept_task(now, task));
        }
        let count = usize::try_from(self.last_id - before).unwrap_or(usize::MAX);
        self.metrics.submitted += count as u64;
        Ok(receipts)
    }

    fn accept_task(&mut self, now: Timestamp, task: ValidatedTask) -> Receipt {
        let key = task.options.key.map(Box::new);
        let unique = live_task::unique_key(&task.function.name, key.as_deref());
        if let Some(id) = unique.as_ref().and_then(|key| self.unique.get(key)) {
            let id = task_id(*id);
            self.metrics.duplicates += 1;
            self.emit(Event::Duplicate { id: id.clone() });
            return Receipt {
                id,
                deduplicated: true,
            };
        }
        self.last_id += 1;
        let id = self.last_id;
        if self.recording {
            self.emit(Event::Submitted {
                id: task_id(id),
                name: Arc::clone(&task.function.name),
            });
        }
        let delay = task.options.delay.filter(|delay| !delay.is_zero());
        let countdown = delay.map(|delay| now.after(delay));
        let due_at = countdown.max(task.options.eta.filter(|eta| *eta > now));
        let overrides = ExecOverrides {
            limits: task.options.limits,
            result_ttl: task.options.result_ttl,
        };
        let mut row = Row::new(id, Arc::clone(&task.function.name), task.args, now);
        if due_at.is_some() {
            row.state = State::Scheduled;
        }
        row.priority = task.options.priority.min(MAX_PRIORITY);
        row.max_attempts = task.options.max_attempts.clamp(1, MAX_ATTEMPTS);
        row.set_cold(ColdFields {
            queue: task.options.queue,
            key,
            overrides: (overrides != ExecOverrides::default()).then(|| Box::new(overrides)),
            due_at,
            wall_clock: due_at.is_some() && due_at != countdown,
            expires_at: task.options.expires.map(|expires| now.after(expires)),
            error: None,
        });
        self.insert_task(&row, Some(task.function));
        self.changes.push(StoreChange::New(Box::new(row)));
        Receipt {
            id: task_id(id),
            deduplicated: false,
        }
    }

    /// Adds an unfinished task that is new, retried or recovered.
    fn insert_task(&mut self, row: &Row, function: Option<Arc<TaskFunction>>) {
        let queue = self.queues.find_or_create(row.cold().queue.as_ref());
        let task = LiveTask::new(row, queue, function);
        let id = row.id;
        if let Some(key) = task.unique_key() {
            self.unique.insert(key, id);
        }
        if let Some(expires) = task.expires_at {
            self.timers.insert((expires, id, Timer::Expire));
        }
        if let Some(due) = task.due_at {
            self.timers.insert((due, id, Timer::Due));
        }
        self.adjust_count(task.state, 1);
        if task.state == State::Queued {
            self.queues.enqueue(id, &task);
        }
        self.tasks.insert(id, Box::new(task));
    }

    /// The next job to dispatch, unless dispatch is paused. Its arguments are still in the store.
    pub(super) fn next_job(&mut self) -> Option<Job> {
        let id = self.queues.pop()?;
        let task = self.tasks.get_mut(&id)?;
        self.last_run += 1;
        task.run = self.last_run;
        self.dispatched += 1;
        let Some(function) = &task.function else {
            let why = format!("there is no task named `{}` in this program", task.name);
            self.fail_to_start(id, &why);
            return self.next_job();
        };
        Some(Job {
            id: task_id(id),
            run: task.run,
            attempt: task.attempts.saturating_add(1),
            function: Arc::clone(function),
            args: Arc::default(),
        })
    }

    /// Returns a job that was dispatched but not started to its old place among the ready tasks.
    pub(super) fn reclaim_job(&mut self, job: &Job) {
        let id = sequence(&job.id);
        if let Some(task) = self.tasks.get_mut(&id)
            && task.run == job.run
            && task.state == State::Queued
        {
            task.run = 0;
            self.queues.insert_ready(id, task);
            self.dispatched -= 1;
        }
    }

    /// Pauses or resumes a queue, or all of them.
    pub(super) fn set_paused(&mut self, queue: Option<&str>, paused: bool) {
        if self.queues.set_paused(queue, paused) {
            self.emit(match queue {
                None => Event::Paused(paused),
                Some(_) => Event::QueuePaused(paused),
            });
        }
    }

    /// Advances the time: scheduled tasks become ready, late ones expire, and runs over their limit
    /// are signalled to stop.
    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some((at, id, timer)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            match timer {
                Timer::Due => self.make_due(now, id),
                Timer::Expire => self.expire_task(now, id),
            }
        }
        self.enforce_limits(now);
    }

    /// When [`Core::advance`] next has something to do.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let timer = self.timers.first().map(|(at, ..)| *at);
        // `next_run_deadline` may be that of a run that has ended, which would be a false alarm here.
        let limit = self
            .running
            .values()
            .filter_map(ActiveRun::next_deadline)
            .min();
        [timer, limit].into_iter().flatten().min()
    }

    /// Adapts all deadlines to a wall clock that was set. Those that stand for a span of time move
    /// with it; those that stand for a time of day do not.
    pub(super) fn apply_clock_step(&mut self, step: ClockStep) {
        self.timers.clear();
        for (id, task) in &mut self.tasks {
            task.apply_clock_step(step);
            if let Some(due) = task.due_at {
                self.timers.insert((due, *id, Timer::Due));
            }
            if let Some(expires) = task.expires_at {
                self.timers.insert((expires, *id, Timer::Expire));
            }
        }
        self.queues.rebuild(&self.tasks);
        for run in self.running.values_mut() {
            run.apply_clock_step(step);
        }
        self.update_next_run_deadline();
    }

    pub(super) fn stats(&mut self, now: Timestamp) -> Stats {
        let next = self.queues.peek().and_then(|id| self.tasks.get(&id));
        Stats {
            counts: self.counts,
            paused: self.queues.is_paused(),
            paused_queues: self.queues.paused().collect(),
            backlog_limit: self.limits.backlog,
            oldest_ready: next.map(|task| now.since(task.ready_at)),
            ..self.metrics.stats(now)
        }
    }

    pub(super) fn histograms(&self) -> Vec<NameHistograms> {
        self.metrics.histograms()
    }

    pub(super) fn unfinished(&self) -> usize {
        self.tasks.len()
    }

    /// The number of dispatched tasks, started or not.
    pub(super) fn in_flight(&self) -> usize {
        self.running.len() + self.dispatched
    }

    /// The running tasks with their runs.
    pub(super) fn running(&self) -> impl Iterator<Item = (u64, u64, RunningInfo)> + '_ {
        self.running.iter().filter_map(|(id, run)| {
            let task = self.tasks.get(id)?;
            Some((*id, run.run, run.info(task)))
        })
    }

    /// The state of an unfinished task.
    pub(super) fn state(&self, id: u64) -> Option<State> {
        self.tasks.get(&id).map(|task| task.state)
    }

    /// Turns the recording of events on or off; recording costs time.
    pub(super) fn set_recording(&mut self, recording: bool) {
        self.recording = recording;
    }

    pub(super) fn emit(&mut self, event: Event) {
        if self.recording {
            self.events.push(event);
        }
    }

    pub(super) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub(super) fn take_signals(&mut self) -> Vec<Signal> {
        std::mem::take(&mut self.signals)
    }

    /// Returns true if there are changes or events that the dispatcher has not taken yet.
    pub(super) fn has_output(&self) -> bool {
        !self.changes.is_empty() || !self.events.is_empty()
    }

    /// Moves the changes since the last call to the end of `into`.
    pub(super) fn drain_changes(&mut self, into: &mut Vec<StoreChange>) {
        into.append(&mut self.changes);
    }

    /// The earliest eviction time of the tasks that finished since the last call.
    pub(super) fn take_next_eviction(&mut self) -> Option<Timestamp> {
        self.next_eviction.take()
    }

    /// Counts finished tasks that the store has deleted.
    pub(super) fn count_evicted(&mut self, count: usize) {
        self.metrics.evicted += count as u64;
    }

    fn adjust_count(&mut self, state: State, by: isize) {
        if let Some(count) = self.counts.get_mut(state.index()) {
            *count = count.saturating_add_signed(by);
        }
    }
}

fn task_id(id: u64) -> TaskId {
    TaskId::Sequence(id)
}

/// The sequence number of a task of this engine; 0, which is never used, for any other.
pub(super) fn sequence(id: &TaskId) -> u64 {
    id.sequence().unwrap_or_default()
}

/// The sort key of a ready task, lowest first. Each step of priority is worth [`PRIORITY_AGING`] of
/// waiting.
fn rank(ready: Timestamp, priority: u8) -> u64 {
    ready
        .after(PRIORITY_AGING * u32::from(MAX_PRIORITY - priority.min(MAX_PRIORITY)))
        .0
}

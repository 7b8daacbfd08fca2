//! The core of the embedded engine: every unfinished task, as a pure state machine. Commands, worker
//! reports and the time go in; jobs, signals, events, changes to store and the next deadline come out.
//! Nothing here waits, sends, writes or reads a clock.

mod accounts;
mod backoff;
mod deadlines;
mod limits;
mod live_task;
mod metrics;
mod queues;
mod recover;
mod submit;
#[cfg(test)]
mod tests;
mod transitions;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use self::{
    accounts::Accounts, deadlines::ActiveRun, live_task::LiveTask, metrics::Metrics, queues::Queues,
};
pub(super) use self::{limits::RetentionAges, recover::CrashVerdict, submit::ValidatedTask};
use crate::queue::{
    clock::{ClockStep, Timestamp},
    control::Signal,
    embedded::store::StoreChange,
    event::Event,
    executor::job::Job,
    id::TaskId,
    index::row::RunningInfo,
    limits::LimitExceeded,
    options::{BrokerLimits, MAX_PRIORITY},
    state::State,
    stats::{NameHistograms, QueueStatus, Stats},
    task::TaskFailure,
};

/// The waiting time that is worth one step of priority, so that no task starves.
const PRIORITY_AGING: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Due,
    Expire,
}

/// A task name and a unique key, which only one unfinished task may have.
type UniqueKey = (Arc<str>, Arc<str>);

pub(super) struct Core {
    limits: BrokerLimits,
    ages: RetentionAges,
    tasks: BTreeMap<u64, Box<LiveTask>>,
    /// Unfinished tasks by state.
    counts: [usize; State::COUNT],
    queues: Queues,
    accounts: Accounts,
    /// Runs whose start was reported, by task.
    running: BTreeMap<u64, ActiveRun>,
    /// No deadline of any run is earlier than this.
    next_run_deadline: Option<Timestamp>,
    unique: BTreeMap<UniqueKey, u64>,
    timers: BTreeSet<(Timestamp, u64, Timer)>,
    metrics: Metrics,
    last_id: u64,
    last_run: u64,
    /// The earliest eviction time of the tasks that finished since the last
    /// [`Core::take_next_eviction`].
    next_eviction: Option<Timestamp>,
    rng: fastrand::Rng,
    signals: Vec<Signal>,
    /// Changes that are not in the store yet.
    changes: Vec<StoreChange>,
    /// Events since the last [`Core::take_events`]; none are recorded without a subscriber.
    events: Vec<Event>,
    recording: bool,
}

impl Core {
    pub(super) fn new(limits: BrokerLimits, ages: RetentionAges, last_id: u64, seed: u64) -> Self {
        Self {
            limits,
            ages,
            tasks: BTreeMap::new(),
            counts: [0; State::COUNT],
            queues: Queues::default(),
            accounts: Accounts::default(),
            running: BTreeMap::new(),
            next_run_deadline: None,
            unique: BTreeMap::new(),
            timers: BTreeSet::new(),
            metrics: Metrics::default(),
            last_id,
            last_run: 0,
            next_eviction: None,
            rng: fastrand::Rng::with_seed(seed),
            signals: Vec::new(),
            changes: Vec::new(),
            events: Vec::new(),
            recording: false,
        }
    }

    /// The next job to dispatch, unless dispatch is paused. Its arguments are still in the store.
    pub(super) fn next_job(&mut self) -> Option<Job> {
        let id = self.queues.pop()?;
        let task = self.tasks.get_mut(&id)?;
        self.last_run += 1;
        task.run = self.last_run;
        let Some(function) = &task.function else {
            let why = format!("there is no task named `{}` in this program", task.name);
            let why = TaskFailure::new(TaskFailure::NOT_REGISTERED, why);
            self.fail_to_start(id, why);
            return self.next_job();
        };
        Some(Job {
            id: task_id(id),
            run: task.run,
            attempt: task.attempts.saturating_add(1),
            function: Arc::clone(function),
            args: Arc::default(),
            expires_at: task.expires_at,
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
            self.queues.end_dispatch(task.queue);
        }
    }

    /// Pauses or resumes a queue, or all of them.
    pub(super) fn set_paused(
        &mut self,
        queue: Option<&str>,
        paused: bool,
    ) -> Result<(), LimitExceeded> {
        if self.queues.set_paused(queue, paused)? {
            self.emit(match queue {
                None => Event::Paused(paused),
                Some(_) => Event::QueuePaused(paused),
            });
        }
        Ok(())
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

    /// Returns true if a task has expired that has not been started; it may be in the channel of jobs.
    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        let mut due = self.timers.iter().take_while(|(at, ..)| *at <= now);
        due.any(|(.., timer)| *timer == Timer::Expire)
    }

    /// The next time at which [`Core::advance`] has an effect.
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
            members: self.accounts.usage(&self.limits),
            ..self.metrics.stats(now)
        }
    }

    pub(super) fn histograms(&self) -> Vec<NameHistograms> {
        self.metrics.histograms()
    }

    /// Every queue, consumed by this number of workers.
    pub(super) fn queues(&self, consumers: usize) -> Vec<QueueStatus> {
        let running = self.running.keys().filter_map(|id| self.tasks.get(id));
        self.queues
            .statuses(running.map(|task| task.queue), consumers)
    }

    pub(super) fn unfinished(&self) -> usize {
        self.tasks.len()
    }

    /// The number of dispatched tasks, started or not.
    pub(super) fn in_flight(&self) -> usize {
        self.running.len() + self.queues.dispatched()
    }

    /// The running tasks with their runs.
    pub(super) fn running(&self) -> impl Iterator<Item = (u64, RunningInfo)> + '_ {
        self.running.iter().filter_map(|(id, active)| {
            let task = self.tasks.get(id)?;
            Some((*id, active.info(task)))
        })
    }

    /// The state of an unfinished task.
    pub(super) fn state(&self, id: u64) -> Option<State> {
        self.tasks.get(&id).map(|task| task.state)
    }

    /// The state of an unfinished task and its attempts, which tell whether it has changed.
    pub(super) fn state_and_attempts(&self, id: u64) -> Option<(State, u8)> {
        self.tasks.get(&id).map(|task| (task.state, task.attempts))
    }

    /// The run of a running task.
    pub(super) fn running_info(&self, id: u64) -> Option<RunningInfo> {
        let (active, task) = (self.running.get(&id)?, self.tasks.get(&id)?);
        Some(active.info(task))
    }

    /// Unfinished tasks by state.
    pub(super) const fn counts(&self) -> [usize; State::COUNT] {
        self.counts
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

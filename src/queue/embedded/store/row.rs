//! A task as it is kept. There can be a million, so it is kept small.

use std::{sync::Arc, time::Duration};

use crate::queue::{
    query::{Filter, slowness},
    task::{
        Attempt, DEFAULT_QUEUE, Key, Progress, State, Task, TaskId, TimeLimits, Timestamp, WorkerId,
    },
};

/// What is kept of one task, whether it waits or has ended. That it runs is not kept: that ends with
/// the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::queue) struct Row {
    pub(in crate::queue) id: u64,
    pub(in crate::queue) name: Arc<str>,
    pub(in crate::queue) args: Arc<str>,
    pub(in crate::queue) submitted_at: Timestamp,
    /// Since when it may run, or might have.
    pub(in crate::queue) ready_at: Timestamp,
    pub(in crate::queue) state: State,
    pub(in crate::queue) priority: u8,
    pub(in crate::queue) attempts: u8,
    pub(in crate::queue) max_attempts: u8,
    pub(in crate::queue) crashes: u8,
    rare: Option<Box<ColdFields>>,
    pub(in crate::queue) end: Option<EndRow>,
}

/// What most tasks do not have, and so have no room for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::queue) struct ColdFields {
    pub(in crate::queue) queue: Option<Arc<str>>,
    pub(in crate::queue) key: Option<Box<Key>>,
    pub(in crate::queue) terms: Option<Box<ExecOverrides>>,
    pub(in crate::queue) due_at: Option<Timestamp>,
    /// `due_at` is a time on the wall, which no jump of the clock moves.
    pub(in crate::queue) wall_clock: bool,
    pub(in crate::queue) expires_at: Option<Timestamp>,
    /// What the last attempt that failed said.
    pub(in crate::queue) error: Option<Box<str>>,
}

/// What a task has that has nothing rare.
static NO_COLD: ColdFields = ColdFields {
    queue: None,
    key: None,
    terms: None,
    due_at: None,
    wall_clock: false,
    expires_at: None,
    error: None,
};

/// How a task is to be run and kept, where that is not as usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::queue) struct ExecOverrides {
    pub(in crate::queue) limits: TimeLimits,
    pub(in crate::queue) keep: Option<Duration>,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::queue) struct EndRow {
    pub(in crate::queue) finished_at: Timestamp,
    /// When it is to be forgotten.
    pub(in crate::queue) forget_at: Timestamp,
    pub(in crate::queue) last: Option<LastRun>,
    pub(in crate::queue) result: Option<Box<str>>,
}

/// The run that a task ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) struct LastRun {
    pub(in crate::queue) started_at: Timestamp,
    /// Microseconds between being ready and being started.
    pub(in crate::queue) waited: u64,
    /// Microseconds from start to end.
    pub(in crate::queue) ran: u64,
    pub(in crate::queue) worker: WorkerId,
}

/// What is known of a task because it is running right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) struct RunningInfo {
    pub(in crate::queue) worker: WorkerId,
    pub(in crate::queue) started_at: Timestamp,
    pub(in crate::queue) waited: Duration,
    pub(in crate::queue) attempts: u8,
    pub(in crate::queue) cancelling: bool,
    pub(in crate::queue) progress: Option<Progress>,
}

impl Row {
    /// A task that waits and has never run.
    pub(in crate::queue) fn new(id: u64, name: Arc<str>, args: Arc<str>, now: Timestamp) -> Self {
        Self {
            id,
            name,
            args,
            submitted_at: now,
            ready_at: now,
            state: State::Queued,
            priority: 0,
            attempts: 0,
            max_attempts: 1,
            crashes: 0,
            rare: None,
            end: None,
        }
    }

    pub(in crate::queue) fn rare(&self) -> &ColdFields {
        self.rare.as_deref().unwrap_or(&NO_COLD)
    }

    /// Room is made only for what needs it.
    pub(in crate::queue) fn set_rare(&mut self, rare: ColdFields) {
        self.rare = (rare != NO_COLD).then(|| Box::new(rare));
    }

    /// Changes what is rare.
    pub(in crate::queue) fn change_rare(&mut self, change: impl FnOnce(&mut ColdFields)) {
        let mut rare = self
            .rare
            .take()
            .map_or_else(ColdFields::default, |rare| *rare);
        change(&mut rare);
        self.set_rare(rare);
    }

    /// What [`slowness`] says of it.
    pub(super) fn slowness(&self) -> u64 {
        let last = self.end.as_ref().and_then(|end| end.last);
        slowness(last.map(|run| Duration::from_micros(run.ran)))
    }

    /// The task as it is shown, without its log. A row that has ended is past what is known of its
    /// running.
    pub(super) fn task(&self, live: Option<&RunningInfo>) -> Task {
        let live = live.filter(|_| self.end.is_none());
        let last = self.end.as_ref().and_then(|end| end.last);
        Task {
            id: TaskId(self.id.into()),
            name: Arc::clone(&self.name),
            args: Arc::clone(&self.args),
            state: self.state_now(live),
            cancelling: live.is_some_and(|live| live.cancelling),
            progress: live.and_then(|live| live.progress),
            queue: self.rare().queue.clone(),
            key: self.rare().key.as_deref().cloned(),
            priority: self.priority,
            attempts: live.map_or(self.attempts, |live| live.attempts),
            max_attempts: self.max_attempts,
            crashes: self.crashes,
            submitted_at: self.submitted_at,
            due_at: self.rare().due_at.filter(|_| self.end.is_none()),
            expires_at: self.rare().expires_at,
            started_at: live
                .map(|live| live.started_at)
                .or(last.map(|run| run.started_at)),
            finished_at: self.end.as_ref().map(|end| end.finished_at),
            waited: live
                .map(|live| live.waited)
                .or(last.map(|run| Duration::from_micros(run.waited))),
            ran: last.map(|run| Duration::from_micros(run.ran)),
            worker: live.map(|live| live.worker).or(last.map(|run| run.worker)),
            result: self.end.as_ref().and_then(|end| end.result.clone()),
            error: self.rare().error.clone(),
            log: Vec::<Attempt>::new(),
        }
    }

    const fn state_now(&self, live: Option<&RunningInfo>) -> State {
        match live {
            Some(_) if self.end.is_none() => State::Running,
            _ => self.state,
        }
    }

    pub(super) fn matches(&self, filter: &Filter, live: Option<&RunningInfo>) -> bool {
        let ended_with = self.end.as_ref().and_then(|end| end.last);
        let worker = live
            .filter(|_| self.end.is_none())
            .map(|live| live.worker.0)
            .or(ended_with.map(|run| run.worker.0));
        let key = self.rare().key.as_deref().map(|key| &*key.text);
        let fits =
            |wanted: &Option<String>, has: &str| wanted.as_ref().is_none_or(|wanted| wanted == has);
        filter.states.has(self.state_now(live))
            && (filter.worker.is_none() || filter.worker == worker)
            && fits(&filter.name, &self.name)
            && fits(
                &filter.queue,
                self.rare().queue.as_deref().unwrap_or(DEFAULT_QUEUE),
            )
            && (filter.key.is_none() || filter.key.as_deref() == key)
            && filter
                .ids
                .as_ref()
                .is_none_or(|ids| ids.contains(&TaskId(self.id.into())))
            && self.has_words(filter)
    }

    fn has_words(&self, filter: &Filter) -> bool {
        if filter.has.is_empty() && filter.lacks.is_empty() {
            return true;
        }
        let id = format!("#{}", self.id);
        let texts = || {
            [&*id, &*self.name, &*self.args]
                .into_iter()
                .chain(self.rare().key.as_deref().map(|key| &*key.text))
                .chain(self.end.as_ref().and_then(|end| end.result.as_deref()))
                .chain(self.rare().error.as_deref())
        };
        let found = |wanted: &String| texts().any(|text| contains(text, wanted));
        filter.has.iter().all(found) && !filter.lacks.iter().any(found)
    }
}

/// Whether a text has another in it; `wanted` is in lower case already.
fn contains(text: &str, wanted: &str) -> bool {
    if text.is_ascii() {
        let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
        return wanted.is_empty()
            || text
                .windows(wanted.len())
                .any(|part| part.eq_ignore_ascii_case(wanted));
    }
    text.to_lowercase().contains(wanted)
}

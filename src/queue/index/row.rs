//! The stored form of a task. There can be a million, so it is small.

use std::{borrow::Cow, sync::Arc, time::Duration};

use crate::queue::{
    clock::Timestamp,
    id::{TaskId, WorkerId, WorkerNumber},
    options::{DEFAULT_QUEUE, TaskKey, TimeLimits},
    payload::Payload,
    query::{Filter, duration_key},
    state::State,
    task::{Attempt, Progress, Task, TaskFailure},
};

/// One task as it is stored, unfinished or finished. The running state is not stored: it ends with the
/// process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::queue) struct Row {
    pub(in crate::queue) id: u64,
    pub(in crate::queue) name: Arc<str>,
    pub(in crate::queue) args: Arc<str>,
    pub(in crate::queue) submitted_at: Timestamp,
    /// The time at which it became or will become ready.
    pub(in crate::queue) ready_at: Timestamp,
    pub(in crate::queue) state: State,
    pub(in crate::queue) priority: u8,
    pub(in crate::queue) attempts: u8,
    pub(in crate::queue) max_attempts: u8,
    pub(in crate::queue) crashes: u8,
    cold: Option<Box<ColdFields>>,
    pub(in crate::queue) end: Option<EndRow>,
}

/// The fields that few tasks have, boxed so that they cost the others nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::queue) struct ColdFields {
    pub(in crate::queue) queue: Option<Arc<str>>,
    pub(in crate::queue) key: Option<Box<TaskKey>>,
    pub(in crate::queue) overrides: Option<Box<ExecOverrides>>,
    pub(in crate::queue) due_at: Option<Timestamp>,
    /// `due_at` is a time of day, which does not move with the clock.
    pub(in crate::queue) wall_clock: bool,
    pub(in crate::queue) expires_at: Option<Timestamp>,
    /// The error of the last failed attempt.
    pub(in crate::queue) error: Option<Box<TaskFailure>>,
}

/// The cold fields of a task that has none.
static NO_COLD: ColdFields = ColdFields {
    queue: None,
    key: None,
    overrides: None,
    due_at: None,
    wall_clock: false,
    expires_at: None,
    error: None,
};

/// The limits and the retention of a task that differ from the engine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::queue) struct ExecOverrides {
    pub(in crate::queue) limits: TimeLimits,
    pub(in crate::queue) result_ttl: Option<Duration>,
}

/// The end of a finished task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::queue) struct EndRow {
    pub(in crate::queue) finished_at: Timestamp,
    /// The time of its deletion.
    pub(in crate::queue) evict_at: Timestamp,
    pub(in crate::queue) last_run: Option<Run>,
    pub(in crate::queue) result: Option<Box<str>>,
}

/// One run of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) struct Run {
    pub(in crate::queue) worker: WorkerNumber,
    pub(in crate::queue) started_at: Timestamp,
    /// Microseconds from being ready to the start.
    pub(in crate::queue) wait_micros: u64,
    /// Microseconds from the start to the end; 0 while it runs.
    pub(in crate::queue) run_micros: u64,
}

impl Run {
    pub(in crate::queue) const fn wait_time(&self) -> Duration {
        Duration::from_micros(self.wait_micros)
    }

    pub(in crate::queue) const fn run_time(&self) -> Duration {
        Duration::from_micros(self.run_micros)
    }
}

/// The current run of a task, and what is known of the task only while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) struct RunningInfo {
    pub(in crate::queue) run: Run,
    pub(in crate::queue) attempts: u8,
    pub(in crate::queue) cancelling: bool,
    pub(in crate::queue) progress: Option<Progress>,
}

/// The new schedule of an unfinished task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::queue) struct Reschedule {
    pub(in crate::queue) id: u64,
    pub(in crate::queue) state: State,
    pub(in crate::queue) ready_at: Timestamp,
    pub(in crate::queue) due_at: Option<Timestamp>,
    pub(in crate::queue) wall_clock: bool,
    pub(in crate::queue) expires_at: Option<Timestamp>,
    pub(in crate::queue) attempts: u8,
    pub(in crate::queue) crashes: u8,
    /// Replaces the last error, if present.
    pub(in crate::queue) error: Option<Box<TaskFailure>>,
}

/// The final state of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::queue) struct Completion {
    pub(in crate::queue) state: State,
    pub(in crate::queue) attempts: u8,
    pub(in crate::queue) crashes: u8,
    /// Replaces the last error, if present.
    pub(in crate::queue) error: Option<Box<TaskFailure>>,
    pub(in crate::queue) end: EndRow,
}

impl Row {
    /// A ready task that has never run.
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
            cold: None,
            end: None,
        }
    }

    /// The cold fields, or their defaults.
    pub(in crate::queue) fn cold(&self) -> &ColdFields {
        self.cold.as_deref().unwrap_or(&NO_COLD)
    }

    /// Sets the cold fields; the defaults take no memory.
    pub(in crate::queue) fn set_cold(&mut self, cold: ColdFields) {
        self.cold = (cold != NO_COLD).then(|| Box::new(cold));
    }

    /// Changes the cold fields in place.
    pub(in crate::queue) fn update_cold(&mut self, change: impl FnOnce(&mut ColdFields)) {
        let mut cold = self
            .cold
            .take()
            .map_or_else(ColdFields::default, |cold| *cold);
        change(&mut cold);
        self.set_cold(cold);
    }

    /// Makes the row that of an unfinished task with a new schedule.
    pub(in crate::queue) fn reschedule(&mut self, change: Reschedule) {
        self.end = None;
        self.state = change.state;
        self.ready_at = change.ready_at;
        self.attempts = change.attempts;
        self.crashes = change.crashes;
        self.update_cold(|cold| {
            cold.due_at = change.due_at;
            cold.wall_clock = change.wall_clock;
            cold.expires_at = change.expires_at;
            cold.error = change.error.or(cold.error.take());
        });
    }

    /// Makes the row that of a finished task.
    pub(in crate::queue) fn complete(&mut self, completion: Completion) {
        self.state = completion.state;
        self.attempts = completion.attempts;
        self.crashes = completion.crashes;
        if completion.error.is_some() {
            self.update_cold(|cold| cold.error = completion.error);
        }
        self.end = Some(completion.end);
    }

    /// The sort key of its run time; see [`duration_key`].
    pub(in crate::queue) fn duration_key(&self) -> u64 {
        let last_run = self.end.as_ref().and_then(|end| end.last_run);
        duration_key(last_run.map(|run| run.run_time()))
    }

    /// The task without its attempts. For a finished row `running` is out of date and ignored.
    pub(in crate::queue) fn to_task(&self, running: Option<&RunningInfo>) -> Task {
        let running = running.filter(|_| self.end.is_none());
        let last_run = self.end.as_ref().and_then(|end| end.last_run);
        let run = running.map(|running| running.run).or(last_run);
        Task {
            id: TaskId::Sequence(self.id),
            name: Arc::clone(&self.name),
            payload: Payload::from_json(Arc::clone(&self.args)),
            state: self.current_state(running),
            native_state: None,
            cancelling: running.is_some_and(|running| running.cancelling),
            progress: running.and_then(|running| running.progress),
            queue: self.cold().queue.clone(),
            key: self.cold().key.as_deref().cloned(),
            priority: self.priority,
            attempts: running.map_or(self.attempts, |running| running.attempts),
            max_attempts: self.max_attempts,
            crashes: self.crashes,
            submitted_at: self.submitted_at,
            due_at: self.cold().due_at.filter(|_| self.end.is_none()),
            expires_at: self.cold().expires_at,
            started_at: run.map(|run| run.started_at),
            finished_at: self.end.as_ref().map(|end| end.finished_at),
            wait_time: run.map(|run| run.wait_time()),
            run_time: last_run.map(|run| run.run_time()),
            worker: run.map(|run| run.worker.into()),
            result: self.end.as_ref().and_then(|end| end.result.clone()),
            error: self.cold().error.as_deref().cloned(),
            attempts_history: Vec::<Attempt>::new(),
        }
    }

    pub(in crate::queue) const fn current_state(&self, running: Option<&RunningInfo>) -> State {
        match running {
            Some(_) if self.end.is_none() => State::Running,
            _ => self.state,
        }
    }

    pub(in crate::queue) fn matches(&self, filter: &Filter, running: Option<&RunningInfo>) -> bool {
        let last_run = self.end.as_ref().and_then(|end| end.last_run);
        let worker = running
            .filter(|_| self.end.is_none())
            .map(|running| running.run)
            .or(last_run)
            .map(|run| WorkerId::from(run.worker));
        let key = self.cold().key.as_deref().map(|key| &*key.text);
        let equals = |wanted: &Option<String>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == value)
        };
        filter.states.contains(self.current_state(running))
            && (filter.worker.is_none() || filter.worker == worker)
            && equals(&filter.name, &self.name)
            && equals(
                &filter.queue,
                self.cold().queue.as_deref().unwrap_or(DEFAULT_QUEUE),
            )
            && (filter.key.is_none() || filter.key.as_deref() == key)
            && filter
                .ids
                .as_ref()
                .is_none_or(|ids| ids.contains(&TaskId::Sequence(self.id)))
            && self.matches_texts(filter)
    }

    fn matches_texts(&self, filter: &Filter) -> bool {
        if filter.contains.is_empty() && filter.excludes.is_empty() {
            return true;
        }
        let id = format!("#{}", self.id);
        let key = self.cold().key.as_deref().map(|key| &*key.text);
        let result = self.end.as_ref().and_then(|end| end.result.as_deref());
        let errors = self.cold().error.iter().flat_map(|error| error.texts());
        let texts = [&*id, &*self.name, &*self.args].into_iter();
        let texts = texts.chain(key).chain(result).chain(errors);
        // A text with other letters is converted once, and not once for each word.
        let texts: Vec<Cow<'_, str>> = texts.map(comparable).collect();
        let found = |wanted: &String| texts.iter().any(|text| contains(text, wanted));
        filter.contains.iter().all(found) && !filter.excludes.iter().any(found)
    }

    /// The size of the texts that a search examines, in bytes.
    pub(in crate::queue) fn text_size(&self) -> usize {
        let key = self.cold().key.as_deref().map_or(0, |key| key.text.len());
        let result = self.end.as_ref().and_then(|end| end.result.as_ref());
        let error = self.cold().error.as_ref().map_or(0, |error| error.size());
        self.name.len() + self.args.len() + key + result.map_or(0, |text| text.len()) + error
    }
}

/// A text that [`contains`] can search: in lower case, unless it is ASCII.
fn comparable(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

/// A search that ignores the case of ASCII letters; `wanted` is in lower case already.
fn contains(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    wanted.is_empty()
        || text
            .windows(wanted.len())
            .any(|window| window.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_count_from_the_last_retry_and_say_so() {
        let row = Row::new(1, "add".into(), "[]".into(), Timestamp(1));
        let mut task = row.to_task(None);
        let failed = Attempt {
            worker: None,
            wait_time: Duration::ZERO,
            started_at: Timestamp(1),
            run_time: Duration::ZERO,
            error: "broken".into(),
        };
        task.max_attempts = 2;
        task.attempts = 2;
        task.attempts_history = vec![failed.clone(); 2];
        task.state = State::Failed;
        assert_eq!(task.attempts_text(), "2 of 2");
        // It is retried by hand, and its first attempt succeeds.
        (task.state, task.attempts) = (State::Succeeded, 1);
        assert_eq!(task.attempts_text(), "1 of 2 since the last retry");
        // Both attempts after the retry fail.
        task.attempts_history = vec![failed; 4];
        (task.state, task.attempts) = (State::Failed, 2);
        assert_eq!(task.attempts_text(), "2 of 2 since the last retry");
    }
}

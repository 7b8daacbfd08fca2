//! What is kept of one task. There can be a million, so it is kept small.

use std::sync::Arc;

use crate::queue::{
    query::Filter,
    registry::TaskFunction,
    task::{Attempt, State, Task, TaskId, Timestamp, WorkerId},
};

#[derive(Debug)]
pub(super) struct Record {
    pub(super) function: Arc<TaskFunction>,
    pub(super) args: Arc<str>,
    pub(super) result: Option<Box<str>>,
    pub(super) errors: Vec<Attempt>,
    /// The run that a worker has, or may take from the channel; 0 when nobody has one.
    pub(super) run: u64,
    /// Its place among the ready.
    pub(super) rank: u64,
    pub(super) submitted_at: Timestamp,
    pub(super) ready_at: Timestamp,
    pub(super) due_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) worker: Option<WorkerId>,
    pub(super) state: State,
    pub(super) cancelling: bool,
    pub(super) priority: u8,
    pub(super) attempts: u8,
    pub(super) max_attempts: u8,
}

impl Record {
    pub(super) fn new(function: Arc<TaskFunction>, args: Arc<str>, now: Timestamp) -> Self {
        Self {
            function,
            args,
            result: None,
            errors: Vec::new(),
            run: 0,
            rank: 0,
            submitted_at: now,
            ready_at: now,
            due_at: None,
            expires_at: None,
            started_at: None,
            finished_at: None,
            worker: None,
            state: State::Queued,
            cancelling: false,
            priority: 0,
            attempts: 0,
            max_attempts: 1,
        }
    }

    /// Its life is over, for now.
    pub(super) fn end(&mut self, now: Timestamp) {
        self.finished_at = Some(now);
        self.cancelling = false;
        self.due_at = None;
        self.run = 0;
    }

    /// How long it ran, in microseconds, if it ran to an end.
    pub(super) fn ran(&self) -> Option<u64> {
        Some(self.finished_at?.0.saturating_sub(self.started_at?.0))
    }

    pub(super) fn task(&self, id: u64) -> Task {
        Task {
            id: TaskId(id.into()),
            name: Arc::clone(&self.function.name),
            args: Arc::clone(&self.args),
            state: self.state,
            cancelling: self.cancelling,
            priority: self.priority,
            attempts: self.attempts,
            max_attempts: self.max_attempts,
            submitted_at: self.submitted_at,
            due_at: self.due_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            worker: self.worker,
            result: self.result.clone(),
            errors: self.errors.clone(),
        }
    }

    pub(super) fn matches(&self, id: u64, filter: &Filter) -> bool {
        if !filter.states.has(self.state) {
            return false;
        }
        if filter.worker.is_some() && self.worker.map(|w| w.0) != filter.worker {
            return false;
        }
        if filter.has.is_empty() && filter.lacks.is_empty() {
            return true;
        }
        let id = format!("#{id}");
        let texts = || {
            [&*id, &*self.function.name, &*self.args]
                .into_iter()
                .chain(self.result.as_deref())
                .chain(self.errors.iter().map(|attempt| &*attempt.error))
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

//! Tasks: before they are submitted, and as their broker shows them.

use std::{borrow::Cow, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    clock::Timestamp,
    id::{TaskId, WorkerId},
    limits::{MAX_ERROR, MAX_NAME, prefix},
    options::{TaskKey, TaskOptions},
    payload::Payload,
    state::State,
};

/// A task to submit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTask {
    /// The registered name of the function.
    pub name: String,
    /// The arguments as JSON: an array by position or an object by name, at most [`MAX_PAYLOAD`](super::limits::MAX_PAYLOAD) bytes.
    pub args: String,
    /// Its options.
    #[serde(default)]
    pub options: TaskOptions,
}

impl NewTask {
    /// Returns a task with the default options.
    pub fn new(name: impl Into<String>, args: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            args: args.into(),
            options: TaskOptions::default(),
        }
    }
}

/// The acknowledgement of a submitted task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its id, or that of the unfinished task with the same unique key.
    pub id: TaskId,
    /// Nothing was added, because an unfinished task has the same unique key.
    pub deduplicated: bool,
}

/// An attempt that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The worker that made it; unknown after a crash of the process.
    pub worker: Option<WorkerId>,
    /// The time from being ready to being started.
    pub wait_time: Duration,
    /// When it started.
    pub started_at: Timestamp,
    /// The time that it ran.
    pub run_time: Duration,
    /// Its error.
    pub error: TaskFailure,
}

/// The error of an attempt that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaskFailure {
    /// Its kind, where the engine knows it: the class of an exception.
    pub kind: Option<Arc<str>>,
    /// The message; each cause follows on a line of its own.
    pub message: Box<str>,
    /// The traceback, where the engine has one.
    pub traceback: Option<Box<str>>,
}

impl TaskFailure {
    /// The kind of a panic in a task function.
    pub const PANIC: &str = "Panic";
    /// The kind of a run that exceeded its hard time limit.
    pub const TIME_LIMIT: &str = "TimeLimitExceeded";
    /// The kind of a run during which the process of its worker ended.
    pub const WORKER_LOST: &str = "WorkerLost";
    /// The kind of a task whose function the engine does not have.
    pub const NOT_REGISTERED: &str = "NotRegistered";
    /// The kind of a result that exceeds [`MAX_PAYLOAD`](super::limits::MAX_PAYLOAD).
    pub const RESULT_TOO_LARGE: &str = "ResultTooLarge";

    /// Returns an error of a known kind.
    pub fn new(kind: impl Into<Arc<str>>, message: impl Into<Box<str>>) -> Self {
        Self {
            kind: Some(kind.into()),
            message: message.into(),
            traceback: None,
        }
    }

    /// The texts that a search looks into: the kind and the message.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.kind.as_deref().into_iter().chain([&*self.message])
    }

    /// Returns the kind and the first line of the message.
    pub(super) fn summary(&self) -> Self {
        Self {
            kind: self.kind.clone(),
            message: self.message.lines().next().unwrap_or_default().into(),
            traceback: None,
        }
    }

    /// Truncates the texts to [`MAX_ERROR`] bytes in all, the traceback first.
    pub(super) fn truncate(&mut self) {
        let mut room = MAX_ERROR;
        if let Some(kind) = self.kind.as_mut().filter(|kind| kind.len() > MAX_NAME) {
            *kind = prefix(kind, MAX_NAME).into();
        }
        room -= self.kind.as_deref().map_or(0, str::len);
        if self.message.len() > room {
            self.message = prefix(&self.message, room).into();
        }
        room -= self.message.len();
        if let Some(traceback) = self.traceback.as_mut().filter(|text| text.len() > room) {
            *traceback = prefix(traceback, room).into();
        }
    }

    /// The length of all texts in bytes.
    pub(super) fn size(&self) -> usize {
        let traceback = self.traceback.as_deref().map_or(0, str::len);
        self.texts().map(str::len).sum::<usize>() + traceback
    }

    /// The kind and the message as one text for people.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match &self.kind {
            Some(kind) => Cow::Owned(format!("{kind}: {}", self.message)),
            None => Cow::Borrowed(&self.message),
        }
    }
}

impl<T: Into<Box<str>>> From<T> for TaskFailure {
    /// An error of which only the message is known.
    fn from(message: T) -> Self {
        Self {
            kind: None,
            message: message.into(),
            traceback: None,
        }
    }
}

/// The progress that a running task reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The finished part.
    pub done: u64,
    /// The whole; never less than `done`.
    pub total: u64,
}

impl Progress {
    /// The finished share, 0 to 1.
    #[must_use]
    pub fn share(self) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        self.done as f64 / self.total as f64
    }
}

/// A task as its broker shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The registered name of the function.
    pub name: Arc<str>,
    /// Its arguments.
    pub payload: Payload,
    /// Its state.
    pub state: State,
    /// The engine's own word for the state, where it has one.
    pub native_state: Option<Arc<str>>,
    /// It runs and has been asked to stop.
    pub cancelling: bool,
    /// Its progress, if it runs and reports any.
    pub progress: Option<Progress>,
    /// Its queue; `None` is [`DEFAULT_QUEUE`](super::options::DEFAULT_QUEUE).
    pub queue: Option<Arc<str>>,
    /// Its key.
    pub key: Option<TaskKey>,
    /// 0 to [`MAX_PRIORITY`](super::options::MAX_PRIORITY).
    pub priority: u8,
    /// The number of starts since it was submitted or retried by hand.
    pub attempts: u8,
    /// The number of starts after which it fails permanently.
    pub max_attempts: u8,
    /// The number of crashes of the process while it ran.
    pub crashes: u8,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When it becomes ready, for a scheduled or retrying task.
    pub due_at: Option<Timestamp>,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// When the last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it finished.
    pub finished_at: Option<Timestamp>,
    /// The time from being ready to the start of the last attempt.
    pub wait_time: Option<Duration>,
    /// The time that the last attempt ran, for a finished task that was started.
    pub run_time: Option<Duration>,
    /// The worker of the last attempt.
    pub worker: Option<WorkerId>,
    /// The result as JSON.
    pub result: Option<Box<str>>,
    /// The error of the last failed attempt.
    pub error: Option<TaskFailure>,
    /// The attempts that did not succeed, oldest first, at most [`MAX_ATTEMPTS_HISTORY`](super::limits::MAX_ATTEMPTS_HISTORY). Empty in
    /// lists: only [`Inspect::get`](super::broker::Inspect::get) fills it.
    pub attempts_history: Vec<Attempt>,
}

impl Task {
    /// The number of attempts as text for people: `2 of 5`, and `2 of 5 since the last retry` for a task
    /// that was retried by hand, if its history shows earlier attempts.
    #[must_use]
    pub fn attempts_text(&self) -> String {
        let text = format!("{} of {}", self.attempts, self.max_attempts);
        // A run that succeeded, or has not ended, is not in the history.
        let unrecorded = matches!(self.state, State::Running | State::Succeeded);
        let known = self.attempts_history.len() + usize::from(unrecorded);
        if known > usize::from(self.attempts) {
            format!("{text} since the last retry")
        } else {
            text
        }
    }

    /// The result, or else the error, as text for people.
    #[must_use]
    pub fn output(&self) -> Option<Cow<'_, str>> {
        match (&self.result, &self.error) {
            (Some(result), _) => Some(Cow::Borrowed(result)),
            (None, error) => error.as_ref().map(TaskFailure::text),
        }
    }
}

//! What workers can run: typed Rust functions under names.
//!
//! ```
//! use distro_tui::queue::{
//!     context::Context,
//!     registry::{Registry, TaskError},
//! };
//!
//! #[derive(serde::Deserialize)]
//! struct Shout {
//!     text: String,
//! }
//!
//! async fn shout(args: Shout, _: Context) -> Result<String, TaskError> {
//!     Ok(serde_json::to_string(&args.text.to_uppercase()).map_err(TaskError::fatal)?)
//! }
//!
//! let mut registry = Registry::new();
//! registry.register("shout", shout);
//! ```
//!
//! Arguments come as a JSON array in the order of the struct's fields, or as a JSON object by name;
//! fields with `#[serde(default)]` may be left out. What does not fit is refused when it is
//! submitted, not when it is run.

use std::{collections::BTreeMap, fmt, future::Future, pin::Pin, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    context::Context,
    task::{MAX_NAME, MAX_PAYLOAD, NewTask},
};

/// Why a task is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum InvalidTask {
    /// No such task is registered.
    #[error("there is no task named `{name}`; there is {known}")]
    UnknownTask {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The arguments do not fit the task.
    #[error("{name}: {why}")]
    BadArguments {
        /// The task's name.
        name: String,
        /// What is wrong with them.
        why: String,
    },
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskError {
    /// Another attempt would fail in the same way.
    Permanent(String),
    /// Another attempt may succeed.
    Retryable(String),
}

impl TaskError {
    /// An error that another attempt would not mend.
    pub fn permanent(why: impl ToString) -> Self {
        Self::Permanent(why.to_string())
    }

    /// An error that another attempt may mend.
    pub fn retryable(why: impl ToString) -> Self {
        Self::Retryable(why.to_string())
    }

    /// The same for an error with its causes, each in a line of its own.
    pub fn from_error(error: &dyn std::error::Error) -> Self {
        Self::Retryable(chain(error))
    }

    /// The same for an error with its causes, each in a line of its own.
    pub fn fatal_with_causes(error: &dyn std::error::Error) -> Self {
        Self::Permanent(chain(error))
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    /// An error that names itself as its cause has no end.
    const DEEPEST: usize = 16;
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let mut text = error.to_string();
    for cause in causes.take(DEEPEST) {
        text.push_str("\ncaused by: ");
        text.push_str(&cause.to_string());
    }
    text
}

/// A run of a task: its result as JSON, or its error.
pub type TaskFuture = Pin<Box<dyn Future<Output = Result<String, TaskError>> + Send>>;

type Check = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;
type Start = Box<dyn Fn(&str, Context) -> Result<TaskFuture, String> + Send + Sync>;

/// A function that workers can run. Dropping the [`TaskFuture`] cancels it, so a function must wait with
/// `await`; work that does not belongs on `tokio::task::spawn_blocking`.
pub(super) struct TaskFunction {
    pub(super) name: Arc<str>,
    check: Check,
    start: Start,
}

impl TaskFunction {
    pub(super) fn start(&self, args: &str, context: Context) -> Result<TaskFuture, String> {
        (self.start)(args, context)
    }
}

impl fmt::Debug for TaskFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskFunction({})", self.name)
    }
}

/// Task functions by name.
#[derive(Debug, Clone, Default)]
pub struct Registry(BTreeMap<String, Arc<TaskFunction>>);

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a function available under a name, in place of an earlier one. It takes its arguments
    /// as one type that serde can read, and answers with JSON.
    pub fn register<A, F, R>(&mut self, name: &str, function: F) -> &mut Self
    where
        A: DeserializeOwned,
        F: Fn(A, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<String, TaskError>> + Send + 'static,
    {
        let function = TaskFunction {
            name: name.into(),
            check: Box::new(|args| read::<A>(args).map(drop)),
            start: Box::new(move |args, context| {
                let run: TaskFuture = Box::pin(function(read(args)?, context));
                Ok(run)
            }),
        };
        self.0.insert(name.to_owned(), Arc::new(function));
        self
    }

    /// The names there are, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The function that is registered under a name.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<TaskFunction>> {
        self.0.get(name)
    }

    /// The function for a task, after a look at everything that was said about it.
    pub(super) fn find(&self, task: &NewTask) -> Result<Arc<TaskFunction>, InvalidTask> {
        let function = self
            .get(&task.name)
            .ok_or_else(|| InvalidTask::UnknownTask {
                name: task.name.chars().take(80).collect(),
                known: self.names().collect::<Vec<_>>().join(", "),
            })?;
        let checked = checked(task).and_then(|()| (function.check)(&task.args));
        match checked {
            Ok(()) => Ok(Arc::clone(function)),
            Err(why) => Err(InvalidTask::BadArguments {
                name: task.name.clone(),
                why,
            }),
        }
    }
}

fn checked(task: &NewTask) -> Result<(), String> {
    let long = task.args.len();
    if long > MAX_PAYLOAD {
        return Err(format!(
            "arguments of {long} bytes are over the limit of {MAX_PAYLOAD}"
        ));
    }
    let words = [
        ("queue", task.options.queue.as_ref()),
        ("key", task.options.key.as_ref().map(|key| &key.text)),
    ];
    for (what, word) in words {
        match word {
            Some(word) if word.is_empty() => return Err(format!("the {what} is empty")),
            Some(word) if word.len() > MAX_NAME => {
                return Err(format!("a {what} has at most {MAX_NAME} bytes"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn read<A: DeserializeOwned>(args: &str) -> Result<A, String> {
    serde_json::from_str(args).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::task::TaskId;

    #[derive(serde::Deserialize)]
    struct Pair {
        x: i64,
        #[serde(default)]
        y: i64,
    }

    fn registry() -> Registry {
        let mut registry = Registry::new();
        registry.register("pair", |pair: Pair, _| async move {
            Ok(format!("{}", pair.x - pair.y))
        });
        registry
    }

    async fn run(args: &str) -> Result<String, TaskError> {
        let function = registry().find(&NewTask::new("pair", args)).expect("fits");
        let context = Context::detached(TaskId(1), 1);
        function.start(args, context).expect("fits").await
    }

    #[tokio::test]
    async fn arguments_come_by_position_or_by_name() {
        assert_eq!(run("[5, 2]").await, Ok("3".into()));
        assert_eq!(run("[5]").await, Ok("5".into()));
        assert_eq!(run(r#"{"y": 2, "x": 5}"#).await, Ok("3".into()));
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_queued() {
        let registry = registry();
        for args in ["", "[]", "[1, 2, 3]", r#"["x"]"#, "{}", "5"] {
            let refused = registry
                .find(&NewTask::new("pair", args))
                .expect_err("refused");
            assert!(
                matches!(refused, InvalidTask::BadArguments { .. }),
                "{args}"
            );
        }
        let refused = registry
            .find(&NewTask::new("pear", "[1]"))
            .expect_err("refused");
        assert!(refused.to_string().contains("there is pair"), "{refused}");
    }
}

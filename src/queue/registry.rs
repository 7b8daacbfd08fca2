//! The functions that workers can run: typed Rust functions, registered under names.
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
//!     Ok(serde_json::to_string(&args.text.to_uppercase()).map_err(TaskError::permanent)?)
//! }
//!
//! let mut registry = Registry::new();
//! registry.register("shout", shout);
//! ```
//!
//! Arguments are a JSON array in the order of the struct's fields, or a JSON object by name; fields
//! with `#[serde(default)]` are optional. Invalid arguments are rejected when a task is submitted, not
//! when it runs.

use std::{collections::BTreeMap, fmt, future::Future, pin::Pin, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    context::Context,
    limits::{MAX_ERROR, MAX_NAME, MAX_PAYLOAD, prefix},
    task::{NewTask, TaskFailure},
};

/// The reason why a task is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum InvalidTask {
    /// The name is not registered.
    #[error("no task is named `{name}`; available: {known}")]
    UnknownTask {
        /// The requested name.
        name: String,
        /// The registered names.
        known: String,
    },
    /// The arguments or options are invalid.
    #[error("{name}: {reason}")]
    BadArguments {
        /// The task name.
        name: String,
        /// The problem.
        reason: String,
    },
}

/// The error of a task function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskError {
    /// Another attempt would fail in the same way.
    Permanent(TaskFailure),
    /// Another attempt may succeed.
    Retryable(TaskFailure),
}

impl TaskError {
    /// Returns an error that no other attempt would avoid.
    pub fn permanent(why: impl ToString) -> Self {
        Self::Permanent(why.to_string().into())
    }

    /// Returns an error that another attempt may avoid.
    pub fn retryable(why: impl ToString) -> Self {
        Self::Retryable(why.to_string().into())
    }

    /// Converts an error to a retryable one: its kind is the name of its type, and each cause is on a
    /// line of its own.
    pub fn from_error<E: std::error::Error + 'static>(error: &E) -> Self {
        let message = error_with_causes(error);
        Self::Retryable(TaskFailure::new(type_name::<E>(), message))
    }
}

/// The name of a type without its path and parameters.
fn type_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let path = name.split('<').next().unwrap_or(name);
    path.rsplit("::").next().unwrap_or(path)
}

fn error_with_causes(error: &dyn std::error::Error) -> String {
    /// Stops at an error that names itself as its cause.
    const MAX_DEPTH: usize = 16;
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let mut text = error.to_string();
    for cause in causes.take(MAX_DEPTH) {
        text.push_str("\ncaused by: ");
        text.push_str(&cause.to_string());
    }
    text
}

/// A run of a task function: its result as JSON, or its error.
pub type TaskFuture = Pin<Box<dyn Future<Output = Result<String, TaskError>> + Send>>;

type CheckFn = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;
type StartFn = Box<dyn Fn(&str, Context) -> Result<TaskFuture, String> + Send + Sync>;

/// A registered function. Dropping the [`TaskFuture`] cancels it, so a function must wait with `await`;
/// blocking work belongs on `tokio::task::spawn_blocking`.
pub(super) struct TaskFunction {
    pub(super) name: Arc<str>,
    check: CheckFn,
    start: StartFn,
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

/// The registered task functions by name.
#[derive(Debug, Clone, Default)]
pub struct Registry(BTreeMap<String, Arc<TaskFunction>>);

impl Registry {
    /// Returns an empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a function under a name, replacing an earlier one. Its arguments are one type that
    /// serde can deserialize; it returns JSON.
    pub fn register<A, F, R>(&mut self, name: &str, function: F) -> &mut Self
    where
        A: DeserializeOwned,
        F: Fn(A, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<String, TaskError>> + Send + 'static,
    {
        let function = TaskFunction {
            name: name.into(),
            check: Box::new(|args| parse_args::<A>(args).map(drop)),
            start: Box::new(move |args, context| {
                let run: TaskFuture = Box::pin(function(parse_args(args)?, context));
                Ok(run)
            }),
        };
        self.0.insert(name.to_owned(), Arc::new(function));
        self
    }

    /// The registered names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns the function that is registered under a name.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<TaskFunction>> {
        self.0.get(name)
    }

    /// Validates a task and returns its function.
    pub(super) fn resolve(&self, task: &NewTask) -> Result<Arc<TaskFunction>, InvalidTask> {
        let function = self
            .get(&task.name)
            .ok_or_else(|| InvalidTask::UnknownTask {
                name: task.name.chars().take(80).collect(),
                known: prefix(&self.names().collect::<Vec<_>>().join(", "), MAX_ERROR).to_owned(),
            })?;
        let valid = validate(task).and_then(|()| (function.check)(&task.args));
        match valid {
            Ok(()) => Ok(Arc::clone(function)),
            Err(reason) => Err(InvalidTask::BadArguments {
                name: prefix(&task.name, MAX_NAME).to_owned(),
                reason: prefix(&reason, MAX_ERROR).to_owned(),
            }),
        }
    }
}

fn validate(task: &NewTask) -> Result<(), String> {
    let size = task.args.len();
    if size > MAX_PAYLOAD {
        return Err(format!(
            "arguments of {size} bytes are over the limit of {MAX_PAYLOAD}"
        ));
    }
    match task.name.len() {
        0 => Err("the name is empty".to_owned()),
        size if size > MAX_NAME => Err(format!("the name is longer than {MAX_NAME} bytes")),
        _ => task.options.validate().map_err(|error| error.to_string()),
    }
}

fn parse_args<A: DeserializeOwned>(args: &str) -> Result<A, String> {
    serde_json::from_str(args).map_err(|error| {
        let text = error.to_string();
        // Arguments are one line, in which nobody counts columns.
        let text = text
            .rsplit_once(" at line ")
            .map_or(&*text, |(text, _)| text);
        format!("the arguments do not fit: {text}")
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::queue::{clock::Timestamp, id::TaskId, limits::MAX_SPAN, options::TaskOptions};

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
        let function = registry()
            .resolve(&NewTask::new("pair", args))
            .expect("fits");
        let context = Context::detached(TaskId::Sequence(1), 1);
        function.start(args, context).expect("fits").await
    }

    #[tokio::test]
    async fn arguments_are_given_by_position_or_by_name() {
        assert_eq!(run("[5, 2]").await, Ok("3".into()));
        assert_eq!(run("[5]").await, Ok("5".into()));
        assert_eq!(run(r#"{"y": 2, "x": 5}"#).await, Ok("3".into()));
    }

    #[test]
    fn the_kind_of_a_converted_error_is_the_name_of_its_type() {
        let error = "x".parse::<u8>().expect_err("no number");
        let TaskError::Retryable(failure) = TaskError::from_error(&error) else {
            panic!("retryable");
        };
        assert_eq!(
            failure.text(),
            "ParseIntError: invalid digit found in string"
        );
    }

    #[test]
    fn times_over_their_limit_are_rejected_by_name() {
        type SetSpan = fn(&mut TaskOptions, Duration);
        let spans: [(&str, SetSpan); 5] = [
            ("delay", |options, span| options.delay = Some(span)),
            ("expiry", |options, span| options.expires = Some(span)),
            ("soft limit", |options, span| {
                options.limits.soft = Some(span);
            }),
            ("time limit", |options, span| {
                options.limits.hard = Some(span);
            }),
            ("result lifetime", |options, span| {
                options.result_ttl = Some(span);
            }),
        ];
        let mut task = NewTask::new("pair", "[5]");
        for (option, set) in spans {
            task.options = TaskOptions::default();
            set(&mut task.options, MAX_SPAN);
            assert!(registry().resolve(&task).is_ok(), "{option}");
            for span in [MAX_SPAN + Duration::from_nanos(1), Duration::MAX] {
                set(&mut task.options, span);
                let refused = registry().resolve(&task).expect_err("refused");
                let expected = format!("pair: the {option} is longer than 3650 days");
                assert_eq!(refused.to_string(), expected);
            }
        }
        task.options = TaskOptions {
            eta: Some(Timestamp(u64::MAX)),
            ..TaskOptions::default()
        };
        let refused = registry().resolve(&task).expect_err("refused");
        assert!(refused.to_string().contains("year 9999"), "{refused}");
    }

    #[test]
    fn invalid_arguments_are_rejected_before_the_task_is_queued() {
        let registry = registry();
        for args in ["", "[]", "[1, 2, 3]", r#"["x"]"#, "{}", "5"] {
            let refused = registry
                .resolve(&NewTask::new("pair", args))
                .expect_err("refused");
            assert!(
                matches!(refused, InvalidTask::BadArguments { .. }),
                "{args}"
            );
        }
        let refused = registry
            .resolve(&NewTask::new("pear", "[1]"))
            .expect_err("refused");
        assert!(refused.to_string().contains("available: pair"), "{refused}");
    }
}

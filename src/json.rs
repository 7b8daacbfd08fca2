//! The JSON shapes of the command line and of exported files: a public interface, held by snapshots.
//!
//! Times are RFC 3339 in UTC, durations milliseconds, ids numbers (or UUIDs as strings). Arguments and
//! results stand as they were submitted: integers of any size keep every digit. `Infinity` and `NaN` are
//! not JSON, so a value that contains one is a string with the value's text.

use std::{borrow::Cow, sync::Arc};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    net::{naming::Record, uri::Uri},
    queue::{
        clock::Timestamp,
        id::TaskId,
        options::DEFAULT_QUEUE,
        payload::Payload,
        state::State,
        stats::{Percentiles, QueueStatus, Stats, StorageStats},
        task::{Attempt, Task},
        worker::WorkerStatus,
    },
    text::sanitize,
};

/// A registration.
#[derive(Serialize)]
pub(crate) struct NameJson<'a> {
    name: &'a str,
    uri: &'a Uri,
    owner: String,
    state: &'static str,
    tags: &'a [String],
    lease_ms: Option<u64>,
    share: &'static str,
    /// Set if the name may be mistaken for another one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    mixed_scripts: bool,
}

impl<'a> From<&'a Record> for NameJson<'a> {
    fn from(record: &'a Record) -> Self {
        Self {
            name: &record.name,
            uri: &record.uri,
            owner: record.owner.to_string(),
            state: record.health.as_str(),
            tags: &record.tags,
            lease_ms: record.lease_ms,
            share: record.share.as_str(),
            mixed_scripts: record.has_mixed_scripts(),
        }
    }
}

/// A task.
#[derive(Serialize)]
pub(crate) struct TaskJson<'a> {
    id: IdJson,
    name: &'a str,
    args: JsonText<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kwargs: Option<JsonText<'a>>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    native_state: Option<&'a str>,
    cancelling: bool,
    result: Option<JsonText<'a>>,
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceback: Option<&'a str>,
    queue: &'a str,
    key: Option<&'a str>,
    priority: u8,
    attempts: u8,
    max_attempts: u8,
    crashes: u8,
    worker: Option<String>,
    submitted_at: Option<String>,
    due_at: Option<String>,
    expires_at: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
    wait_ms: Option<f64>,
    run_ms: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attempts_history: Vec<AttemptJson<'a>>,
}

/// An attempt that did not succeed.
#[derive(Serialize)]
struct AttemptJson<'a> {
    worker: Option<String>,
    started_at: Option<String>,
    run_ms: f64,
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceback: Option<&'a str>,
}

/// A task id: a number, or an external id as a string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum IdJson {
    Number(u64),
    Text(Arc<str>),
}

impl From<TaskId> for IdJson {
    fn from(id: TaskId) -> Self {
        match id {
            TaskId::Sequence(number) => Self::Number(number),
            TaskId::External(text) => Self::Text(text),
        }
    }
}

impl<'a> From<&'a Task> for TaskJson<'a> {
    fn from(task: &'a Task) -> Self {
        let error = task.error.as_ref();
        let (args, kwargs) = match &task.payload {
            Payload::Json { args, kwargs } => (
                JsonText::new(args.as_deref().unwrap_or("[]")),
                kwargs.as_deref().map(JsonText::new),
            ),
            Payload::Repr { args, kwargs } => (JsonText::Text(args), Some(JsonText::Text(kwargs))),
        };
        Self {
            id: task.id.clone().into(),
            name: &task.name,
            args,
            kwargs,
            state: task.state.as_str(),
            native_state: task.native_state.as_deref(),
            cancelling: task.cancelling,
            result: task.result.as_deref().map(JsonText::new),
            error: error.map(|error| &*error.message),
            error_kind: error.and_then(|error| error.kind.as_deref()),
            traceback: error.and_then(|error| error.traceback.as_deref()),
            queue: task.queue.as_deref().unwrap_or(DEFAULT_QUEUE),
            key: task.key.as_ref().map(|key| &*key.text),
            priority: task.priority,
            attempts: task.attempts,
            max_attempts: task.max_attempts,
            crashes: task.crashes,
            worker: task.worker.as_ref().map(ToString::to_string),
            submitted_at: time(task.submitted_at),
            due_at: task.due_at.and_then(time),
            expires_at: task.expires_at.and_then(time),
            started_at: task.started_at.and_then(time),
            finished_at: task.finished_at.and_then(time),
            wait_ms: task.wait_time.map(ms),
            run_ms: task.run_time.map(ms),
            attempts_history: task
                .attempts_history
                .iter()
                .map(AttemptJson::from)
                .collect(),
        }
    }
}

impl<'a> From<&'a Attempt> for AttemptJson<'a> {
    fn from(attempt: &'a Attempt) -> Self {
        Self {
            worker: attempt.worker.as_ref().map(ToString::to_string),
            started_at: time(attempt.started_at),
            run_ms: ms(attempt.run_time),
            error: &attempt.error.message,
            error_kind: attempt.error.kind.as_deref(),
            traceback: attempt.error.traceback.as_deref(),
        }
    }
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct WorkerJson {
    id: String,
    state: &'static str,
    task: Option<IdJson>,
    task_name: Option<String>,
    done: u64,
    failed: u64,
    cancelled: u64,
    busy: f64,
    started_at: Option<String>,
}

impl WorkerJson {
    pub(crate) fn new(worker: &WorkerStatus, now: Timestamp) -> Self {
        let current = worker.current.as_ref();
        Self {
            id: worker.id.to_string(),
            state: worker.state.as_str(),
            task: current.map(|current| current.id.clone().into()),
            task_name: current.map(|current| current.name.to_string()),
            done: worker.done,
            failed: worker.failed,
            cancelled: worker.cancelled,
            busy: (worker.busy_share(now) * 1e3).round() / 1e3,
            started_at: time(worker.started_at),
        }
    }
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct QueueJson<'a> {
    name: &'a str,
    depth: usize,
    in_flight: usize,
    /// False if there may be more tasks than these.
    exact: bool,
    consumers: Option<usize>,
    paused: bool,
}

impl<'a> From<&'a QueueStatus> for QueueJson<'a> {
    fn from(queue: &'a QueueStatus) -> Self {
        Self {
            name: &queue.name,
            depth: queue.depth.known(),
            in_flight: queue.in_flight.known(),
            exact: queue.depth.is_exact() && queue.in_flight.is_exact(),
            consumers: queue.consumers,
            paused: queue.paused,
        }
    }
}

/// A broker in numbers.
#[derive(Serialize)]
pub(crate) struct StatsJson<'a> {
    counts: serde_json::Map<String, serde_json::Value>,
    /// The states whose count is a lower bound.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lower_bounds: Vec<&'static str>,
    paused: bool,
    paused_queues: &'a [Arc<str>],
    desired_workers: usize,
    stuck: usize,
    oldest_ready_ms: Option<f64>,
    submitted: u64,
    duplicates: u64,
    retried: u64,
    evicted: u64,
    stale_reports: u64,
    per_second: u32,
    wait: TimesJson,
    run: TimesJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<StorageJson<'a>>,
}

/// The storage of an engine.
#[derive(Serialize)]
struct StorageJson<'a> {
    durability: &'a str,
    bytes: u64,
    persist_error: Option<&'a str>,
}

impl<'a> From<&'a StorageStats> for StorageJson<'a> {
    fn from(storage: &'a StorageStats) -> Self {
        Self {
            durability: storage.durability.as_str(),
            bytes: storage.bytes,
            persist_error: storage.persist_error.as_deref(),
        }
    }
}

/// Percentiles of durations.
#[derive(Serialize)]
struct TimesJson {
    count: u64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl From<Percentiles> for TimesJson {
    fn from(times: Percentiles) -> Self {
        Self {
            count: times.count,
            p50_ms: ms(times.p50),
            p95_ms: ms(times.p95),
            p99_ms: ms(times.p99),
            max_ms: ms(times.max),
        }
    }
}

impl<'a> From<&'a Stats> for StatsJson<'a> {
    fn from(stats: &'a Stats) -> Self {
        let counts = stats.by_state();
        Self {
            counts: counts
                .map(|(state, count)| (state.as_str().to_owned(), count.into()))
                .collect(),
            lower_bounds: stats.lower_bounds.iter().map(State::as_str).collect(),
            paused: stats.paused,
            paused_queues: &stats.paused_queues,
            desired_workers: stats.desired_workers,
            stuck: stats.stuck,
            oldest_ready_ms: stats.oldest_ready.map(ms),
            submitted: stats.submitted,
            duplicates: stats.duplicates,
            retried: stats.retried,
            evicted: stats.evicted,
            stale_reports: stats.stale_reports,
            per_second: stats.rate.last().copied().unwrap_or_default(),
            wait: stats.wait.into(),
            run: stats.run.into(),
            storage: stats.storage.as_ref().map(StorageJson::from),
        }
    }
}

/// Arguments or a result: JSON as it stands, or a string where it is not JSON.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum JsonText<'a> {
    Json(&'a RawValue),
    Text(&'a str),
}

impl<'a> JsonText<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        serde_json::from_str(text).map_or(Self::Text(text), Self::Json)
    }
}

/// A call of a greeter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct GreetingJson {
    pub(crate) at: Option<String>,
    pub(crate) name: String,
    pub(crate) greeting: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) lookup_ms: Option<f64>,
    pub(crate) call_ms: Option<f64>,
}

/// A line of the event log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct EventJson {
    pub(crate) at: Option<String>,
    pub(crate) kind: &'static str,
    pub(crate) text: String,
}

/// A duration in milliseconds, exact to the microsecond.
pub(crate) fn ms(duration: std::time::Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}

/// A moment as text; `None` beyond the years that RFC 3339 can write.
pub(crate) fn time(at: Timestamp) -> Option<String> {
    let micros = i64::try_from(at.0).ok()?;
    let time = jiff::Timestamp::from_microsecond(micros).ok()?;
    Some(time.to_string())
}

/// One line of JSON that is safe to print on a terminal; see [`escape`].
pub(crate) fn to_line<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    let text = serde_json::to_string(value)?;
    Ok(match escape(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(escaped) => escaped,
    })
}

/// Escapes the characters that move a cursor or change the reading direction and that JSON leaves as
/// they are. The value stays the same.
pub(crate) fn escape(json: &str) -> Cow<'_, str> {
    let unsafe_to_print =
        |c: char| c > '\u{7e}' && sanitize(c.encode_utf8(&mut [0; 4])) != c.to_string();
    if !json.chars().any(unsafe_to_print) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if unsafe_to_print(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn json_carries_no_control_character() {
        let safe = to_line("a\u{9b}2J\u{202e}b\u{7f}é").expect("text");
        assert_eq!(safe, "\"a\\u009b2J\\u202eb\\u007fé\"");
        let read: String = serde_json::from_str(&safe).expect("JSON");
        assert_eq!(read, "a\u{9b}2J\u{202e}b\u{7f}é");
    }

    #[test]
    fn an_error_is_its_message_and_the_kind_stands_beside_it() {
        let mut attempt = Attempt {
            worker: None,
            wait_time: Duration::ZERO,
            started_at: Timestamp(0),
            run_time: Duration::ZERO,
            error: "no such order".into(),
        };
        let json =
            |attempt: &Attempt| serde_json::to_value(AttemptJson::from(attempt)).expect("JSON");
        let plain = json(&attempt);
        assert_eq!(plain["error"], "no such order");
        assert!(plain.get("error_kind").is_none() && plain.get("traceback").is_none());
        attempt.error.kind = Some("KeyError".into());
        attempt.error.traceback = Some("line 1".into());
        let raised = json(&attempt);
        assert_eq!(raised["error"], "no such order");
        assert_eq!(raised["error_kind"], "KeyError");
        assert_eq!(raised["traceback"], "line 1");
        assert_eq!(attempt.error.text(), "KeyError: no such order");
    }

    #[test]
    fn numbers_keep_every_digit_and_infinity_is_a_string() {
        for (payload, json) in [
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
            ("[2,0.1]", "[2,0.1]"),
            ("Infinity", "\"Infinity\""),
            ("[NaN,1]", "\"[NaN,1]\""),
        ] {
            assert_eq!(to_line(&JsonText::new(payload)).expect("JSON"), json);
        }
    }
}

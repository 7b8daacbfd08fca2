//! What programs are given: these shapes are part of the program's promises, and snapshots hold them
//! still. Times are RFC 3339 in UTC, spans milliseconds, ids numbers.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    net::naming::Record,
    queue::{
        broker::{Percentiles, Stats},
        task::{Attempt, DEFAULT_QUEUE, State, Task, TaskId, Timestamp},
        worker::WorkerStatus,
    },
};

/// A registration.
#[derive(Serialize)]
pub(super) struct NameJson<'a> {
    name: &'a str,
    uri: &'a str,
    owner: String,
    state: &'static str,
    tags: &'a [String],
    lease_ms: Option<u64>,
    exclusive: bool,
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
            exclusive: record.exclusive,
        }
    }
}

/// A task.
#[derive(Serialize)]
pub(super) struct TaskJson<'a> {
    id: IdJson,
    name: &'a str,
    args: Option<&'a RawValue>,
    state: &'static str,
    cancelling: bool,
    result: Option<&'a RawValue>,
    error: Option<&'a str>,
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
    waited_ms: Option<f64>,
    ran_ms: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    log: Vec<AttemptJson<'a>>,
}

/// An attempt that did not succeed.
#[derive(Serialize)]
struct AttemptJson<'a> {
    worker: Option<String>,
    started_at: Option<String>,
    ran_ms: f64,
    error: &'a str,
}

/// An id: a number, or a UUID as text.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum IdJson {
    Number(u64),
    Uuid(String),
}

impl From<TaskId> for IdJson {
    fn from(id: TaskId) -> Self {
        u64::try_from(id.0).map_or_else(|_uuid| Self::Uuid(id.to_string()), Self::Number)
    }
}

impl<'a> From<&'a Task> for TaskJson<'a> {
    fn from(task: &'a Task) -> Self {
        Self {
            id: task.id.into(),
            name: &task.name,
            args: raw(&task.args),
            state: task.state.word(),
            cancelling: task.cancelling,
            result: task.result.as_deref().and_then(raw),
            error: task.error.as_deref(),
            queue: task.queue.as_deref().unwrap_or(DEFAULT_QUEUE),
            key: task.key.as_ref().map(|key| &*key.text),
            priority: task.priority,
            attempts: task.attempts,
            max_attempts: task.max_attempts,
            crashes: task.crashes,
            worker: task.worker.map(|worker| worker.to_string()),
            submitted_at: time(task.submitted_at),
            due_at: task.due_at.and_then(time),
            expires_at: task.expires_at.and_then(time),
            started_at: task.started_at.and_then(time),
            finished_at: task.finished_at.and_then(time),
            waited_ms: task.waited.map(ms),
            ran_ms: task.ran.map(ms),
            log: task.log.iter().map(AttemptJson::from).collect(),
        }
    }
}

impl<'a> From<&'a Attempt> for AttemptJson<'a> {
    fn from(attempt: &'a Attempt) -> Self {
        Self {
            worker: attempt.worker.map(|worker| worker.to_string()),
            started_at: time(attempt.started_at),
            ran_ms: ms(attempt.ran),
            error: &attempt.error,
        }
    }
}

/// A worker.
#[derive(Serialize)]
pub(super) struct WorkerJson {
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
    pub(super) fn new(worker: &WorkerStatus, now: Timestamp) -> Self {
        let current = worker.current.as_ref();
        Self {
            id: worker.id.to_string(),
            state: worker.state.word(),
            task: current.map(|current| current.id.into()),
            task_name: current.map(|current| current.name.to_string()),
            done: worker.done,
            failed: worker.failed,
            cancelled: worker.cancelled,
            busy: (worker.busy_share(now) * 1e3).round() / 1e3,
            started_at: time(worker.started_at),
        }
    }
}

/// A broker in numbers.
#[derive(Serialize)]
pub(super) struct StatsJson<'a> {
    counts: serde_json::Map<String, serde_json::Value>,
    paused: bool,
    paused_queues: &'a [std::sync::Arc<str>],
    workers: usize,
    stuck: usize,
    oldest_ms: Option<f64>,
    submitted: u64,
    duplicates: u64,
    retried: u64,
    forgotten: u64,
    per_second: u32,
    wait: TimesJson,
    run: TimesJson,
    durability: &'a str,
    bytes: u64,
    trouble: Option<&'a str>,
}

/// How long things took.
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
        let counts = State::ALL.into_iter();
        Self {
            counts: counts
                .map(|state| (state.word().to_owned(), stats.count(state).into()))
                .collect(),
            paused: stats.paused,
            paused_queues: &stats.paused_queues,
            workers: stats.wanted,
            stuck: stats.stuck,
            oldest_ms: stats.oldest.map(ms),
            submitted: stats.submitted,
            duplicates: stats.duplicates,
            retried: stats.retried,
            forgotten: stats.forgotten,
            per_second: stats.rate.last().copied().unwrap_or_default(),
            wait: stats.wait.into(),
            run: stats.run.into(),
            durability: &stats.keeping.durability,
            bytes: stats.keeping.bytes,
            trouble: stats.trouble.as_deref(),
        }
    }
}

/// JSON as it stands; integers of any size stay what they are.
pub(super) fn raw(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

pub(super) fn ms(span: std::time::Duration) -> f64 {
    span.as_micros() as f64 / 1e3
}

/// A moment as text; nothing for one that no calendar has.
pub(super) fn time(at: Timestamp) -> Option<String> {
    let micros = i64::try_from(at.0).ok()?;
    let time = jiff::Timestamp::from_microsecond(micros).ok()?;
    Some(time.to_string())
}

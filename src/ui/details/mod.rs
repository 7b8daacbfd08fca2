//! The content of details, as rows: a task, a worker, a name, a result, and the doctor report.

mod doctor;

use std::fmt::Write as _;

use super::{
    model::{Model, layer::DetailsOf, tasks::call_text},
    theme::StyleRole,
    widgets::progress,
};
use crate::{
    queue::{
        clock::Timestamp,
        options::KeyPolicy,
        state::State,
        task::{Task, TaskFailure},
    },
    text::{fmt_count, fmt_duration, pluralize, width},
};

/// A label, and a text with its role; the label is empty where a text continues.
pub(crate) type DetailRow = (String, String, StyleRole);

/// The minimum width of the column of labels, with the gap to the text.
const MIN_LABEL: usize = 11;
/// The gap between a label and its text.
const GAP: usize = 2;

/// Returns the width of the column of labels: no label touches its text.
pub(crate) fn label_width(rows: &[DetailRow]) -> usize {
    let labels = rows.iter().map(|(label, ..)| width(label) + GAP);
    labels.max().unwrap_or_default().max(MIN_LABEL)
}

/// Returns the details as plain text, for the clipboard.
pub(crate) fn text(model: &Model, subject: &DetailsOf) -> String {
    // A result is copied without what is said about it.
    if let DetailsOf::Result { text, .. } = subject {
        return text.clone();
    }
    let rows = rows(model, subject);
    let wide = label_width(&rows);
    let mut out = String::new();
    for (label, text, _) in rows {
        writeln!(out, "{label:<wide$}{text}").ok();
    }
    out
}

/// Returns the rows of the details.
pub(crate) fn rows(model: &Model, subject: &DetailsOf) -> Vec<DetailRow> {
    let line = |label: &str, text: String| (label.to_owned(), text, StyleRole::Text);
    match subject {
        DetailsOf::Task(task) => task_rows(model, task),
        DetailsOf::Doctor => doctor::rows(model),
        DetailsOf::Result { text, warning, .. } => {
            let text = [(String::new(), text.clone(), StyleRole::Strong)];
            let warning = warning.iter();
            let warning = warning.map(|text| (String::new(), text.clone(), StyleRole::Warn));
            text.into_iter().chain(warning).collect()
        }
        DetailsOf::Worker(id) => {
            let workers = &model.data().overview.workers;
            let Some(worker) = workers.iter().find(|worker| worker.id == *id) else {
                return vec![line("", "this worker has stopped".into())];
            };
            let current = worker.current.as_ref().map_or("none".to_owned(), |c| {
                format!("{} {} since {}", c.id, c.name, clock(model, c.since))
            });
            vec![
                line("state", worker.state.as_str().into()),
                line("task", current),
                line(
                    "attempts",
                    format!(
                        "{} succeeded, {} failed, {} cancelled",
                        fmt_number(worker.done),
                        fmt_number(worker.failed),
                        fmt_number(worker.cancelled)
                    ),
                ),
                line(
                    "busy",
                    format!(
                        "{:.0}% of the last 30 s",
                        worker.busy_share(model.shown_at()) * 100.0
                    ),
                ),
                line("started", clock(model, worker.started_at)),
            ]
        }
        DetailsOf::Name { record, methods } => {
            let lease = record.lease_ms.map_or("none".to_owned(), |ms| {
                format!("{} s, renewed every {} s", ms / 1_000, ms / 3_000)
            });
            let mut lines = vec![
                line("name", record.marked_name()),
                line("uri", record.uri.to_string()),
                line("owner", record.owner.to_string()),
                line("state", record.health.as_str().into()),
                line("lease", lease),
                line("share", record.share.to_string()),
                line("tags", record.tags.join(", ")),
                line("", String::new()),
            ];
            match methods {
                None => lines.push(("methods".into(), "loading…".into(), StyleRole::Dim)),
                Some(Err(why)) => lines.push(("methods".into(), why.clone(), StyleRole::Bad)),
                Some(Ok(methods)) => {
                    let mut label = "methods";
                    for method in methods {
                        lines.push((
                            std::mem::take(&mut label).to_owned(),
                            method.to_string(),
                            StyleRole::Strong,
                        ));
                        lines.push((String::new(), format!("  {}", method.doc), StyleRole::Dim));
                    }
                }
            }
            lines
        }
    }
}

fn task_rows(model: &Model, task: &Task) -> Vec<DetailRow> {
    let mut lines: Vec<DetailRow> = Vec::new();
    let mut add = |label: &str, text: String, role| lines.push((label.to_owned(), text, role));
    let state = match &task.native_state {
        _ if task.cancelling => "cancelling".to_owned(),
        Some(native) => format!("{} ({native})", task.state),
        None => task.state.to_string(),
    };
    add("state", state, StyleRole::from(task.state));
    add("call", call_text(task), StyleRole::Strong);
    if let Some(progress) = task.progress {
        let text = format!(
            "{}  {} of {}",
            progress::bar(progress.share(), &model.theme.symbols),
            progress.done,
            progress.total
        );
        add("progress", text, StyleRole::Active);
    }
    if let Some(result) = &task.result {
        add("result", result.to_string(), StyleRole::Good);
    }
    add("attempts", task.attempts_text(), StyleRole::Text);
    add("priority", task.priority.to_string(), StyleRole::Text);
    if let Some(queue) = &task.queue {
        add("queue", queue.to_string(), StyleRole::Text);
    }
    if let Some(key) = &task.key {
        let policy = match key.policy {
            KeyPolicy::Tag => String::new(),
            policy => format!(" ({})", policy.as_str()),
        };
        add("key", format!("{}{policy}", key.text), StyleRole::Text);
    }
    if task.crashes > 0 {
        let times = pluralize(task.crashes.into(), "time");
        let text = format!("its process crashed {times}");
        add("crashes", text, StyleRole::Bad);
    }
    if let Some(worker) = &task.worker {
        add("worker", worker.to_string(), StyleRole::Text);
    }
    add(
        "submitted",
        clock(model, task.submitted_at),
        StyleRole::Text,
    );
    if let Some(due) = task.due_at {
        let text = format!("{}, {}", clock(model, due), model.due_text(due));
        add("due", text, StyleRole::Waiting);
    }
    if let Some(expires) = task.expires_at {
        add("expires", clock(model, expires), StyleRole::Text);
    }
    if let Some(started) = task.started_at {
        let waited = fmt_duration(task.wait_time.unwrap_or_default());
        add(
            "started",
            format!("{}, waited {waited}", clock(model, started)),
            StyleRole::Text,
        );
    }
    if let Some(finished) = task.finished_at {
        let ran = task
            .run_time
            .map_or(String::new(), |d| format!(", ran {}", fmt_duration(d)));
        add(
            "finished",
            format!("{}{ran}", clock(model, finished)),
            StyleRole::Text,
        );
    }
    for (i, attempt) in task.attempts_history.iter().enumerate() {
        let worker = attempt
            .worker
            .as_ref()
            .map_or("?".to_owned(), ToString::to_string);
        let head = format!(
            "{}  {worker}, waited {}, ran {}",
            clock(model, attempt.started_at),
            fmt_duration(attempt.wait_time),
            fmt_duration(attempt.run_time),
        );
        add(&format!("attempt {}", i + 1), head, StyleRole::Dim);
        add_error("", &attempt.error, &mut add);
    }
    // The attempts of an engine without a history are unknown, but not the last error.
    let failed = task.state != State::Succeeded && task.attempts_history.is_empty();
    if let Some(error) = task.error.as_ref().filter(|_| failed) {
        add_error("error", error, &mut add);
    }
    lines
}

/// Adds the kind, message and traceback of an error.
fn add_error(label: &str, error: &TaskFailure, mut add: impl FnMut(&str, String, StyleRole)) {
    let mut label = label;
    for line in error.text().lines() {
        add(std::mem::take(&mut label), line.to_owned(), StyleRole::Bad);
    }
    for line in error.traceback.iter().flat_map(|text| text.lines()) {
        add("", line.to_owned(), StyleRole::Dim);
    }
}

fn fmt_number(n: u64) -> String {
    fmt_count(usize::try_from(n).unwrap_or(usize::MAX))
}

fn clock(model: &Model, time: Timestamp) -> String {
    model.local(time).strftime("%H:%M:%S%.3f").to_string()
}

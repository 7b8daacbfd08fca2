//! Everything about one thing: a task, a worker, a name, or an answer.

use std::fmt::Write as _;

use ratatui::layout::Rect;

use super::doctor;

use crate::{
    queue::task::{KeyPolicy, Task, Timestamp},
    text::{fmt_duration, wrap},
    ui::{
        model::{
            Model,
            layer::{Details, DetailsOf},
        },
        panes::tasks::{bar, call, state_role, when},
        theme::StyleRole,
        widgets::canvas::{Canvas, rows},
    },
};

/// A line: a label, and a text in its role; the label is empty where a text goes on.
type DetailRow = (String, String, StyleRole);

const LABEL: usize = 11;
/// The most lines of one text; the whole of it can be copied and exported.
const MOST: usize = 400;

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model, details: &Details) {
    let (title, keys) = match &details.subject {
        DetailsOf::Task(task) => (
            format!("Task {}", task.id),
            "x cancel, r retry, y copy, esc closes",
        ),
        DetailsOf::Worker(id) => (format!("Worker {id}"), "y copy, esc closes"),
        DetailsOf::Doctor => ("Doctor".to_owned(), "y copy, esc closes"),
        DetailsOf::Name { record, .. } => (
            format!("Name {}", record.name),
            "c call, y copy, esc closes",
        ),
        DetailsOf::Answer { title, .. } => (title.clone(), "y copy, esc closes"),
    };
    let wide = screen.width.min(96);
    let room = usize::from(wide).saturating_sub(4 + LABEL).max(1);
    let lines: Vec<DetailRow> = lines(model, &details.subject)
        .into_iter()
        .flat_map(|(label, text, role)| {
            let mut label = Some(label);
            wrap(&text, room, MOST)
                .into_iter()
                .map(move |line| (label.take().unwrap_or_default(), line, role))
        })
        .collect();
    let high = u16::try_from(lines.len() + 2)
        .unwrap_or(u16::MAX)
        .clamp(5, screen.height.max(5));
    let inner = canvas.popup(screen, (wide, high), &title, keys);
    let shown = usize::from(inner.height);
    let top = details.scroll.min(lines.len().saturating_sub(shown));
    for (area, (label, text, role)) in rows(inner).zip(lines.iter().skip(top)) {
        let label = format!("{label:<LABEL$}");
        canvas.spans(area, &[(&label, StyleRole::Dim), (text, *role)]);
    }
    let edge = Rect {
        width: inner.width + 2,
        ..inner
    };
    canvas.scrollbar(edge, top, shown, lines.len());
}

/// The same as plain text, for the clipboard.
pub(crate) fn text(model: &Model, subject: &DetailsOf) -> String {
    let mut out = String::new();
    for (label, text, _) in lines(model, subject) {
        writeln!(out, "{label:<LABEL$}{text}").ok();
    }
    out
}

fn lines(model: &Model, subject: &DetailsOf) -> Vec<DetailRow> {
    let line = |label: &str, text: String| (label.to_owned(), text, StyleRole::Text);
    match subject {
        DetailsOf::Task(task) => task_lines(model, task),
        DetailsOf::Doctor => doctor::lines(model),
        DetailsOf::Answer { text, .. } => vec![(String::new(), text.clone(), StyleRole::Strong)],
        DetailsOf::Worker(id) => {
            let workers = &model.data().overview.workers;
            let Some(worker) = workers.iter().find(|worker| worker.id == *id) else {
                return vec![line("", "this worker has ended".into())];
            };
            let current = worker.current.as_ref().map_or("nothing".to_owned(), |c| {
                format!("{} {} since {}", c.id, c.name, clock(model, c.since))
            });
            vec![
                line("state", worker.state.word().into()),
                line("runs", current),
                line("done", worker.done.to_string()),
                line("failed", worker.failed.to_string()),
                line("cancelled", worker.cancelled.to_string()),
                line(
                    "busy",
                    format!(
                        "{:.0}% of the last 30 s",
                        worker.busy_share(model.now) * 100.0
                    ),
                ),
                line("started", clock(model, worker.started_at)),
            ]
        }
        DetailsOf::Name { record, methods } => {
            let lease = record.lease_ms.map_or("for ever".to_owned(), |ms| {
                format!("{} s, renewed every {} s", ms / 1_000, ms / 3_000)
            });
            let mut lines = vec![
                line("name", record.name.clone()),
                line("where", record.uri.clone()),
                line("key", record.owner.to_string()),
                line("state", record.health.as_str().into()),
                line("lease", lease),
                line("tags", record.tags.join(", ")),
                line("", String::new()),
            ];
            match methods {
                None => lines.push(("methods".into(), "asking…".into(), StyleRole::Dim)),
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

fn task_lines(model: &Model, task: &Task) -> Vec<DetailRow> {
    let mut lines: Vec<DetailRow> = Vec::new();
    let mut put = |label: &str, text: String, role| lines.push((label.to_owned(), text, role));
    let state = if task.cancelling {
        "running, asked to stop".to_owned()
    } else {
        task.state.word().to_owned()
    };
    put("state", state, state_role(task.state));
    put("call", call(task), StyleRole::Strong);
    if let Some(progress) = task.progress {
        let text = format!(
            "{}  {} of {}",
            bar(progress.share(), model),
            progress.done,
            progress.total
        );
        put("progress", text, StyleRole::Active);
    }
    if let Some(result) = &task.result {
        put("result", result.to_string(), StyleRole::Good);
    }
    put(
        "attempts",
        format!("{} of {}", task.attempts, task.max_attempts),
        StyleRole::Text,
    );
    put("priority", task.priority.to_string(), StyleRole::Text);
    if let Some(queue) = &task.queue {
        put("queue", queue.to_string(), StyleRole::Text);
    }
    if let Some(key) = &task.key {
        let rule = match key.rule {
            KeyPolicy::Tag => String::new(),
            rule => format!(" ({})", rule.word()),
        };
        put("key", format!("{}{rule}", key.text), StyleRole::Text);
    }
    if task.crashes > 0 {
        let times = format!("{} times while it ran", task.crashes);
        put("crashed", times, StyleRole::Bad);
    }
    if let Some(worker) = task.worker {
        put("worker", worker.to_string(), StyleRole::Text);
    }
    put("queued", clock(model, task.submitted_at), StyleRole::Text);
    if let Some(due) = task.due_at {
        let text = format!("{}, {}", clock(model, due), when(due, model));
        put("due", text, StyleRole::Waiting);
    }
    if let Some(expires) = task.expires_at {
        put("expires", clock(model, expires), StyleRole::Text);
    }
    if let Some(started) = task.started_at {
        let waited = fmt_duration(task.waited.unwrap_or_default());
        put(
            "started",
            format!("{}, after {waited}", clock(model, started)),
            StyleRole::Text,
        );
    }
    if let Some(finished) = task.finished_at {
        let ran = task
            .duration()
            .map_or(String::new(), |d| format!(", after {}", fmt_duration(d)));
        put(
            "ended",
            format!("{}{ran}", clock(model, finished)),
            StyleRole::Text,
        );
    }
    for (i, attempt) in task.log.iter().enumerate() {
        let worker = attempt
            .worker
            .map_or("?".to_owned(), |worker| worker.to_string());
        let head = format!(
            "{}  {worker}, after {}, ran {}",
            clock(model, attempt.started_at),
            fmt_duration(attempt.waited),
            fmt_duration(attempt.ran),
        );
        put(&format!("attempt {}", i + 1), head, StyleRole::Dim);
        for line in attempt.error.lines() {
            put("", line.to_owned(), StyleRole::Bad);
        }
    }
    lines
}

fn clock(model: &Model, time: Timestamp) -> String {
    model.local(time).strftime("%H:%M:%S%.3f").to_string()
}

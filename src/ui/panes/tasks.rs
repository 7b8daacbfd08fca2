//! The Tasks pane: tasks with state, progress and result; below them the throughput.

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::{empty, frame, highlight};
use crate::{
    queue::{
        state::State,
        task::{Task, TaskFailure},
    },
    text::{fmt_compact, fmt_duration},
    ui::{
        action::Action,
        layout::Regions,
        model::{Model, tasks::call_text},
        pane::Pane,
        theme::StyleRole,
        widgets::{
            canvas::{Canvas, row},
            chart, progress,
            table::{self, Column},
        },
    },
};

const COLUMNS: [Column; 7] = [
    Column::cells("ID", 8),
    Column::cells("STATE", 12),
    Column::share("TASK", 5),
    Column::share("RESULT", 4).from(46),
    Column::cells("WORKER", 6).from(60),
    Column::cells("TOOK", 7).right().from(46),
    Column::cells("SUBMITTED", 9).from(92),
];

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, model: &Model, regions: &mut Regions) {
    let tasks = &model.tasks;
    let stats = &model.data().overview.stats;
    let total = format!(" {} ", stats.tasks());
    let order = format!(" {} ", tasks.order.as_str());
    let filter = match tasks.filter_text.as_str() {
        "" => String::new(),
        text => format!(" /{text} "),
    };
    let paused = if stats.paused { " PAUSED " } else { "" };
    let marked = match tasks.marked.len() {
        0 => String::new(),
        n => format!(" {n} marked "),
    };
    let right = [
        (marked.as_str(), StyleRole::Accent),
        (paused, StyleRole::Warn),
        (filter.as_str(), StyleRole::Accent),
        (order.as_str(), StyleRole::Dim),
        (total.as_str(), StyleRole::Dim),
    ];
    let inner = frame(canvas, area, model, Pane::Tasks, &right);
    let foot = u16::from(inner.height >= 6);
    let list = Rect {
        height: inner.height - foot,
        ..inner
    };
    if foot > 0 {
        throughput(canvas, row(inner, inner.height - 1), model);
    }
    if tasks.len() == 0 {
        let key = |action| model.keymap.text(action);
        if !tasks.loaded {
            return empty(canvas, list, &["loading…"]);
        }
        if tasks.filter.is_empty() {
            let (add, load) = (key(Action::Add), key(Action::Load));
            let hint = format!("{add} adds two numbers, {load} submits a hundred additions");
            return empty(canvas, list, &["no tasks yet", &hint]);
        }
        let hint = format!("no task matches; {} shows all", key(Action::Clear));
        return empty(canvas, list, &[&hint]);
    }
    table::header(canvas, row(list, 0), &COLUMNS);
    let body = Rect {
        y: (list.y + 1).min(list.bottom()),
        height: list.height.saturating_sub(1),
        ..list
    };
    let mut selection = tasks.selection;
    selection.height = body.height.into();
    selection.clamp(tasks.len());
    let visible = selection.visible(tasks.len());
    regions.rows.push((Pane::Tasks, body, visible.start));
    let lines = visible.filter_map(|i| {
        let task = tasks.get(i)?;
        Some((
            highlight(model, Pane::Tasks, i == selection.at),
            cells(task, model),
        ))
    });
    table::body(canvas, body, &COLUMNS, lines);
}

fn cells<'a>(task: &'a Task, model: &Model) -> Vec<table::Cell<'a>> {
    let role = StyleRole::from(task.state);
    let word = if task.cancelling {
        "cancelling"
    } else {
        task.state.as_str()
    };
    let state = format!("{} {word}", model.theme.symbols.state(task.state));
    let marked = model.tasks.marked.contains(&task.id);
    let (id, id_role) = if marked {
        (format!("*{}", task.id), StyleRole::Accent)
    } else {
        (task.id.to_string(), StyleRole::Dim)
    };
    let (result, result_role) = outcome(task, model);
    let time = task.run_time.or_else(|| {
        let running = task.state == State::Running;
        Some(model.shown_at().since(task.started_at?)).filter(|_| running)
    });
    vec![
        (Cow::Owned(id), id_role),
        (Cow::Owned(state), role),
        (Cow::Owned(call_text(task)), StyleRole::Text),
        (result, result_role),
        (
            Cow::Owned(
                task.worker
                    .as_ref()
                    .map_or(String::new(), ToString::to_string),
            ),
            StyleRole::Dim,
        ),
        (
            Cow::Owned(time.map_or(String::new(), fmt_duration)),
            StyleRole::Text,
        ),
        (
            Cow::Owned(
                model
                    .local(task.submitted_at)
                    .strftime("%H:%M:%S")
                    .to_string(),
            ),
            StyleRole::Dim,
        ),
    ]
}

/// Returns the result, the error, the progress or the due time of a task.
fn outcome<'a>(task: &'a Task, model: &Model) -> (Cow<'a, str>, StyleRole) {
    let last_error = task.error.as_ref().map(TaskFailure::text);
    match (task.state, &task.result, last_error) {
        (State::Succeeded, Some(result), _) => (Cow::Borrowed(result), StyleRole::Strong),
        (State::Failed | State::Rejected, _, Some(error)) => (error, StyleRole::Bad),
        (State::Retrying | State::Scheduled, _, error) => {
            let due = task.due_at.map_or(String::new(), |at| model.due_text(at));
            let error = error.map_or(String::new(), |error| format!(": {error}"));
            (Cow::Owned(format!("{due}{error}")), StyleRole::Dim)
        }
        (State::Running, ..) => match task.progress {
            Some(progress) => (
                Cow::Owned(progress::bar(progress.share(), &model.theme.symbols)),
                StyleRole::Active,
            ),
            None => (Cow::Borrowed(""), StyleRole::Dim),
        },
        _ => (Cow::Borrowed(""), StyleRole::Dim),
    }
}

/// Draws the finished tasks per second: now, peak and history, and the latency percentiles.
fn throughput(canvas: &mut Canvas<'_>, area: Rect, model: &Model) {
    let overview = &model.data().overview;
    let rate = overview.rate(model.shown_at(), crate::queue::stats::RATE_SECONDS);
    let now = rate.last().copied().unwrap_or_default();
    let peak = rate.iter().copied().max().unwrap_or_default();
    let (now, peak) = (fmt_compact(now.into()), fmt_compact(peak.into()));
    let label = Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(1),
        ..area
    };
    let used = canvas.spans(
        label,
        &[
            (&now, StyleRole::Strong),
            ("/s", StyleRole::Dim),
            ("  peak ", StyleRole::Dim),
            (&peak, StyleRole::Text),
            ("  ", StyleRole::Dim),
        ],
    );
    let run = overview.stats.run;
    let wait = overview.stats.wait;
    let times = format!(
        " wait p50 {} p99 {}  run p50 {} p99 {} ",
        fmt_duration(wait.p50),
        fmt_duration(wait.p99),
        fmt_duration(run.p50),
        fmt_duration(run.p99)
    );
    let right = Rect {
        x: label.x + used,
        width: label.width.saturating_sub(used),
        ..label
    };
    let shown = if run.count > 0 && right.width > 90 {
        canvas.spans_right(right, &[(&times, StyleRole::Dim)])
    } else {
        1
    };
    let line = Rect {
        width: right.width.saturating_sub(shown).min(120),
        ..right
    };
    chart::sparkline(canvas, line, &rate, StyleRole::Chart);
}

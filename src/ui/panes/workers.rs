//! The Workers pane: the current task of each worker, its counts and its timeline.

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::{frame, highlight};
use crate::{
    queue::worker::{WorkerState, WorkerStatus},
    text::{fmt_compact, fmt_duration},
    ui::{
        layout::Regions,
        model::Model,
        pane::Pane,
        theme::StyleRole,
        widgets::{
            canvas::{Canvas, row},
            table::{self, Column},
            timeline,
        },
    },
};

const COLUMNS: [Column; 7] = [
    Column::cells("ID", 4),
    Column::cells("STATE", 8).from(34),
    Column::cells("TASK", 16).from(58),
    Column::cells("ATTEMPTS", 8).right(),
    Column::cells("FAILED", 6).right().from(50),
    Column::cells("BUSY", 4).right(),
    Column::share("LAST 30 S", 1),
];
const TIMELINE: usize = 6;

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, model: &Model, regions: &mut Regions) {
    let overview = &model.data().overview;
    let workers = &overview.workers;
    let busy = workers.iter().filter(|w| w.current.is_some()).count();
    let right = format!(" {busy} of {} busy ", workers.len());
    let inner = frame(
        canvas,
        area,
        model,
        Pane::Workers,
        &[(&right, StyleRole::Dim)],
    );
    table::header(canvas, row(inner, 0), &COLUMNS);
    let axis = u16::from(usize::from(inner.height) > workers.len() + 1);
    let body = Rect {
        y: (inner.y + 1).min(inner.bottom()),
        height: inner.height.saturating_sub(1 + axis),
        ..inner
    };
    let mut selection = model.workers;
    selection.height = body.height.into();
    selection.clamp(workers.len());
    let visible = selection.visible(workers.len());
    regions.rows.push((Pane::Workers, body, visible.start));
    let lines = visible.clone().filter_map(|i| {
        let worker = workers.get(i)?;
        let cells = cells(worker, model);
        Some((highlight(model, Pane::Workers, i == selection.at), cells))
    });
    table::body(canvas, body, &COLUMNS, lines);
    let timeline_at = table::layout(inner, &COLUMNS)
        .into_iter()
        .find(|(i, ..)| *i == TIMELINE);
    if let Some((_, x, width)) = timeline_at {
        for (y, i) in (body.y..body.bottom()).zip(visible.clone()) {
            if let Some(worker) = workers.get(i) {
                let area = Rect::new(x, y, width, 1);
                timeline::draw(canvas, area, worker, model.shown_at());
            }
        }
        let shown = u16::try_from(visible.len()).unwrap_or_default();
        if axis > 0 {
            timeline::axis(canvas, Rect::new(x, body.y + shown, width, 1));
        }
    }
    let edge = Rect {
        width: body.width + 1,
        ..body
    };
    canvas.scrollbar(edge, visible.start, visible.len(), workers.len());
}

fn cells<'a>(worker: &'a WorkerStatus, model: &Model) -> Vec<table::Cell<'a>> {
    let role = match worker.state {
        WorkerState::Idle => StyleRole::Dim,
        WorkerState::Busy => StyleRole::Active,
        WorkerState::Stopping => StyleRole::Warn,
        WorkerState::Stuck => StyleRole::Bad,
    };
    let current = worker.current.as_ref().map_or(String::new(), |current| {
        let age = fmt_duration(model.shown_at().since(current.since));
        let share = current.progress.map_or(String::new(), |progress| {
            format!(" {:.0}%", progress.share() * 100.0)
        });
        format!("{} {age}{share}", current.id)
    });
    let failed = if worker.failed > 0 {
        StyleRole::Bad
    } else {
        StyleRole::Dim
    };
    let attempts = worker.done + worker.failed + worker.cancelled;
    let busy = (worker.busy_share(model.shown_at()) * 100.0).round() as u64;
    vec![
        (Cow::Owned(worker.id.to_string()), StyleRole::Strong),
        (Cow::Borrowed(worker.state.as_str()), role),
        (Cow::Owned(current), StyleRole::Text),
        (Cow::Owned(fmt_compact(attempts)), StyleRole::Text),
        (Cow::Owned(fmt_compact(worker.failed)), failed),
        (Cow::Owned(format!("{busy}%")), StyleRole::Text),
    ]
}

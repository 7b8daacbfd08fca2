//! The latency overlay: wait and run times of each task name since the start.

use std::borrow::Cow;

use ratatui::layout::Rect;

use crate::{
    queue::stats::{NameStats, Percentiles},
    text::{fmt_compact, fmt_duration},
    ui::{
        model::Model,
        scope,
        theme::StyleRole,
        widgets::{
            canvas::{Canvas, row},
            table::{self, Column, Highlight},
        },
    },
};

const COLUMNS: [Column; 7] = [
    Column::share("NAME", 1),
    Column::cells("ATTEMPTS", 8).right(),
    Column::cells("FAILED", 6).right(),
    Column::cells("WAIT P50", 8).right(),
    Column::cells("P99", 8).right(),
    Column::cells("RUN P50", 8).right(),
    Column::cells("P99", 8).right(),
];

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model, scroll: usize) {
    let names = &model.data().overview.stats.names;
    let high = u16::try_from(names.len() + 3).unwrap_or(u16::MAX);
    let high = high.clamp(5, screen.height.max(5));
    let keys = model.keymap.hints(scope::LATENCY);
    let inner = canvas.popup(screen, (90, high), "Latency", &keys);
    if names.is_empty() {
        canvas.spans(row(inner, 0), &[("no tasks have run yet", StyleRole::Dim)]);
        return;
    }
    table::header(canvas, row(inner, 0), &COLUMNS);
    let body = Rect {
        y: (inner.y + 1).min(inner.bottom()),
        height: inner.height.saturating_sub(1),
        ..inner
    };
    let shown = usize::from(body.height);
    let top = scroll.min(names.len().saturating_sub(shown));
    let lines = names
        .iter()
        .skip(top)
        .map(|name| (Highlight::None, cells(name)));
    table::body(canvas, body, &COLUMNS, lines);
    let edge = Rect {
        width: inner.width + 2,
        ..body
    };
    canvas.scrollbar(edge, top, shown, names.len());
}

fn cells(name: &NameStats) -> Vec<table::Cell<'_>> {
    let p50_p99 =
        |percentiles: Percentiles| [fmt_duration(percentiles.p50), fmt_duration(percentiles.p99)];
    let failed = if name.failed > 0 {
        StyleRole::Bad
    } else {
        StyleRole::Dim
    };
    let mut cells = vec![
        (Cow::Borrowed(&*name.name), StyleRole::Strong),
        (
            Cow::Owned(fmt_compact(name.succeeded + name.failed)),
            StyleRole::Text,
        ),
        (Cow::Owned(fmt_compact(name.failed)), failed),
    ];
    let times = p50_p99(name.wait).into_iter().chain(p50_p99(name.run));
    cells.extend(times.map(|time| (Cow::Owned(time), StyleRole::Text)));
    cells
}

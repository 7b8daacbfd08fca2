//! The dead letters: permanently failed tasks, grouped by name and error.

use std::borrow::Cow;

use ratatui::layout::Rect;

use crate::{
    queue::error::FailureGroup,
    text::fmt_count,
    ui::{
        model::{Model, layer::DeadLetters},
        scope,
        theme::StyleRole,
        widgets::{
            canvas::{Canvas, row},
            table::{self, Column, Highlight},
        },
    },
};

const COLUMNS: [Column; 5] = [
    Column::cells("TASKS", 9).right(),
    Column::cells("NAME", 12),
    Column::share("ERROR", 1),
    Column::cells("NEWEST", 9).from(70),
    Column::cells("LAST AT", 8).from(60),
];

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model, view: &DeadLetters) {
    let keys = model.keymap.hints(scope::DEAD_LETTERS);
    let high = u16::try_from(view.len() + 3).unwrap_or(u16::MAX);
    let high = high.clamp(6, screen.height.max(6));
    let inner = canvas.popup(screen, (100, high), "Dead letters", &keys);
    let groups = match &view.groups {
        Some(Ok(groups)) if !groups.is_empty() => groups,
        other => {
            let (text, role) = match other {
                None => ("loading…", StyleRole::Dim),
                Some(Err(why)) => (why.as_str(), StyleRole::Bad),
                Some(Ok(_)) => ("no dead letters", StyleRole::Good),
            };
            canvas.spans(row(inner, 0), &[(text, role)]);
            return;
        }
    };
    table::header(canvas, row(inner, 0), &COLUMNS);
    let body = Rect {
        y: (inner.y + 1).min(inner.bottom()),
        height: inner.height.saturating_sub(1),
        ..inner
    };
    let shown = usize::from(body.height).max(1);
    let top = (view.selected + 1).saturating_sub(shown);
    let lines = groups.iter().enumerate().skip(top).map(|(i, group)| {
        let highlight = if i == view.selected {
            Highlight::Selected
        } else {
            Highlight::None
        };
        (highlight, cells(group, model))
    });
    table::body(canvas, body, &COLUMNS, lines);
    let edge = Rect {
        width: inner.width + 2,
        ..body
    };
    canvas.scrollbar(edge, top, shown, groups.len());
}

fn cells<'a>(group: &'a FailureGroup, model: &Model) -> Vec<table::Cell<'a>> {
    let last = model.local(group.last).strftime("%H:%M:%S").to_string();
    vec![
        (Cow::Owned(fmt_count(group.count)), StyleRole::Strong),
        (Cow::Borrowed(&*group.name), StyleRole::Text),
        (group.error.text(), StyleRole::Bad),
        (Cow::Owned(group.newest.to_string()), StyleRole::Dim),
        (Cow::Owned(last), StyleRole::Dim),
    ]
}

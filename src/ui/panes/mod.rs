//! The panes, one per file; each draws itself from the model alone.

pub(crate) mod events;
pub(crate) mod footer;
pub(crate) mod greeter;
pub(crate) mod names;
pub(crate) mod tasks;
pub(crate) mod workers;

use ratatui::layout::{Margin, Rect};

use super::{
    layout::Regions,
    model::Model,
    pane::Pane,
    theme::StyleRole,
    widgets::{
        canvas::{Canvas, TextSpan},
        table::Highlight,
    },
};

/// Draws a pane and records the positions of its rows.
pub(crate) fn draw(
    pane: Pane,
    canvas: &mut Canvas<'_>,
    area: Rect,
    model: &Model,
    regions: &mut Regions,
) {
    match pane {
        Pane::Names => names::draw(canvas, area, model, regions),
        Pane::Greeter => greeter::draw(canvas, area, model),
        Pane::Tasks => tasks::draw(canvas, area, model, regions),
        Pane::Workers => workers::draw(canvas, area, model, regions),
        Pane::Events => events::draw(canvas, area, model, regions),
    }
    if model.stale(pane).is_some() {
        let inside = area.inner(Margin::new(1, 1));
        canvas.fade(inside);
    }
}

/// Draws the border of a pane with its number, its title and a status.
fn frame(
    canvas: &mut Canvas<'_>,
    area: Rect,
    model: &Model,
    pane: Pane,
    right: &[TextSpan<'_>],
) -> Rect {
    let focused = model.focus == pane;
    let number = format!(" {} ", pane.number());
    let title = format!("{} ", pane.title());
    let role = if focused {
        StyleRole::Focus
    } else {
        StyleRole::Strong
    };
    let title = [(number.as_str(), StyleRole::Key), (title.as_str(), role)];
    let Some(lost) = model.stale(pane) else {
        return canvas.frame(area, focused, &title, right);
    };
    let as_of = model
        .local(lost.as_of)
        .strftime(" as of %H:%M:%S ")
        .to_string();
    let marked: Vec<_> = [(as_of.as_str(), StyleRole::Warn)]
        .into_iter()
        .chain(right.iter().copied())
        .collect();
    canvas.frame(area, focused, &title, &marked)
}

/// Returns the highlight of a row.
fn highlight(model: &Model, pane: Pane, selected: bool) -> Highlight {
    match (selected, model.focus == pane && model.layers.is_empty()) {
        (false, _) => Highlight::None,
        (true, true) => Highlight::Selected,
        (true, false) => Highlight::Inactive,
    }
}

/// Draws a hint in the middle of an empty pane.
fn empty(canvas: &mut Canvas<'_>, area: Rect, lines: &[&str]) {
    let high = u16::try_from(lines.len()).unwrap_or_default();
    let top = area.y + area.height.saturating_sub(high) / 2;
    let style = canvas.fg(StyleRole::Dim);
    for (y, line) in (top..area.bottom()).zip(lines) {
        let wide = u16::try_from(crate::text::width(line)).unwrap_or(area.width);
        let x = area.x + area.width.saturating_sub(wide) / 2;
        canvas.write(x, y, area.width, line, style);
    }
}
pub(crate) mod status_bar;

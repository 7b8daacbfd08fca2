//! The palette: a fuzzy finder for every action, with its arguments.

use ratatui::layout::Rect;

use crate::{
    text::wrap,
    ui::{
        model::{Model, layer::Palette},
        scope,
        theme::StyleRole,
        verbs::palette::{matches, selected},
        widgets::{
            canvas::{Canvas, row, rows},
            input,
        },
    },
};

/// The most lines of an error.
const MAX_ERROR: usize = 4;

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model, palette: &Palette) {
    let bottom = model.keymap.hints(scope::PALETTE);
    let high = screen.height.min(18);
    let inner = canvas.popup(screen, (92, high), "Palette", &bottom);
    let line = row(inner, 0);
    let used = canvas.spans(line, &[(": ", StyleRole::Accent)]);
    let line = Rect {
        x: line.x + used,
        width: line.width.saturating_sub(used),
        ..line
    };
    input::draw(canvas, line, &palette.input, true);
    let error = palette.error.as_deref().unwrap_or_default();
    let error = wrap(error, inner.width.into(), MAX_ERROR);
    let below = Rect {
        y: (inner.y + 1).min(inner.bottom()),
        height: inner.height.saturating_sub(1),
        ..inner
    };
    for (area, line) in rows(below).zip(&error) {
        canvas.spans(area, &[(line, StyleRole::Bad)]);
    }
    let above = u16::try_from(error.len().max(1) + 1).unwrap_or(u16::MAX);
    let list = Rect {
        y: inner.y.saturating_add(above).min(inner.bottom()),
        height: inner.height.saturating_sub(above),
        ..inner
    };
    let entries = matches(palette);
    if entries.is_empty() {
        canvas.spans(row(list, 0), &[("no command matches", StyleRole::Dim)]);
        return;
    }
    let selected = selected(palette).map(|row| row.min(entries.len() - 1));
    let shown = usize::from(list.height).max(1);
    let top = selected.map_or(0, |row| (row + 1).saturating_sub(shown));
    for (area, (i, entry)) in rows(list).zip(entries.iter().enumerate().skip(top)) {
        let selected = selected == Some(i);
        if selected {
            canvas.fill(area, StyleRole::Selected);
        }
        let keys = model.keymap.pane_keys(entry.action);
        let used = canvas.spans_right(area, &[(&keys, StyleRole::Key)]);
        let area = Rect {
            width: area.width.saturating_sub(used + 1),
            ..area
        };
        let why = model.disabled_reason(entry.action);
        let role = if why.is_some() && !selected {
            StyleRole::Dim
        } else {
            StyleRole::Strong
        };
        let name = match entry.argument {
            "" => format!(" {} ", entry.name),
            argument => format!(" {} {argument} ", entry.name),
        };
        let name = format!("{name:<32}");
        let text = match &why {
            Some(why) => format!("{} ({why})", entry.text),
            None => entry.text.to_owned(),
        };
        canvas.spans(area, &[(&name, role), (&text, StyleRole::Dim)]);
    }
}

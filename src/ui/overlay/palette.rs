//! The palette: a fuzzy finder for every action, with its arguments.

use ratatui::layout::Rect;

use crate::ui::{
    model::{Model, layer::Palette},
    scope,
    theme::StyleRole,
    verbs::palette::matches,
    widgets::{
        canvas::{Canvas, row, rows},
        input,
    },
};

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
    let list = Rect {
        y: (inner.y + 2).min(inner.bottom()),
        height: inner.height.saturating_sub(2),
        ..inner
    };
    if let Some(error) = &palette.error {
        canvas.spans(row(inner, 1), &[(error, StyleRole::Bad)]);
    }
    let entries = matches(palette);
    if entries.is_empty() {
        if palette.error.is_none() {
            canvas.spans(row(list, 0), &[("no command matches", StyleRole::Dim)]);
        }
        return;
    }
    let selected = palette.selected.min(entries.len() - 1);
    let shown = usize::from(list.height).max(1);
    let top = (selected + 1).saturating_sub(shown);
    for (area, (i, entry)) in rows(list).zip(entries.iter().enumerate().skip(top)) {
        if i == selected {
            canvas.fill(area, StyleRole::Selected);
        }
        let keys = model.keymap.pane_keys(entry.action);
        let used = canvas.spans_right(area, &[(&keys, StyleRole::Key)]);
        let area = Rect {
            width: area.width.saturating_sub(used + 1),
            ..area
        };
        let why = model.disabled_reason(entry.action);
        let role = if why.is_some() && i != selected {
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

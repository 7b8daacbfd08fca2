//! The footer: what can be done here, with its keys; what cannot be done right now is dim.

use ratatui::layout::Rect;

use crate::{
    text::width,
    ui::{
        action::{Action, ActionSpec, Scope, TABLE},
        layout::Regions,
        model::Model,
        theme::StyleRole,
        widgets::canvas::Canvas,
    },
};

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, model: &Model, regions: &mut Regions) {
    if !model.layers.is_empty() {
        return;
    }
    if model.replay.is_some() {
        return replay(canvas, area);
    }
    // Help and quit are always to be seen; the pane's own actions come before what is everywhere.
    let always = [Action::Help, Action::Quit];
    let last: Vec<&ActionSpec> = always
        .iter()
        .map(|action| action.entry())
        .filter(|entry| !key(model, entry).is_empty())
        .collect();
    let reserved: usize = last.iter().map(|entry| wide(model, entry)).sum();
    let own = TABLE.iter().filter(|e| e.at != Scope::Everywhere);
    let everywhere = TABLE.iter().filter(|e| e.at == Scope::Everywhere);
    let here = own
        .chain(everywhere)
        .filter(|e| !e.hint.is_empty() && e.at.has(model.focus) && !always.contains(&e.action))
        .filter(|e| !key(model, e).is_empty());
    let mut room = usize::from(area.width).saturating_sub(reserved + 1);
    let mut shown = Vec::new();
    for entry in here {
        let needed = wide(model, entry);
        if needed > room {
            break;
        }
        room -= needed;
        shown.push(entry);
    }
    shown.extend(last);
    let mut x = area.x;
    for entry in shown {
        let rest = Rect {
            x,
            width: area.right().saturating_sub(x),
            ..area
        };
        let possible = model.why_not(entry.action).is_none();
        let (key_role, role) = if possible {
            (StyleRole::Key, StyleRole::Text)
        } else {
            (StyleRole::Dim, StyleRole::Dim)
        };
        let key = key(model, entry);
        let used = canvas.spans(
            rest,
            &[
                (" ", role),
                (&key, key_role),
                (" ", role),
                (entry.hint, role),
                (" ", role),
            ],
        );
        regions.buttons.push((
            Rect {
                width: used,
                ..rest
            },
            entry.action,
        ));
        x += used;
    }
}

/// A recording has keys of its own.
fn replay(canvas: &mut Canvas<'_>, area: Rect) {
    let keys = [
        ("space", "pause"),
        (".", "step"),
        ("+ -", "speed"),
        ("left right", "10 s"),
        ("g G", "start, end"),
        ("q", "quit"),
    ];
    let mut pieces = Vec::new();
    for (key, does) in keys {
        let text = [
            (" ", StyleRole::Text),
            (key, StyleRole::Key),
            (" ", StyleRole::Text),
        ];
        pieces.extend(text);
        pieces.extend([(does, StyleRole::Text), (" ", StyleRole::Text)]);
    }
    canvas.spans(area, &pieces);
}

/// The key that is shown; in the greeter, where letters type, only one that acts there.
fn key(model: &Model, entry: &ActionSpec) -> String {
    let keys = model.keymap.keys(entry.action);
    let acts =
        |key: &&crate::ui::key::Key| model.keymap.action(model.focus, **key) == Some(entry.action);
    keys.iter()
        .find(acts)
        .map_or(String::new(), ToString::to_string)
}

fn wide(model: &Model, entry: &ActionSpec) -> usize {
    match width(&key(model, entry)) {
        0 => 0,
        key => key + width(entry.hint) + 3,
    }
}

//! The footer: the keys of the focused pane, and what they do; what cannot be done now is dim.

use ratatui::layout::Rect;

use crate::{
    text::width,
    ui::{
        action::Action,
        key::Key,
        layout::Regions,
        model::Model,
        scope::{self, Scope, Scopes},
        theme::StyleRole,
        verbs::ActionSpec,
        widgets::canvas::Canvas,
    },
};

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, model: &Model, regions: &mut Regions) {
    if !model.layers.is_empty() {
        return;
    }
    if model.replay.is_some() {
        return replay(canvas, area, model);
    }
    let mut x = area.x;
    for (spec, key) in shown(model, scope::pane(model.focus), area.width.into()) {
        let rest = Rect {
            x,
            width: area.right().saturating_sub(x),
            ..area
        };
        let enabled = model.disabled_reason(spec.action).is_none();
        let used = hint(canvas, rest, spec.hint, key, enabled);
        let button = Rect {
            width: used,
            ..rest
        };
        regions.buttons.push((button, spec.action));
        x += used;
    }
}

/// The hints that fit: those of the pane before those of every pane; help and quit are always there.
fn shown(model: &Model, active: Scopes, width: usize) -> Vec<(&'static ActionSpec, Key)> {
    let key = |action| model.keymap.key(action, active);
    let help = key(Action::Help).map(|key| (Action::Help.spec(), key));
    let quit = key(Action::Quit).or_else(|| key(Action::Interrupt));
    let quit = quit.map(|key| (Action::Quit.spec(), key));
    let always: Vec<_> = help.into_iter().chain(quit).collect();
    let reserved: usize = always.iter().map(|(spec, key)| wide(spec, *key)).sum();
    let hints = || {
        let hints = model.keymap.acting(active);
        let hints = hints.map(|(verb, key)| (verb.action.spec(), key));
        hints.filter(|(spec, _)| {
            !spec.hint.is_empty() && !always.iter().any(|(a, _)| a.action == spec.action)
        })
    };
    let everywhere = |spec: &ActionSpec| spec.scopes().any(|scope| scope == Scope::Panes);
    let own = hints().filter(|(spec, _)| !everywhere(spec));
    let rest = hints().filter(|(spec, _)| everywhere(spec));
    let mut room = width.saturating_sub(reserved + 1);
    let mut shown = Vec::new();
    for (spec, key) in own.chain(rest) {
        let needed = wide(spec, key);
        if needed > room {
            break;
        }
        room -= needed;
        shown.push((spec, key));
    }
    shown.extend(always);
    shown
}

/// A recording has keys of its own.
fn replay(canvas: &mut Canvas<'_>, area: Rect, model: &Model) {
    let mut x = area.x;
    for (verb, key) in model.keymap.acting(scope::REPLAY) {
        if !verb.hint.is_empty() {
            let rest = Rect {
                x,
                width: area.right().saturating_sub(x),
                ..area
            };
            x += hint(canvas, rest, verb.hint, key, true);
        }
    }
}

/// Draws a key and its hint; returns the width.
fn hint(canvas: &mut Canvas<'_>, area: Rect, text: &str, key: Key, enabled: bool) -> u16 {
    let (key_role, role) = if enabled {
        (StyleRole::Key, StyleRole::Text)
    } else {
        (StyleRole::Dim, StyleRole::Dim)
    };
    let key = key.to_string();
    canvas.spans(
        area,
        &[
            (" ", role),
            (&key, key_role),
            (" ", role),
            (text, role),
            (" ", role),
        ],
    )
}

fn wide(spec: &ActionSpec, key: Key) -> usize {
    width(&key.to_string()) + width(spec.hint) + 3
}

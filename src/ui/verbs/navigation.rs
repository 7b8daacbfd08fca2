//! Moving: between panes, in lists and texts, and out of overlays.

use super::{
    Action, ActionSpec,
    Scope::{self, Lists, Overlays, Panes, Replay, Scroll},
    filter, scope,
};
use crate::ui::{
    effect::Effect,
    model::{
        Model,
        layer::{Details, Layer},
        list::Motion,
    },
    pane::Pane,
};

const fn focus(pane: Pane, name: &'static str, key: &'static [(&[Scope], &[&str])]) -> ActionSpec {
    ActionSpec {
        action: Action::Focus(pane),
        name,
        keys: key,
        ..ActionSpec::BASE
    }
}

pub(super) const NAMES: ActionSpec = ActionSpec {
    text: "go to Names",
    press: |model, _| focus_on(model, Pane::Names),
    ..focus(Pane::Names, "names", &[(&[Panes], &["1"])])
};
pub(super) const GREETER: ActionSpec = ActionSpec {
    text: "go to Greeter",
    press: |model, _| focus_on(model, Pane::Greeter),
    ..focus(Pane::Greeter, "greeter", &[(&[Panes], &["2"])])
};
pub(super) const TASKS: ActionSpec = ActionSpec {
    text: "go to Tasks",
    press: |model, _| focus_on(model, Pane::Tasks),
    ..focus(Pane::Tasks, "tasks", &[(&[Panes], &["3"])])
};
pub(super) const WORKERS: ActionSpec = ActionSpec {
    text: "go to Workers",
    press: |model, _| focus_on(model, Pane::Workers),
    ..focus(Pane::Workers, "workers", &[(&[Panes], &["4"])])
};
pub(super) const EVENTS: ActionSpec = ActionSpec {
    text: "go to Events",
    press: |model, _| focus_on(model, Pane::Events),
    ..focus(Pane::Events, "events", &[(&[Panes], &["5"])])
};
pub(super) const NEXT: ActionSpec = ActionSpec {
    action: Action::NextPane,
    name: "next",
    keys: &[(&[Panes], &["tab"])],
    text: "go to the next pane",
    press: |model, _| focus_on(model, model.focus.next()),
    ..ActionSpec::BASE
};
pub(super) const PREVIOUS: ActionSpec = ActionSpec {
    action: Action::PreviousPane,
    name: "previous",
    keys: &[(&[Panes], &["shift-tab"])],
    text: "go to the previous pane",
    press: |model, _| focus_on(model, model.focus.previous()),
    ..ActionSpec::BASE
};
pub(super) const BACK: ActionSpec = ActionSpec {
    action: Action::Back,
    name: "back",
    keys: &[(&[scope::GREETER], &["esc"])],
    hint: "leave",
    text: "return to the pane before the greeter",
    press: |model, _| focus_on(model, model.previous_focus),
    ..ActionSpec::BASE
};

/// The scopes with positions, besides lists: text, and the overlays with rows. In the palette letters are text.
const UP_DOWN: &[Scope] = &[Lists, Scroll, Scope::DeadLetters, Scope::Members];
const ENDS: &[Scope] = &[Lists, Scroll, Scope::DeadLetters, Scope::Members, Replay];

pub(super) const UP: ActionSpec = ActionSpec {
    action: Action::Up,
    name: "up",
    keys: &[(UP_DOWN, &["up", "k"]), (&[Scope::Palette], &["up"])],
    text: "move up one row",
    press: |model, _| step(model, Motion::Up(1)),
    ..ActionSpec::BASE
};
pub(super) const DOWN: ActionSpec = ActionSpec {
    action: Action::Down,
    name: "down",
    keys: &[(UP_DOWN, &["down", "j"]), (&[Scope::Palette], &["down"])],
    text: "move down one row",
    press: |model, _| step(model, Motion::Down(1)),
    ..ActionSpec::BASE
};
pub(super) const PAGE_UP: ActionSpec = ActionSpec {
    action: Action::PageUp,
    name: "page-up",
    keys: &[(&[Lists, Scroll], &["pgup"])],
    text: "move up one page",
    press: |model, _| step(model, Motion::PageUp),
    ..ActionSpec::BASE
};
pub(super) const PAGE_DOWN: ActionSpec = ActionSpec {
    action: Action::PageDown,
    name: "page-down",
    keys: &[(&[Lists], &["pgdn"]), (&[Scroll], &["pgdn", "space"])],
    text: "move down one page",
    press: |model, _| step(model, Motion::PageDown),
    ..ActionSpec::BASE
};
pub(super) const TOP: ActionSpec = ActionSpec {
    action: Action::Top,
    name: "top",
    keys: &[(ENDS, &["g", "home"])],
    text: "go to the start",
    press: |model, _| step(model, Motion::Top),
    ..ActionSpec::BASE
};
pub(super) const BOTTOM: ActionSpec = ActionSpec {
    action: Action::Bottom,
    name: "bottom",
    keys: &[(ENDS, &["G", "end"])],
    text: "go to the end",
    press: |model, _| step(model, Motion::Bottom),
    ..ActionSpec::BASE
};
pub(super) const CLEAR: ActionSpec = ActionSpec {
    action: Action::Clear,
    name: "clear",
    keys: &[(&[Lists], &["esc"])],
    text: "clear the marks, then the filter, then the zoom",
    press: |model, _| clear(model),
    ..ActionSpec::BASE
};
pub(super) const CLOSE: ActionSpec = ActionSpec {
    action: Action::Close,
    name: "close",
    keys: &[
        (&[Overlays, Replay], &["esc", "q"]),
        (&[Scroll], &["enter", "?"]),
        (&[Scope::Confirm], &["enter"]),
        (&[Scope::Latency], &["l"]),
        (&[Scope::DeadLetters], &["d"]),
        (&[Scope::Members], &["enter", "n"]),
    ],
    hint: "close",
    text: "close",
    is_command: false,
    press: |model, _| {
        model.layers.pop();
        vec![]
    },
    ..ActionSpec::BASE
};

fn focus_on(model: &mut Model, pane: Pane) -> Vec<Effect> {
    model.focus(pane);
    vec![]
}

fn clear(model: &mut Model) -> Vec<Effect> {
    if model.focus == Pane::Tasks && !model.tasks.marked.is_empty() {
        model.tasks.marked.clear();
        return vec![];
    }
    if !filter::text(model, model.focus).is_empty() {
        return filter::set(model, model.focus, "").unwrap_or_default();
    }
    model.zoomed = false;
    vec![]
}

/// Moves in the top overlay, or in the list of the focused pane.
fn step(model: &mut Model, motion: Motion) -> Vec<Effect> {
    match model.layers.last_mut() {
        Some(layer) => {
            move_in(layer, motion);
            vec![]
        }
        None => move_selection(model, model.focus, motion),
    }
}

/// The rows that a page key moves in an overlay.
const PAGE: usize = 10;
/// Beyond the end of every text; drawing stops at the real one.
const END: usize = 100_000;

/// Moves the selection of an overlay, or scrolls its text.
pub(crate) fn move_in(layer: &mut Layer, motion: Motion) {
    let (at, last) = match layer {
        Layer::Help { scroll }
        | Layer::Latency { scroll }
        | Layer::Details(Details { scroll, .. }) => (scroll, END),
        Layer::DeadLetters(view) => {
            let last = view.len().saturating_sub(1);
            (&mut view.selected, last)
        }
        Layer::Members(view) => {
            let last = view.members().len().saturating_sub(1);
            (&mut view.selected, last)
        }
        Layer::Palette(palette) => return super::palette::select(palette, motion),
        Layer::Prompt(_) | Layer::Confirm(_) => return,
    };
    *at = match motion {
        Motion::Up(n) => at.saturating_sub(n),
        Motion::Down(n) => at.saturating_add(n),
        Motion::PageUp => at.saturating_sub(PAGE),
        Motion::PageDown => at.saturating_add(PAGE),
        Motion::Top => 0,
        Motion::Bottom => last,
    }
    .min(last);
}

/// Moves the selection of a pane.
pub(crate) fn move_selection(model: &mut Model, pane: Pane, motion: Motion) -> Vec<Effect> {
    match pane {
        Pane::Names => model.names.move_selection(motion),
        Pane::Tasks => {
            return model
                .tasks
                .move_selection(motion)
                .map(Effect::Tasks)
                .into_iter()
                .collect();
        }
        Pane::Workers => {
            let length = model.data().overview.workers.len();
            model.workers.move_selection(motion, length);
        }
        Pane::Events => {
            let length = model.data().log.matching(&model.events.filter).len();
            model.events.move_selection(motion, length);
        }
        Pane::Greeter => {}
    }
    vec![]
}

/// Selects a row of a pane.
pub(crate) fn select(model: &mut Model, pane: Pane, row: usize) -> Vec<Effect> {
    match pane {
        Pane::Names => model.names.select(row),
        Pane::Tasks => {
            return model
                .tasks
                .select(row)
                .map(Effect::Tasks)
                .into_iter()
                .collect();
        }
        Pane::Workers => {
            model.workers.at = row;
            return move_selection(model, pane, Motion::Down(0));
        }
        Pane::Events => {
            let length = model.data().log.matching(&model.events.filter).len();
            model.events.held = true;
            model.events.selection.at = row;
            model.events.move_selection(Motion::Down(0), length);
        }
        Pane::Greeter => {}
    }
    vec![]
}

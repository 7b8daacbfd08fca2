//! `zoom`, `freeze`, `mouse` and `theme`: the screen itself.

use super::{Action, ActionSpec, Scope::Panes};
use crate::ui::{
    effect::Effect,
    model::{Model, events::Tone},
};

pub(super) const ZOOM: ActionSpec = ActionSpec {
    action: Action::Zoom,
    name: "zoom",
    keys: &[(&[Panes], &["z"])],
    hint: "zoom",
    text: "zoom this pane to the whole screen, or back",
    press: |model, _| {
        model.zoomed = !model.zoomed;
        vec![]
    },
    ..ActionSpec::BASE
};
pub(super) const FREEZE: ActionSpec = ActionSpec {
    action: Action::Freeze,
    name: "freeze",
    keys: &[(&[Panes], &["f"])],
    hint: "freeze",
    text: "freeze or unfreeze the screen; everything keeps running",
    press: |model, _| freeze(model),
    ..ActionSpec::BASE
};
pub(super) const MOUSE: ActionSpec = ActionSpec {
    action: Action::Mouse,
    name: "mouse",
    keys: &[(&[Panes], &[])],
    text: "toggle mouse capture",
    press: |model, _| {
        model.mouse = !model.mouse;
        vec![Effect::Mouse(model.mouse)]
    },
    ..ActionSpec::BASE
};
pub(super) const THEME: ActionSpec = ActionSpec {
    action: Action::Theme,
    name: "theme",
    keys: &[(&[Panes], &[])],
    text: "change the theme: dark, light, high-contrast or colour-blind",
    argument: "NAME",
    press: theme,
    ..ActionSpec::BASE
};

fn freeze(model: &mut Model) -> Vec<Effect> {
    let on = !model.is_frozen();
    model.freeze(on);
    if on { vec![] } else { model.refresh() }
}

fn theme(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    match model.theme.switch(argument.unwrap_or_default()) {
        Ok(theme) => model.theme = theme,
        Err(why) => model.toast(Tone::Warn, why),
    }
    vec![]
}

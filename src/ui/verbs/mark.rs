//! `mark`: marks tasks, to act on them together.

use super::{Action, ActionSpec, navigation, scope};
use crate::ui::{
    effect::Effect,
    model::{Model, events::Tone, list::Motion, tasks::MAX_MARKED},
    pane::Pane,
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Mark,
    name: "mark",
    keys: &[(&[scope::TASKS], &["space"])],
    hint: "mark",
    text: "mark or unmark the selected task",
    press: |model, _| mark(model),
    unavailable: |model| {
        let none = model.tasks.selected().is_none();
        none.then(|| "no task is selected".to_owned())
    },
    ..ActionSpec::BASE
};

fn mark(model: &mut Model) -> Vec<Effect> {
    if !model.tasks.toggle_mark() {
        let text = format!("{MAX_MARKED} tasks are marked, which is the maximum");
        model.toast(Tone::Warn, text);
        return vec![];
    }
    navigation::move_selection(model, Pane::Tasks, Motion::Down(1))
}

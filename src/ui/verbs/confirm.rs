//! `yes` and `no`: answer a confirmation.

use super::{Action, ActionSpec, Scope::Confirm, navigation, quit};
use crate::ui::{
    effect::Effect,
    model::{
        Model,
        layer::{ConfirmAction, Layer},
    },
};

pub(super) const YES: ActionSpec = ActionSpec {
    action: Action::Yes,
    name: "yes",
    keys: &[(&[Confirm], &["y", "Y"])],
    hint: "yes",
    text: "confirm",
    is_command: false,
    press: |model, _| confirm(model),
    ..ActionSpec::BASE
};
pub(super) const NO: ActionSpec = ActionSpec {
    action: Action::No,
    name: "no",
    keys: &[(&[Confirm], &["n", "N"])],
    hint: "no",
    text: "do nothing",
    ..navigation::CLOSE
};

fn confirm(model: &mut Model) -> Vec<Effect> {
    let is_complete = |layer: &mut Layer| match layer {
        Layer::Confirm(confirm) => confirm.question.is_complete(),
        _ => false,
    };
    let Some(Layer::Confirm(confirm)) = model.layers.pop_if(is_complete) else {
        return vec![];
    };
    match confirm.yes {
        ConfirmAction::Tasks { action, filter } => {
            model.tasks.marked.clear();
            vec![Effect::Bulk { action, filter }]
        }
        ConfirmAction::Revoke(key) => vec![Effect::Revoke(key)],
        ConfirmAction::Quit => quit::leave(model),
    }
}

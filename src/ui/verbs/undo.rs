//! `undo`: undoes the last cancellation.

use super::{Action, ActionSpec, Impact, scope};
use crate::{
    net::trust::role::Role,
    node::NodeHandle,
    queue::{capabilities::Operation, id::TaskId},
    ui::{
        effect::{Effect, EffectDone},
        model::Model,
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Undo,
    name: "undo",
    keys: &[(&[scope::TASKS], &["u"])],
    text: "undo the last cancellation",
    impact: Impact::Changes(Role::Member),
    needs: |_, _| &[Operation::UndoCancel],
    press: |model, _| {
        let cancelled = model.undo.take();
        cancelled
            .map(|(id, _)| Effect::UndoCancel(id))
            .into_iter()
            .collect()
    },
    unavailable,
    ..ActionSpec::BASE
};

fn unavailable(model: &Model) -> Option<String> {
    match &model.undo {
        Some((_, until)) if *until > model.now => None,
        Some((id, _)) => {
            let retry = model.keymap.text(Action::Retry);
            Some(format!(
                "too late to undo the cancellation of {id}; {retry} retries it"
            ))
        }
        None => Some("there is no recent cancellation to undo".to_owned()),
    }
}

pub(crate) async fn run(node: &NodeHandle, id: TaskId) -> EffectDone {
    let state = node.broker().undo_cancel(&id).await;
    let text = state.map(|state| format!("{id} is {state} again"));
    EffectDone::new(Action::Undo, format!("undo cancel {id}"), text)
}

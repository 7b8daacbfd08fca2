//! `cancel`: cancels a task, or the marked ones.

use super::{Action, ActionSpec, Impact, bulk, log, scope::Scope};
use crate::{
    net::trust::role::Role,
    node::NodeHandle,
    queue::{
        broker::{BulkAction, CancelOutcome},
        capabilities::Operation,
        id::TaskId,
    },
    ui::{
        effect::{Effect, EffectDone},
        model::{Model, UNDO, events::Tone},
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Cancel,
    name: "cancel",
    keys: &[(&[super::scope::TASKS, Scope::TaskDetails], &["x"])],
    hint: "cancel",
    text: "cancel the selected task, or the marked ones",
    argument: "[TASK]",
    impact: Impact::Changes(Role::Member),
    needs: |model, argument| bulk::needs(model, argument, &[Operation::Cancel]),
    press: |model, argument| bulk::on_tasks(model, BulkAction::Cancel, Effect::Cancel, argument),
    unavailable,
    succeeded,
    ..ActionSpec::BASE
};

fn unavailable(model: &Model) -> Option<String> {
    if bulk::on_marked(model) {
        return None;
    }
    match bulk::subject(model) {
        None => Some("no task is selected".to_owned()),
        Some(task) if task.cancelling => Some(format!("{} was already asked to stop", task.id)),
        Some(task) if task.state.is_finished() => {
            Some(format!("{} is already {}", task.id, task.state))
        }
        Some(_) => None,
    }
}

pub(crate) async fn run(node: &NodeHandle, id: TaskId) -> EffectDone {
    let state = node.broker().cancel(&id).await;
    let cancelled = matches!(state, Ok(CancelOutcome::Cancelled)).then(|| id.clone());
    let text = |state| match state {
        CancelOutcome::Requested => format!("{id} was asked to stop"),
        CancelOutcome::Cancelled => format!("{id} is cancelled"),
    };
    EffectDone {
        cancelled,
        ..EffectDone::new(Action::Cancel, format!("cancel {id}"), state.map(text))
    }
}

/// A task that had not started can be brought back for a moment.
fn succeeded(model: &mut Model, done: &EffectDone, text: &str) {
    log(model, done, Tone::Plain, text);
    let undo = model.keymap.text(Action::Undo);
    match &done.cancelled {
        Some(id) => {
            model.undo = Some((id.clone(), model.now.after(UNDO)));
            model.toast(Tone::Good, format!("{text}; {undo} undoes it"));
        }
        None => model.toast(Tone::Good, text),
    }
}

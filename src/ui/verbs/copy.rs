//! `copy`: copies the selected row, or the whole of open details, to the clipboard.

use std::borrow::Cow;

use super::{Action, ActionSpec, Scope};
use crate::ui::{
    details,
    effect::Effect,
    model::{
        Model,
        events::{Kind, Tone},
        greeter::GreetOutcome,
        layer::Layer,
    },
    pane::Pane,
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Copy,
    name: "copy",
    keys: &[(&[Scope::Panes, Scope::Details], &["y"])],
    hint: "copy",
    text: "copy the selected row to the clipboard, over SSH too",
    kind: Kind::Program,
    press: |model, _| copy(model),
    ..ActionSpec::BASE
};

fn copy(model: &mut Model) -> Vec<Effect> {
    let text = match model.layers.last() {
        Some(Layer::Details(details)) => Some(details::text(model, &details.subject)),
        _ => row(model),
    };
    match text {
        Some(text) => vec![Effect::Copy(text)],
        None => {
            model.toast(Tone::Warn, "there is nothing to copy here");
            vec![]
        }
    }
}

/// The selected row as text; in the greeter the newest greeting.
fn row(model: &Model) -> Option<String> {
    match model.focus {
        Pane::Names => model.names.selected().map(|record| record.uri.to_string()),
        Pane::Greeter => model.greeter.history.iter().find_map(|g| match &g.outcome {
            GreetOutcome::Greeted { text, .. } => Some(text.clone()),
            _ => None,
        }),
        Pane::Tasks => model.tasks.selected().map(|task| {
            task.output().map_or_else(
                || format!("{} {} {}", task.id, task.name, task.payload),
                Cow::into_owned,
            )
        }),
        Pane::Workers => model.selected_worker().map(|worker| worker.id.to_string()),
        Pane::Events => {
            let lines = model.data().log.matching(&model.events.filter);
            let height = model.events.selection.height;
            let selection = model.events.selection(lines.len(), height);
            lines.get(selection.at).map(|line| line.text.clone())
        }
    }
}

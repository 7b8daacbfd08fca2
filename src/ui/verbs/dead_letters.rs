//! `dead-letters`: shows why tasks have failed permanently, and acts on those with the same error.

use super::{Action, ActionSpec, bulk, filter, scope};
use crate::{
    node::NodeHandle,
    queue::{
        broker::BulkAction,
        capabilities::Operation,
        error::FailureGroup,
        query::{self, Filter},
        state::State,
    },
    ui::{
        effect::{Effect, Msg},
        model::{
            Model,
            layer::{DeadLetters, Layer},
        },
        pane::Pane,
        scope::Scope,
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::DeadLetters,
    name: "dead-letters",
    keys: &[(&[scope::TASKS], &["d"])],
    hint: "dead letters",
    needs: |_, _| &[Operation::DeadLetters],
    text: "show the dead letters: failed tasks, grouped by error",
    press: |model, _| open(model),
    ..ActionSpec::BASE
};
pub(super) const SHOW: ActionSpec = ActionSpec {
    action: Action::ShowFailed,
    name: "show-failed",
    keys: &[(&[Scope::DeadLetters], &["enter"])],
    hint: "show",
    text: "show the tasks that failed with the selected error",
    is_command: false,
    press: |model, _| show(model),
    ..ActionSpec::BASE
};

/// The words of an error that a filter looks for; the first of them tell it from others.
const MAX_WORDS: usize = 12;

/// Returns true if the dead letters are on top.
pub(super) fn is_open(model: &Model) -> bool {
    matches!(model.layers.last(), Some(Layer::DeadLetters(_)))
}

fn open(model: &mut Model) -> Vec<Effect> {
    let failed = model.data().overview.stats.count(State::Failed);
    model.layers.push(Layer::DeadLetters(DeadLetters {
        failed,
        ..DeadLetters::default()
    }));
    vec![Effect::DeadLetters]
}

pub(crate) async fn run(node: &NodeHandle) -> Msg {
    let groups = node.broker().dead_letters().await;
    Msg::DeadLetters(groups.map_err(|e| e.to_string()))
}

/// Shows the groups where the dead letters are open.
pub(crate) fn listed(model: &mut Model, groups: &Result<Vec<FailureGroup>, String>) {
    for layer in &mut model.layers {
        if let Layer::DeadLetters(view) = layer {
            view.groups = Some(groups.clone());
            view.selected = view.selected.min(view.len().saturating_sub(1));
        }
    }
}

/// Asks again when the number of failed tasks has changed.
pub(crate) fn refresh(model: &mut Model) -> Option<Effect> {
    let failed = model.data().overview.stats.count(State::Failed);
    let view = model.layers.iter_mut().find_map(|layer| match layer {
        Layer::DeadLetters(view) => Some(view),
        _ => None,
    })?;
    (std::mem::replace(&mut view.failed, failed) != failed).then_some(Effect::DeadLetters)
}

fn show(model: &mut Model) -> Vec<Effect> {
    let Some(text) = selected(model).map(filter_text) else {
        return vec![];
    };
    model.layers.pop();
    model.focus(Pane::Tasks);
    filter::set(model, Pane::Tasks, &text).unwrap_or_default()
}

/// Asks about the tasks that failed with the selected error.
pub(super) fn ask_about_group(model: &mut Model, action: BulkAction) -> Vec<Effect> {
    let Some(group) = selected(model) else {
        return vec![];
    };
    let which = format!(" that failed with `{}`", group.error.text());
    match Filter::parse(&filter_text(group)) {
        Ok(filter) => bulk::confirm_bulk(model, action, filter, which),
        // The text is made of words that a filter reads.
        Err(_) => vec![],
    }
}

fn selected(model: &Model) -> Option<&FailureGroup> {
    match model.layers.last() {
        Some(Layer::DeadLetters(view)) => view.selected(),
        _ => None,
    }
}

/// The filter that finds these failures, as a person would type it.
fn filter_text(group: &FailureGroup) -> String {
    let is_filter_syntax =
        |word: &&str| word.starts_with(['!', '"']) || query::is_filter_field(word);
    let kind = group.error.kind.as_deref();
    let words = group.error.message.split_whitespace();
    let words: Vec<&str> = kind
        .into_iter()
        .chain(words)
        .filter(|word| !is_filter_syntax(word))
        .take(MAX_WORDS)
        .collect();
    format!("state:failed name:{} {}", group.name, words.join(" "))
}

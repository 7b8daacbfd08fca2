//! `retry`: retries a task, the marked ones, or a group of dead letters.

use super::{Action, ActionSpec, Impact, bulk, dead_letters, scope};
use crate::{
    net::trust::role::Role,
    node::NodeHandle,
    queue::{
        broker::{BulkAction, RetryOutcome},
        bulk::check_retry,
        capabilities::Operation,
        id::TaskId,
    },
    ui::{
        effect::{Effect, EffectDone},
        model::Model,
        scope::Scope,
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Retry,
    name: "retry",
    keys: &[
        (&[scope::TASKS, Scope::TaskDetails], &["r"]),
        (&[Scope::DeadLetters], &["r"]),
    ],
    other_texts: &[(
        Scope::DeadLetters,
        "retry all tasks that failed with the selected error",
    )],
    hint: "retry",
    text: "retry the selected task with its original arguments, or the marked ones",
    argument: "[TASK]",
    impact: Impact::Changes(Role::Member),
    needs,
    press: retry,
    unavailable,
    ..ActionSpec::BASE
};

fn needs(model: &Model, argument: Option<&str>) -> &'static [Operation] {
    match dead_letters::is_open(model) {
        true => bulk::ON_MATCHING,
        false => bulk::needs(model, argument, &[Operation::Retry]),
    }
}

fn unavailable(model: &Model) -> Option<String> {
    if dead_letters::is_open(model) || bulk::on_marked(model) {
        return None;
    }
    match bulk::subject(model) {
        None => Some("no task is selected".to_owned()),
        Some(task) => check_retry(task).err().map(|why| why.to_string()),
    }
}

fn retry(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    if dead_letters::is_open(model) {
        return dead_letters::ask_about_group(model, BulkAction::Retry);
    }
    bulk::on_tasks(model, BulkAction::Retry, Effect::Retry, argument)
}

pub(crate) async fn run(node: &NodeHandle, id: TaskId) -> EffectDone {
    let outcome = node.broker().retry(&id).await;
    let text = |outcome: RetryOutcome| match outcome.id == id {
        true => format!("{id} is queued again"),
        false => format!("{id} is queued again as {}", outcome.id),
    };
    EffectDone::new(Action::Retry, format!("retry {id}"), outcome.map(text))
}

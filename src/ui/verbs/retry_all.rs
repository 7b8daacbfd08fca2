//! `retry-all`: retries all matching failed, cancelled or expired tasks.

use super::{Action, ActionSpec, Impact, bulk, dead_letters, scope};
use crate::{
    net::trust::role::Role,
    queue::broker::BulkAction,
    ui::{effect::Effect, model::Model, scope::Scope},
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::RetryAll,
    name: "retry-all",
    keys: &[(&[scope::TASKS], &["R"]), (&[Scope::DeadLetters], &["R"])],
    other_texts: &[(
        Scope::DeadLetters,
        "retry all tasks that failed with the selected error",
    )],
    text: "retry all matching failed, cancelled or expired tasks",
    impact: Impact::Changes(Role::Member),
    needs: |_, _| bulk::ON_MATCHING,
    press,
    ..ActionSpec::BASE
};

fn press(model: &mut Model, _: Option<&str>) -> Vec<Effect> {
    if dead_letters::is_open(model) {
        return dead_letters::ask_about_group(model, BulkAction::Retry);
    }
    bulk::ask_about_matching(model, BulkAction::Retry)
}

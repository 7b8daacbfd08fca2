//! `purge`: deletes all matching finished tasks, with their results.

use super::{Action, ActionSpec, Impact, bulk, dead_letters, scope};
use crate::{
    net::trust::role::Role,
    queue::broker::BulkAction,
    ui::{effect::Effect, model::Model, scope::Scope},
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Purge,
    name: "purge",
    keys: &[(&[scope::TASKS], &["D"]), (&[Scope::DeadLetters], &["D"])],
    other_texts: &[(
        Scope::DeadLetters,
        "purge all tasks that failed with the selected error",
    )],
    hint: "purge",
    text: "purge all matching finished tasks, with their results",
    impact: Impact::Destroys(Role::Member),
    needs: |_, _| bulk::ON_MATCHING,
    press,
    ..ActionSpec::BASE
};

fn press(model: &mut Model, _: Option<&str>) -> Vec<Effect> {
    if dead_letters::is_open(model) {
        return dead_letters::ask_about_group(model, BulkAction::Purge);
    }
    bulk::ask_about_matching(model, BulkAction::Purge)
}

//! `cancel-all`: cancels all matching unfinished tasks.

use super::{Action, ActionSpec, Impact, bulk, scope};
use crate::{net::trust::role::Role, queue::broker::BulkAction};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::CancelAll,
    name: "cancel-all",
    keys: &[(&[scope::TASKS], &["X"])],
    text: "cancel all matching unfinished tasks",
    impact: Impact::Destroys(Role::Member),
    needs: |_, _| bulk::ON_MATCHING,
    press: |model, _| bulk::ask_about_matching(model, BulkAction::Cancel),
    ..ActionSpec::BASE
};

//! `doctor`: shows the health of the broker.

use super::{Action, ActionSpec, Scope, details};
use crate::ui::{effect::Effect, model::layer::DetailsOf};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Doctor,
    name: "doctor",
    keys: &[(&[Scope::Panes], &[])],
    text: "show how tasks are saved, what a crash would lose, and any problems",
    press: |model, _| {
        details::open(model, DetailsOf::Doctor);
        vec![Effect::Health]
    },
    ..ActionSpec::BASE
};

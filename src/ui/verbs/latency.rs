//! `latency`: shows the wait and run times of each task name.

use super::{Action, ActionSpec, scope};
use crate::ui::model::layer::Layer;

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Latency,
    name: "latency",
    keys: &[(&[scope::TASKS], &["l"])],
    text: "show the wait and run times of each task name",
    press: |model, _| {
        model.layers.push(Layer::Latency { scroll: 0 });
        vec![]
    },
    ..ActionSpec::BASE
};

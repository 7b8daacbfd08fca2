//! `help`: shows every key.

use super::{Action, ActionSpec, Scope};
use crate::ui::model::layer::Layer;

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Help,
    name: "help",
    keys: &[(&[Scope::Panes], &["?"])],
    hint: "help",
    text: "show all keys",
    press: |model, _| {
        model.layers.push(Layer::Help { scroll: 0 });
        vec![]
    },
    ..ActionSpec::BASE
};

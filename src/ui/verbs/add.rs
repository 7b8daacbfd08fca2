//! `add`: submits an addition.

use super::{Action, ActionSpec, Impact, prompt, scope};
use crate::{
    input::{
        addition,
        options::{ParseError, PartialOptions},
    },
    net::trust::role::Role,
    queue::capabilities::Operation,
    ui::{
        effect::Effect,
        model::{Model, layer::PromptKind},
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Add,
    name: "add",
    keys: &[(&[scope::TASKS], &["a"])],
    hint: "add",
    text: "submit an addition: 2 3, or 2 + 3, then seconds of work and options if you like",
    argument: "X Y [SECONDS] [OPTION ...]",
    impact: Impact::Changes(Role::Member),
    needs: |_, _| &[Operation::Submit],
    press: |model, argument| prompt::open(model, PromptKind::Add, "", argument),
    ..ActionSpec::BASE
};

/// Reads an addition as it was typed.
pub(super) fn typed(model: &Model, text: &str) -> Result<Vec<Effect>, ParseError> {
    let addition = addition::parse(text, &PartialOptions::default(), &model.local(model.now))?;
    Ok(vec![Effect::Submit {
        what: format!("add {}", text.trim()),
        tasks: vec![addition.task()],
    }])
}

//! `add`: submits an addition.

use super::{Action, ActionSpec, Impact, prompt, scope, submit};
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
    let effect = submit::effect(model, format!("add {}", text.trim()), addition.task());
    effect.map(|effect| vec![effect]).map_err(|why| ParseError {
        at: text.chars().count(),
        why,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        queue::{capabilities::Capabilities, options::TaskOption},
        ui::{
            model::layer::Layer,
            tests::fixture::{busy, press},
        },
    };

    #[test]
    fn an_option_that_the_broker_does_not_honour_stays_in_the_prompt_with_the_reason() {
        let mut model = busy();
        press(&mut model, &["3"]);
        model.header.capabilities = Capabilities::all().without_option(TaskOption::Serial);
        let open =
            |model: &mut Model, text: &str| prompt::open(model, PromptKind::Add, "", Some(text));
        assert_eq!(open(&mut model, "2 3 key:acme").len(), 1);
        assert!(open(&mut model, "2 3 key:acme serial").is_empty());
        let Some(Layer::Prompt(prompt)) = model.layers.last() else {
            panic!("the prompt stays");
        };
        let expected = "this broker does not support the option `serial`; leave it out";
        assert_eq!(prompt.error.as_deref(), Some(expected));
    }
}

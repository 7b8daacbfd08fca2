//! Prompts: opening one, and `accept`, which submits what was typed.

use super::{
    Action, ActionSpec,
    Scope::{Palette, Prompt as PromptScope},
    add, call, export, filter, join, palette,
};
use crate::{
    input::options::ParseError,
    ui::{
        effect::Effect,
        model::{
            Model,
            layer::{Layer, Prompt, PromptKind},
        },
    },
};

pub(super) const ACCEPT: ActionSpec = ActionSpec {
    action: Action::Accept,
    name: "accept",
    keys: &[(&[PromptScope, Palette], &["enter"])],
    hint: "submit",
    text: "submit what was typed",
    is_command: false,
    press: |model, _| match model.layers.last() {
        Some(Layer::Palette(_)) => palette::run_selected(model),
        _ => submit(model),
    },
    ..ActionSpec::BASE
};

/// Opens a prompt with a text to edit; with an argument it is submitted at once, and stays only when
/// that fails.
pub(super) fn open(
    model: &mut Model,
    purpose: PromptKind,
    text: &str,
    argument: Option<&str>,
) -> Vec<Effect> {
    let text = argument.unwrap_or(text).to_owned();
    model.layers.push(Layer::Prompt(Prompt::new(purpose, text)));
    match argument {
        Some(_) => submit(model),
        None => vec![],
    }
}

/// An error in what was typed, and the character at which it begins.
struct TypedError {
    at: Option<usize>,
    why: String,
}

impl From<String> for TypedError {
    fn from(why: String) -> Self {
        Self { at: None, why }
    }
}

impl From<ParseError> for TypedError {
    fn from(ParseError { at, why }: ParseError) -> Self {
        Self { at: Some(at), why }
    }
}

/// Submits the text of the top prompt; the prompt stays with the error if it cannot be read.
fn submit(model: &mut Model) -> Vec<Effect> {
    let Some(Layer::Prompt(prompt)) = model.layers.pop() else {
        return vec![];
    };
    match effects(model, &prompt) {
        Ok(effects) => {
            model.submitted = Some(prompt);
            effects
        }
        Err(TypedError { at, why }) => {
            let mut input = prompt.input;
            if let Some(at) = at {
                input = input.with_cursor(at);
            }
            model.layers.push(Layer::Prompt(Prompt {
                kind: prompt.kind,
                input,
                error: Some(why),
            }));
            vec![]
        }
    }
}

fn effects(model: &mut Model, prompt: &Prompt) -> Result<Vec<Effect>, TypedError> {
    let text = prompt.input.value();
    Ok(match &prompt.kind {
        PromptKind::Add => add::typed(model, text)?,
        PromptKind::Filter(pane) => filter::set(model, *pane, text)?,
        PromptKind::Export(pane) => export::typed(model, *pane, text)?,
        PromptKind::Join => join::typed(text)?,
        PromptKind::Call(record) => call::typed(record, text)?,
    })
}

/// Takes the prompt whose text led to an effect of this verb.
pub(super) fn take_submitted(model: &mut Model, action: Action) -> Option<Prompt> {
    let asked = |prompt: &mut Prompt| {
        matches!(
            (&prompt.kind, action),
            (PromptKind::Call(_), Action::Call)
                | (PromptKind::Export(_), Action::Export)
                | (PromptKind::Join, Action::Join)
        )
    };
    model.submitted.take_if(asked)
}

/// Opens a prompt again after its effect failed.
pub(super) fn reopen(model: &mut Model, prompt: Prompt, why: &str) {
    model.layers.push(Layer::Prompt(Prompt {
        error: Some(why.to_owned()),
        ..prompt
    }));
}

//! Prompts: what was typed becomes an effect, or stays for mending.

use std::path::PathBuf;

use super::rows;
use crate::{
    input::{
        addition::{self, Addition},
        arguments,
        options::PartialOptions,
    },
    net::trust::ticket::Ticket,
    ui::{
        effect::{Effect, Export},
        model::{
            Model,
            layer::{Layer, Prompt, PromptKind},
        },
    },
};

/// Takes what was typed if it can be read; otherwise the prompt stays, with the text and what is
/// wrong with it.
pub(super) fn submit(model: &mut Model) -> Vec<Effect> {
    let Some(Layer::Prompt(prompt)) = model.layers.pop() else {
        return vec![];
    };
    let text = prompt.input.value().to_owned();
    match take(model, &prompt.purpose, &text) {
        Ok(effects) => {
            model.submitted = matches!(
                prompt.purpose,
                PromptKind::Call(_) | PromptKind::Export(_) | PromptKind::Join
            )
            .then_some(prompt);
            effects
        }
        Err(Wrong { at, why }) => {
            let mut input = prompt.input;
            if let Some(at) = at {
                input = input.with_cursor(at);
            }
            model.layers.push(Layer::Prompt(Prompt {
                purpose: prompt.purpose,
                input,
                error: Some(why),
            }));
            vec![]
        }
    }
}

struct Wrong {
    /// The character at which it begins.
    at: Option<usize>,
    why: String,
}

impl From<String> for Wrong {
    fn from(why: String) -> Self {
        Self { at: None, why }
    }
}

fn take(model: &mut Model, purpose: &PromptKind, text: &str) -> Result<Vec<Effect>, Wrong> {
    match purpose {
        PromptKind::Add => {
            match addition::parse(text, &PartialOptions::default(), &model.local(model.now)) {
                Ok(addition) => Ok(vec![submit_add(&addition, text)]),
                Err(mistake) => Err(Wrong {
                    at: Some(mistake.at),
                    why: mistake.why,
                }),
            }
        }
        PromptKind::Filter(pane) => Ok(rows::set_filter(model, *pane, text)?),
        PromptKind::Export(pane) => {
            let path = PathBuf::from(text.trim());
            match path.extension().and_then(|e| e.to_str()) {
                Some("json" | "csv") => Ok(vec![Effect::Export(Export {
                    pane: *pane,
                    path,
                    rows: rows::export_rows(model, *pane),
                })]),
                _ => Err("the file's name must end in .json or .csv"
                    .to_owned()
                    .into()),
            }
        }
        PromptKind::Join => match text.parse::<Ticket>() {
            Ok(ticket) => Ok(vec![Effect::Join(ticket)]),
            Err(why) => Err(why.to_string().into()),
        },
        PromptKind::Call(record) => {
            let (method, args) = arguments::parse(text)?;
            Ok(vec![Effect::Call {
                record: record.clone(),
                method,
                args,
            }])
        }
    }
}

pub(super) fn submit_add(addition: &Addition, text: &str) -> Effect {
    Effect::Submit {
        what: text.trim().to_owned(),
        tasks: vec![addition.task()],
    }
}

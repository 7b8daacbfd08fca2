//! On objects: greeting, methods and calls.

use super::{prompt, show};
use crate::{
    net::trust::ticket::contains_ticket,
    ui::{
        effect::Effect,
        model::{
            Model,
            events::Tone,
            layer::{Details, DetailsOf, Layer, PromptKind},
        },
        update::{prompts, toast},
    },
};

pub(super) fn greet(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let name = argument.map_or_else(|| model.greeter.input.value().to_owned(), str::to_owned);
    if name.trim().is_empty() {
        model.greeter.hint = Some("type a name first, then press enter".into());
        return vec![];
    }
    if contains_ticket(&name) {
        // It would be called with it, and show it to whoever answers.
        model.greeter.hint = Some("this is a ticket; :join takes it".into());
        return vec![];
    }
    let number = model.greeter.start(model.now, name.clone());
    vec![Effect::Greet { number, name }]
}

/// Everything about a name.
pub(super) fn methods(model: &mut Model, name: Option<&str>) -> Vec<Effect> {
    let name = name.unwrap_or_default();
    let Some(record) = model.names.named(name) else {
        toast(
            model,
            Tone::Warn,
            format!("nobody is registered as `{name}`"),
        );
        return vec![];
    };
    let subject = DetailsOf::Name {
        record: record.clone(),
        methods: None,
    };
    show(model, Layer::Details(Details { subject, scroll: 0 }));
    vec![Effect::Methods(record)]
}

pub(super) fn call(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    // A name may be said first, as on the command line.
    let (first, rest) = argument
        .and_then(|text| text.split_once(char::is_whitespace))
        .unwrap_or_default();
    if let Some(record) = model.names.named(first) {
        prompt(
            model,
            PromptKind::Call(record),
            rest.trim_start().to_owned(),
        );
        return prompts::submit(model);
    }
    let Some(record) = model.names.selected().cloned() else {
        toast(model, Tone::Warn, "no name is selected");
        return vec![];
    };
    let text = argument.unwrap_or_default().to_owned();
    prompt(model, PromptKind::Call(record), text);
    match argument {
        Some(_) => prompts::submit(model),
        None => vec![],
    }
}

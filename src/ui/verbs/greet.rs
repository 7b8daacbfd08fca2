//! `greet`: calls the greeter, and the history of typed names.

use super::{Action, ActionSpec, scope};
use crate::{
    net::trust::ticket::contains_ticket,
    node::NodeHandle,
    text::fmt_duration,
    ui::{
        effect::{Effect, Greeted, Msg},
        model::{
            Model,
            events::{Kind, Tone},
            greeter::GreetOutcome,
        },
        verbs::call::display,
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Greet,
    name: "greet",
    keys: &[(&[scope::GREETER], &["enter"])],
    hint: "greet",
    text: "call the greeter with the typed name",
    argument: "NAME",
    kind: Kind::Call,
    press: greet,
    unavailable,
    ..ActionSpec::BASE
};
pub(super) const EARLIER: ActionSpec = ActionSpec {
    action: Action::EarlierName,
    name: "history-back",
    keys: &[(&[scope::GREETER], &["up"])],
    hint: "history",
    text: "recall an earlier name",
    press: |model, _| {
        model.greeter.recall_earlier();
        vec![]
    },
    ..ActionSpec::BASE
};
pub(super) const LATER: ActionSpec = ActionSpec {
    action: Action::LaterName,
    name: "history-forward",
    keys: &[(&[scope::GREETER], &["down"])],
    text: "recall a later name",
    press: |model, _| {
        model.greeter.recall_later();
        vec![]
    },
    ..ActionSpec::BASE
};

/// The most characters of a greeting in the log.
const MAX_LOGGED: usize = 300;

fn unavailable(model: &Model) -> Option<String> {
    if model.greeter.input.value().trim().is_empty() {
        return Some(name_missing(model));
    }
    model
        .greeter
        .is_full()
        .then(|| "too many calls are in progress; wait for one to finish".to_owned())
}

fn name_missing(model: &Model) -> String {
    let key = model.keymap.text(Action::Greet);
    format!("type a name first, then press {key}")
}

fn greet(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let name = argument.map_or_else(|| model.greeter.input.value().to_owned(), str::to_owned);
    if name.trim().is_empty() {
        model.greeter.hint = Some(name_missing(model));
        return vec![];
    }
    if contains_ticket(&name) {
        // The greeter would receive it, and could write it into a log.
        model.greeter.hint = Some("this is a ticket; use :join".into());
        return vec![];
    }
    let number = model.greeter.start(model.now, name.clone());
    vec![Effect::Greet { number, name }]
}

pub(crate) async fn run(node: &NodeHandle, number: u64, name: &str) -> Msg {
    let called = node.greet(name).await;
    let reply = called.map(|called| Greeted {
        text: display(&called.value),
        lookup: called.lookup,
        call: called.call,
    });
    Msg::Greeted {
        number,
        reply: reply.map_err(|e| e.to_string()),
    }
}

/// Shows a greeting.
pub(crate) fn greeted(model: &mut Model, number: u64, reply: Result<Greeted, String>) {
    match reply {
        Ok(Greeted { text, lookup, call }) => {
            let line = format!(
                "{text}  ({}: lookup {}, call {})",
                fmt_duration(lookup + call),
                fmt_duration(lookup),
                fmt_duration(call)
            );
            let line: String = line.chars().take(MAX_LOGGED).collect();
            model.log(Kind::Call, Tone::Good, line);
            model
                .greeter
                .finish(number, GreetOutcome::Greeted { text, lookup, call });
        }
        Err(why) => {
            model.log(Kind::Call, Tone::Bad, format!("greeting failed: {why}"));
            model.greeter.finish(number, GreetOutcome::Failed(why));
        }
    }
}

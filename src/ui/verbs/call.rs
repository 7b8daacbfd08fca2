//! `call`: calls a method of any registered object.

use std::sync::Arc;

use super::{Action, ActionSpec, details, log, methods, prompt, scope};
use crate::{
    input::arguments,
    net::naming::Record,
    node::NodeHandle,
    ui::{
        effect::{Effect, EffectDone},
        model::{
            Model,
            events::{Kind, Tone},
            layer::{Details, DetailsOf, Layer, PromptKind},
        },
    },
    value::Value,
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Call,
    name: "call",
    keys: &[(&[scope::NAMES, scope::Scope::NameDetails], &["c"])],
    hint: "call",
    text: "call a method of the selected object",
    argument: "NAME [METHOD [ARGUMENT ...]]",
    kind: Kind::Call,
    press: call,
    unavailable: |model| {
        let none = record(model).is_none();
        none.then(|| "no name is selected".to_owned())
    },
    succeeded,
    ..ActionSpec::BASE
};

/// The object whose details are open, or the selected one.
fn record(model: &Model) -> Option<&Arc<Record>> {
    match model.layers.last() {
        Some(Layer::Details(Details {
            subject: DetailsOf::Name { record, .. },
            ..
        })) => Some(record),
        _ => model.names.selected(),
    }
}

fn call(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    // The name comes first, as on the command line; the selection is for the key.
    let Some(argument) = argument else {
        let record = record(model).cloned();
        return record.map_or(vec![], |record| {
            prompt::open(model, PromptKind::Call(record), "", None)
        });
    };
    let (name, rest) = argument
        .split_once(char::is_whitespace)
        .unwrap_or((argument, ""));
    let Some(record) = model.names.named(name) else {
        model.toast(Tone::Warn, methods::unknown_name(model, name));
        return vec![];
    };
    let typed = Some(rest.trim_start()).filter(|rest| !rest.is_empty());
    prompt::open(model, PromptKind::Call(record), "", typed)
}

/// Reads a method and its arguments as they were typed.
pub(super) fn typed(record: &Arc<Record>, text: &str) -> Result<Vec<Effect>, String> {
    let (method, args) = arguments::parse(text)?;
    Ok(vec![Effect::Call {
        record: Arc::clone(record),
        method,
        args,
    }])
}

pub(crate) async fn run(
    node: &NodeHandle,
    record: &Record,
    method: &str,
    args: Vec<Value>,
) -> EffectDone {
    let shown: Vec<String> = args.iter().map(Value::to_string).collect();
    let what = format!("{}.{method}({})", record.name, shown.join(", "));
    let result = node.call(record, method, args).await;
    EffectDone::new(Action::Call, what, result.map(|value| display(&value)))
}

fn succeeded(model: &mut Model, done: &EffectDone, text: &str) {
    log(model, done, Tone::Plain, text);
    let subject = DetailsOf::Result {
        title: done.what.clone(),
        text: text.to_owned(),
        warning: None,
    };
    details::open(model, subject);
}

/// A string as it is, anything else as a literal.
pub(super) fn display(value: &Value) -> String {
    match value {
        Value::Str(text) => text.clone(),
        other => other.to_string(),
    }
}

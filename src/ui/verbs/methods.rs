//! `methods`: shows the details of a name, with the methods of its object.

use std::sync::Arc;

use super::{Action, ActionSpec, details, scope};
use crate::{
    net::naming::Record,
    node::NodeHandle,
    suggest::did_you_mean,
    ui::{
        effect::{Effect, Msg},
        model::{
            Model,
            events::Tone,
            layer::{Details, DetailsOf, Layer},
        },
    },
    value::signature::Signature,
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Methods,
    name: "methods",
    keys: &[(&[scope::NAMES], &[])],
    text: "show the details of a name and the methods of its object",
    argument: "NAME",
    press: methods,
    ..ActionSpec::BASE
};

fn methods(model: &mut Model, name: Option<&str>) -> Vec<Effect> {
    let name = name.unwrap_or_default();
    match model.names.named(name) {
        Some(record) => open(model, record),
        None => {
            model.toast(Tone::Warn, unknown_name(model, name));
            vec![]
        }
    }
}

/// Explains that no object has a name.
pub(super) fn unknown_name(model: &Model, name: &str) -> String {
    let names = model.names.rows().iter().map(|record| record.name.as_str());
    let near = did_you_mean(name, names);
    format!("no object is registered as `{name}`{near}")
}

/// Opens the details of a name and asks for its methods.
pub(super) fn open(model: &mut Model, record: Arc<Record>) -> Vec<Effect> {
    let subject = DetailsOf::Name {
        record: Arc::clone(&record),
        methods: None,
    };
    details::open(model, subject);
    vec![Effect::Methods(record)]
}

pub(crate) async fn run(node: &NodeHandle, record: &Record) -> Msg {
    let methods = node.methods(record).await;
    Msg::Methods {
        name: record.name.clone(),
        methods: methods.map_err(|e| e.to_string()),
    }
}

/// Shows the methods in the details that wait for them.
pub(crate) fn listed(model: &mut Model, name: &str, methods: &Result<Vec<Signature>, String>) {
    for layer in &mut model.layers {
        if let Layer::Details(Details {
            subject:
                DetailsOf::Name {
                    record,
                    methods: shown,
                },
            ..
        }) = layer
            && record.name == name
        {
            *shown = Some(methods.clone());
        }
    }
}

//! `leave`: leaves a node that this one has joined.

use super::{Action, ActionSpec, Impact, Scope};
use crate::{
    net::trust::role::Role,
    node::{NodeHandle, UpstreamStatus},
    ui::{
        effect::{Effect, EffectDone},
        model::{
            Model,
            events::{Kind, Tone},
        },
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Leave,
    name: "leave",
    keys: &[(&[Scope::Panes], &[])],
    text: "leave an upstream (key prefix)",
    argument: "KEY",
    impact: Impact::Changes(Role::Admin),
    kind: Kind::Name,
    press: leave,
    ..ActionSpec::BASE
};

fn leave(model: &mut Model, key: Option<&str>) -> Vec<Effect> {
    match key {
        Some(key) => vec![Effect::Leave(key.to_owned())],
        None => key_missing(model),
    }
}

/// Asks for the key of a node.
pub(super) fn key_missing(model: &mut Model) -> Vec<Effect> {
    let text = "which one? give a key prefix; :members lists them";
    model.toast(Tone::Warn, text);
    vec![]
}

pub(crate) async fn run(node: &NodeHandle, key: String) -> EffectDone {
    let left = node.leave(&key);
    let text = |left: UpstreamStatus| format!("left {}", left.key.fingerprint());
    EffectDone::new(Action::Leave, "leave", left.await.map(text))
}

//! `revoke`: removes a member.

use super::{Action, ActionSpec, Impact, Scope, leave};
use crate::{
    net::{trust::members::Member, trust::role::Role},
    node::NodeHandle,
    ui::{
        effect::{Effect, EffectDone},
        model::{
            Model,
            events::Kind,
            layer::{Confirm, ConfirmAction, ConfirmText, Layer},
        },
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Revoke,
    name: "revoke",
    keys: &[(&[Scope::Panes], &[]), (&[Scope::Members], &["D"])],
    hint: "revoke",
    text: "revoke a member (key prefix or label): its connections close, its names go",
    argument: "KEY",
    impact: Impact::Destroys(Role::Admin),
    kind: Kind::Name,
    press: revoke,
    unavailable: |model| match model.layers.last() {
        Some(Layer::Members(_)) if selected(model).is_none() => {
            Some("no member is selected".to_owned())
        }
        _ => None,
    },
    ..ActionSpec::BASE
};

/// The characters of a key in the question.
const SHORT: usize = 16;

/// The key of the selected member, where members are shown.
fn selected(model: &Model) -> Option<String> {
    match model.layers.last() {
        Some(Layer::Members(view)) => {
            let member = view.members().get(view.selected);
            member.map(|status| status.member.key.to_string())
        }
        _ => None,
    }
}

fn revoke(model: &mut Model, key: Option<&str>) -> Vec<Effect> {
    let Some(key) = key.map(str::to_owned).or_else(|| selected(model)) else {
        return leave::key_missing(model);
    };
    let short: String = key.chars().take(SHORT).collect();
    model.layers.push(Layer::Confirm(Confirm {
        question: ConfirmText::Complete(format!(
            "Revoke {short}? Its connections are closed and its names removed."
        )),
        yes: ConfirmAction::Revoke(key),
    }));
    vec![]
}

pub(crate) async fn run(node: &NodeHandle, key: String) -> EffectDone {
    let removed = node.members(|admission| async move { admission.revoke(&key).await });
    let text = |member: Member| {
        format!(
            "{} {} is revoked; :invalidate-tickets invalidates the tickets it may know",
            member.key.fingerprint(),
            member.label
        )
    };
    EffectDone::new(Action::Revoke, "revoke", removed.await.map(text))
}

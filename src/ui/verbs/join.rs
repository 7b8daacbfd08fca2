//! `join`: joins another node with its ticket.

use super::{Action, ActionSpec, Impact, Scope, prompt};
use crate::{
    net::{trust::role::Role, trust::ticket::Ticket},
    node::{JoinOutcome, NodeHandle},
    ui::{
        effect::{Effect, EffectDone},
        model::{events::Kind, layer::PromptKind},
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Join,
    name: "join",
    keys: &[(&[Scope::Panes], &[]), (&[Scope::Members], &["c"])],
    hint: "join",
    text: "join another node with its ticket",
    argument: "[TICKET]",
    impact: Impact::Changes(Role::Admin),
    kind: Kind::Name,
    press: |model, ticket| prompt::open(model, PromptKind::Join, "", ticket),
    ..ActionSpec::BASE
};

/// Reads a ticket as it was typed.
pub(super) fn typed(text: &str) -> Result<Vec<Effect>, String> {
    match text.parse::<Ticket>() {
        Ok(ticket) => Ok(vec![Effect::Join(ticket)]),
        Err(why) => Err(why.to_string()),
    }
}

pub(crate) async fn run(node: &NodeHandle, ticket: Ticket) -> EffectDone {
    let joined = node.join(ticket);
    EffectDone::new(
        Action::Join,
        "join",
        joined.await.map(|joined| text(&joined)),
    )
}

fn text(joined: &JoinOutcome) -> String {
    let addr = joined
        .addr
        .map_or(String::new(), |addr| format!(" at {addr}"));
    let warning = joined.warning.as_ref();
    let warning = warning.map_or(String::new(), |warning| format!("; {warning}"));
    let key = joined.key.fingerprint();
    format!("joined {key}{addr} as {}{warning}", joined.role)
}

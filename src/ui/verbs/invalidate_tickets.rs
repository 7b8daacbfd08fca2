//! `invalidate-tickets`: invalidates all tickets; members stay.

use super::{Action, ActionSpec, Impact, Scope};
use crate::{
    net::trust::role::Role,
    node::NodeHandle,
    text::pluralize,
    ui::{
        effect::{Effect, EffectDone},
        model::events::Kind,
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::InvalidateTickets,
    name: "invalidate-tickets",
    keys: &[(&[Scope::Panes], &[])],
    text: "invalidate all tickets; members stay",
    impact: Impact::Changes(Role::Admin),
    kind: Kind::Name,
    press: |_, _| vec![Effect::InvalidateTickets],
    ..ActionSpec::BASE
};

pub(crate) async fn run(node: &NodeHandle) -> EffectDone {
    let invalidated =
        node.members(|admission| async move { admission.invalidate_tickets(None).await });
    let text = |n| format!("{} invalidated; members stay", pluralize(n, "ticket"));
    EffectDone::new(
        Action::InvalidateTickets,
        "invalidate tickets",
        invalidated.await.map(text),
    )
}

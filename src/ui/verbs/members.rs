//! `members`: shows the members of the node and its upstreams.

use super::{Action, ActionSpec, Scope};
use crate::{
    node::NodeHandle,
    ui::{
        effect::{Effect, Msg},
        model::{
            Model,
            events::Kind,
            layer::{Layer, MembersView, Membership},
        },
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Members,
    name: "members",
    keys: &[(&[Scope::Panes], &["n"])],
    text: "show the members of this node, and its upstreams",
    kind: Kind::Name,
    press: |model, _| {
        model.layers.push(Layer::Members(MembersView::default()));
        vec![Effect::Members]
    },
    ..ActionSpec::BASE
};

pub(crate) async fn run(node: &NodeHandle) -> Msg {
    let members = node.members(|admission| async move { admission.list().await });
    let upstreams = node.upstreams();
    let both = async {
        Ok(Membership {
            members: members.await?,
            upstreams: upstreams.await?,
        })
    };
    let both: Result<_, crate::net::rpc::error::CallError> = both.await;
    Msg::Members(both.map_err(|e| e.to_string()))
}

/// Shows the members where the list is open.
pub(crate) fn listed(model: &mut Model, members: &Result<Membership, String>) {
    for layer in &mut model.layers {
        if let Layer::Members(view) = layer {
            view.loaded = Some(members.clone());
            view.selected = view.selected.min(view.members().len().saturating_sub(1));
        }
    }
}

/// Asks again while the list is open.
pub(super) fn refresh(model: &Model) -> Option<Effect> {
    let open = |layer: &Layer| matches!(layer, Layer::Members(_));
    model.layers.iter().any(open).then_some(Effect::Members)
}

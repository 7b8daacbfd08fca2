//! `start-node`: starts a node on the data folder, in place of one that has ended.

use std::path::PathBuf;

use super::{Action, ActionSpec, Impact, Scope};
use crate::{
    net::trust::role::Role,
    node::Session,
    ui::{
        effect::{Effect, Msg},
        model::{
            Header, Model,
            events::{Kind, Tone},
            freshness::LocalNode,
        },
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::StartNode,
    name: "start-node",
    keys: &[(&[Scope::Panes], &["N"])],
    text: "start a node here when the node of this data folder has ended",
    impact: Impact::Changes(Role::Admin),
    kind: Kind::Program,
    press: |model, _| {
        model.local_node = LocalNode::Starting;
        vec![Effect::StartNode]
    },
    unavailable: |model| {
        (!model.can_start_node()).then(|| "the node of this screen has not ended".to_owned())
    },
    ..ActionSpec::BASE
};

/// Looks whether a process uses the data folder.
pub(crate) async fn run_look(folder: Option<PathBuf>) -> Msg {
    let look = tokio::task::spawn_blocking(move || match folder {
        Some(folder) => !Session::is_free(&folder),
        None => true,
    });
    Msg::NodeFound(look.await.unwrap_or(true))
}

/// Remembers whether the node of the data folder has ended.
pub(crate) fn found(model: &mut Model, is_running: bool) {
    let now = match (model.local_node, is_running) {
        (LocalNode::Starting, _) => return,
        (_, true) => LocalNode::Running,
        (_, false) => LocalNode::Gone,
    };
    let before = std::mem::replace(&mut model.local_node, now);
    if now == LocalNode::Gone && before != now {
        let key = model.keymap.text(Action::StartNode);
        let text = format!("the node of this data folder has ended; {key} starts one here");
        model.log(Kind::Program, Tone::Warn, text);
    }
}

/// Shows another node from now on.
pub(crate) fn opened(model: &mut Model, opened: Result<Header, String>) -> Vec<Effect> {
    model.local_node = LocalNode::Running;
    match opened {
        Ok(header) => {
            let text = format!("shows the node {} at {}", header.fingerprint, header.addr);
            model.header = Header {
                read_only: model.header.read_only,
                ..header
            };
            model.names_link.confirm();
            model.broker_link.confirm();
            // Replies of the node before do not come any more.
            model.refreshing = false;
            model.tasks.discard_pending();
            model.log(Kind::Program, Tone::Good, text.clone());
            model.toast(Tone::Good, text);
            let mut effects = vec![Effect::Recovery, Effect::Health];
            effects.extend(model.refresh());
            effects
        }
        Err(why) => {
            model.log(Kind::Program, Tone::Bad, why.clone());
            model.toast(Tone::Bad, why);
            vec![Effect::LookForNode]
        }
    }
}

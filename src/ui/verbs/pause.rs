//! `pause` and `resume`: stop and start handing out tasks, of all queues or of one.

use super::{Action, ActionSpec, Impact, scope};
use crate::{
    net::trust::role::Role,
    node::NodeHandle,
    queue::capabilities::Operation,
    ui::{
        effect::{Effect, EffectDone},
        model::Model,
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Pause,
    name: "pause",
    keys: &[(&[scope::TASKS], &["p"])],
    hint: "pause",
    text: "pause or resume all queues, or pause one",
    argument: "[QUEUE]",
    impact: Impact::Changes(Role::Member),
    needs: |_, _| &[Operation::Pause],
    press: pause,
    ..ActionSpec::BASE
};
pub(super) const RESUME: ActionSpec = ActionSpec {
    action: Action::Resume,
    name: "resume",
    keys: &[(&[scope::TASKS], &[])],
    text: "resume all queues, or one",
    argument: "[QUEUE]",
    impact: Impact::Changes(Role::Member),
    needs: |_, _| &[Operation::Pause],
    press: |_, queue| {
        vec![Effect::Pause {
            queue: queue.map(str::to_owned),
            on: false,
        }]
    },
    ..ActionSpec::BASE
};

fn pause(model: &mut Model, queue: Option<&str>) -> Vec<Effect> {
    let queue = queue.map(str::to_owned);
    // Without a queue it toggles; with one it means what it says.
    let on = queue.is_some() || !model.data().overview.stats.paused;
    vec![Effect::Pause { queue, on }]
}

pub(crate) async fn run(node: &NodeHandle, queue: Option<String>, on: bool) -> EffectDone {
    let broker = node.broker();
    let (action, what, done, result) = if on {
        let result = broker.pause(queue.as_deref()).await;
        (Action::Pause, "pause", "paused", result)
    } else {
        let result = broker.resume(queue.as_deref()).await;
        (Action::Resume, "resume", "resumed", result)
    };
    let which = queue.map_or("all queues".to_owned(), |queue| format!("queue {queue}"));
    EffectDone::new(action, what, result.map(|()| format!("{which} {done}")))
}

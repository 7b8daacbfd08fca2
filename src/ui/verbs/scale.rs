//! `scale`: sets the number of workers.

use super::{Action, ActionSpec, Impact, Scope, scope};
use crate::{
    cli::worker_count,
    net::trust::role::Role,
    node::NodeHandle,
    queue::{capabilities::Operation, limits::MAX_WORKERS},
    text::pluralize,
    ui::{
        effect::{Effect, EffectDone},
        model::{
            Model,
            events::{Kind, Tone},
        },
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Scale,
    name: "scale",
    keys: &[(&[Scope::Panes], &[])],
    text: "set the number of workers",
    argument: "COUNT",
    impact: Impact::Changes(Role::Member),
    needs: |_, _| &[Operation::Scale],
    kind: Kind::Worker,
    press: scale,
    ..ActionSpec::BASE
};
pub(super) const UP: ActionSpec = ActionSpec {
    action: Action::ScaleUp,
    name: "scale-up",
    keys: &[(&[scope::WORKERS], &["+"])],
    hint: "more",
    text: "add a worker",
    argument: "",
    press: |model, _| scale_to(model, model.desired_workers() + 1),
    unavailable: |model| {
        let most = model.desired_workers() >= MAX_WORKERS;
        most.then(|| format!("{MAX_WORKERS} workers is the maximum"))
    },
    ..SPEC
};
pub(super) const DOWN: ActionSpec = ActionSpec {
    action: Action::ScaleDown,
    name: "scale-down",
    keys: &[(&[scope::WORKERS], &["-"])],
    hint: "fewer",
    text: "remove a worker; it finishes its task first",
    argument: "",
    press: |model, _| scale_to(model, model.desired_workers().saturating_sub(1)),
    unavailable: |model| {
        let last = model.desired_workers() <= 1;
        last.then(|| "at least one worker must remain".to_owned())
    },
    ..SPEC
};

fn scale(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    match argument.map(worker_count) {
        Some(Ok(workers)) => scale_to(model, workers),
        _ => {
            let text = format!("type a number of workers from 1 to {MAX_WORKERS}: scale 4");
            model.toast(Tone::Warn, text);
            vec![]
        }
    }
}

/// The next key counts from this number, not from the last one that the broker reported.
fn scale_to(model: &mut Model, workers: usize) -> Vec<Effect> {
    model.live_mut().overview.set_requested_workers(workers);
    vec![Effect::Scale(workers)]
}

pub(crate) async fn run(node: &NodeHandle, workers: usize) -> EffectDone {
    let accepted = node.broker().scale(workers).await;
    let text = |n: usize| {
        let limit = if n < workers { ", the maximum" } else { "" };
        format!("{}{limit}", pluralize(n, "worker"))
    };
    EffectDone::new(Action::Scale, "scale", accepted.map(text))
}

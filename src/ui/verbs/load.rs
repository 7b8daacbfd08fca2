//! `load`: submits many additions at once, to see workers work.

use super::{Action, ActionSpec, Impact, scope};
use crate::{
    net::trust::role::Role,
    queue::{add::Add, capabilities::Operation, number::Number, task::NewTask},
    text::fmt_count,
    ui::{
        effect::Effect,
        model::{Model, events::Tone},
    },
};

/// The default number of additions, and the largest.
const LOAD: usize = 100;
const MAX_LOAD: usize = 1_000_000;

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Load,
    name: "load",
    keys: &[(&[scope::TASKS], &["b"])],
    hint: "load",
    text: "submit a hundred additions of 20 to 400 ms each",
    argument: "[COUNT]",
    impact: Impact::Changes(Role::Member),
    needs: |_, _| &[Operation::Submit],
    press: load,
    ..ActionSpec::BASE
};

fn load(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let number = match argument.map(|text| text.replace(['_', ','], "").parse::<usize>()) {
        None => LOAD,
        Some(Ok(n)) if (1..=MAX_LOAD).contains(&n) => n,
        Some(_) => {
            let text = format!("load submits 1 to {} tasks", fmt_count(MAX_LOAD));
            model.toast(Tone::Warn, text);
            return vec![];
        }
    };
    vec![Effect::Submit {
        tasks: (1..=number).map(addition).collect(),
        what: format!("load of {}", fmt_count(number)),
    }]
}

/// The durations are spread, so that the timelines of workers fill and empty visibly.
fn addition(n: usize) -> NewTask {
    let add = Add {
        x: Number::Int(n.into()),
        y: Number::Int((n * n).into()),
        seconds: Some((20 + n * 7_919 % 381) as f64 / 1e3),
        fails: None,
    };
    add.task()
}

//! `submit`: submits any task that the workers know.

use super::{Action, ActionSpec, Impact, scope::Scope};
use crate::{
    input::{options::PartialOptions, submission},
    net::trust::role::Role,
    node::NodeHandle,
    queue::{
        capabilities::Operation,
        task::{NewTask, Receipt},
    },
    text::fmt_count,
    ui::{
        effect::{Effect, EffectDone},
        model::{Model, events::Tone},
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Submit,
    name: "submit",
    keys: &[(&[Scope::Panes], &[])],
    text: "submit a task by its name, with its arguments as JSON",
    argument: "NAME JSON [OPTION ...]",
    impact: Impact::Changes(Role::Member),
    needs: |_, _| &[Operation::Submit],
    press: submit,
    ..ActionSpec::BASE
};

fn submit(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let argument = argument.unwrap_or_default();
    let options = PartialOptions::default();
    let task = submission::parse(argument, &options, &model.local(model.now));
    match task.and_then(|task| effect(model, format!("submit {argument}"), task)) {
        Ok(effect) => vec![effect],
        Err(why) => {
            model.toast(Tone::Warn, why);
            vec![]
        }
    }
}

/// Submits a task, if the broker honours its options.
pub(super) fn effect(model: &Model, what: String, task: NewTask) -> Result<Effect, String> {
    let capabilities = model.header.capabilities;
    let supported = capabilities.check_options(&task.options);
    supported.map_err(|why| why.to_string())?;
    let tasks = vec![task];
    Ok(Effect::Submit { what, tasks })
}

pub(crate) async fn run(node: &NodeHandle, what: String, tasks: Vec<NewTask>) -> EffectDone {
    let receipts = node.broker().submit(tasks).await;
    let result = receipts.map(|receipts| queued(&receipts));
    EffectDone::new(Action::Submit, what, result)
}

/// Describes the receipts of submitted tasks.
fn queued(receipts: &[Receipt]) -> String {
    let is_new = |receipt: &&Receipt| !receipt.deduplicated;
    let mut new = receipts.iter().filter(is_new);
    let mut present = receipts.iter().filter(|receipt| receipt.deduplicated);
    let queued = match (new.next(), new.next_back()) {
        (None, _) => None,
        (Some(only), None) => Some(format!("queued as {}", only.id)),
        (Some(first), Some(last)) => {
            let many = fmt_count(receipts.iter().filter(is_new).count());
            Some(format!("{many} tasks queued, {} to {}", first.id, last.id))
        }
    };
    let present = match (present.next(), present.count()) {
        (None, _) => None,
        (Some(one), 0) => Some(format!("already queued as {}", one.id)),
        (Some(_), more) => Some(format!("{} were already queued", fmt_count(more + 1))),
    };
    match (queued, present) {
        (None, None) => "nothing to queue".to_owned(),
        (Some(queued), Some(present)) => format!("{queued}; {present}"),
        (Some(text), None) | (None, Some(text)) => text,
    }
}

//! `filter`: shows only the rows that match.

use super::{Action, ActionSpec, prompt, scope};
use crate::{
    queue::query::Filter,
    ui::{
        effect::Effect,
        model::{Model, events::Tone, layer::PromptKind},
        pane::Pane,
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Filter,
    name: "filter",
    keys: &[
        (&[scope::TASKS], &["/"]),
        (&[scope::NAMES, scope::EVENTS], &["/"]),
    ],
    hint: "filter",
    text: "show only matching rows: words, !word",
    other_texts: &[(
        scope::TASKS,
        "show only matching tasks: words, !word, state:failed, name:add, key:K, queue:Q, worker:w2",
    )],
    argument: "[FILTER]",
    press: filter,
    ..ActionSpec::BASE
};

fn filter(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let pane = model.focus;
    match argument.map(|filter| set(model, pane, filter)) {
        None => {
            let current = text(model, pane).to_owned();
            prompt::open(model, PromptKind::Filter(pane), &current, None)
        }
        Some(Ok(effects)) => effects,
        Some(Err(why)) => {
            model.toast(Tone::Warn, why);
            vec![]
        }
    }
}

/// The filter of a pane, as it was typed.
pub(super) fn text(model: &Model, pane: Pane) -> &str {
    match pane {
        Pane::Names => &model.names.filter,
        Pane::Tasks => &model.tasks.filter_text,
        Pane::Events => &model.events.filter,
        Pane::Greeter | Pane::Workers => "",
    }
}

/// Sets the filter of a pane; an error names the part that is not a filter.
pub(super) fn set(model: &mut Model, pane: Pane, text: &str) -> Result<Vec<Effect>, String> {
    let text = text.trim();
    match pane {
        Pane::Names => model.names.set_filter(text),
        Pane::Tasks => {
            let filter = Filter::parse(text)?;
            let order = model.tasks.order;
            return Ok(vec![Effect::Tasks(
                model.tasks.set_query(filter, text, order),
            )]);
        }
        Pane::Events => {
            text.clone_into(&mut model.events.filter);
            model.events.held = false;
        }
        Pane::Greeter | Pane::Workers => return Err("this pane has no filter".into()),
    }
    Ok(vec![])
}

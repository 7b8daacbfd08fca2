//! `sort`: sorts the tasks.

use super::{Action, ActionSpec, scope};
use crate::{
    queue::query::Order,
    ui::{
        effect::Effect,
        model::{Model, events::Tone},
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Sort,
    name: "sort",
    keys: &[(&[scope::TASKS], &["s"])],
    hint: "sort",
    text: "sort by newest, oldest, state or slowest",
    argument: "[ORDER]",
    press: sort,
    ..ActionSpec::BASE
};

fn sort(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let order = match argument {
        None => Some(model.tasks.order.next()),
        Some(word) => Order::ALL.into_iter().find(|order| order.as_str() == word),
    };
    let Some(order) = order else {
        model.toast(Tone::Warn, "sort by newest, oldest, state or slowest");
        return vec![];
    };
    let (filter, text) = (model.tasks.filter.clone(), model.tasks.filter_text.clone());
    vec![Effect::Tasks(model.tasks.set_query(filter, &text, order))]
}

//! `mark`: marks tasks, to act on them together.

use std::collections::BTreeSet;

use super::{Action, ActionSpec, navigation, scope};
use crate::{
    node::NodeHandle,
    queue::{
        id::TaskId,
        paging::fetch_full_page,
        query::{Filter, Query},
    },
    ui::{
        effect::{Effect, Msg},
        model::{Model, events::Tone, list::Motion, tasks::MAX_MARKED},
        pane::Pane,
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Mark,
    name: "mark",
    keys: &[(&[scope::TASKS], &["space"])],
    hint: "mark",
    text: "mark or unmark the selected task",
    press: |model, _| mark(model),
    unavailable: |model| {
        let none = model.tasks.selected().is_none();
        none.then(|| "no task is selected".to_owned())
    },
    ..ActionSpec::BASE
};

/// Finds the marked tasks that have been purged or evicted: nothing must act on them any more. The ids are
/// at most [`MAX_MARKED`], which fits on one page.
pub(crate) async fn run_check(node: &NodeHandle, mut ids: BTreeSet<TaskId>) -> Msg {
    let query = Query {
        filter: Filter::by_ids(ids.clone()),
        limit: MAX_MARKED,
        ..Query::default()
    };
    match fetch_full_page(&*node.broker(), query).await {
        Ok(page) => {
            for task in page.tasks() {
                ids.remove(&task.id);
            }
            Msg::MarksGone(ids.into_iter().collect())
        }
        // What is not known is not removed; the next purge asks again.
        Err(_) => Msg::MarksGone(Vec::new()),
    }
}

fn mark(model: &mut Model) -> Vec<Effect> {
    if !model.tasks.toggle_mark() {
        let text = format!("{MAX_MARKED} tasks are marked, which is the maximum");
        model.toast(Tone::Warn, text);
        return vec![];
    }
    navigation::move_selection(model, Pane::Tasks, Motion::Down(1))
}

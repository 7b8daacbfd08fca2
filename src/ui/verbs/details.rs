//! `details`: shows the details of a row, or of a task by its id.

use super::{Action, ActionSpec, methods, scope};
use crate::{
    node::NodeHandle,
    queue::{error::BrokerError, id::TaskId, task::Task},
    ui::{
        effect::{Effect, Msg},
        model::{
            Model,
            events::Tone,
            layer::{Details, DetailsOf, Layer},
        },
        pane::Pane,
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Details,
    name: "details",
    keys: &[(&[scope::TASKS, scope::NAMES, scope::WORKERS], &["enter"])],
    hint: "details",
    text: "show the details of the selected row, or of a task by its id",
    argument: "[TASK]",
    press: details,
    unavailable,
    ..ActionSpec::BASE
};

fn unavailable(model: &Model) -> Option<String> {
    let missing = match model.focus {
        Pane::Names => model.names.selected().is_none(),
        Pane::Tasks => model.tasks.selected().is_none(),
        Pane::Workers => model.selected_worker().is_none(),
        Pane::Greeter | Pane::Events => true,
    };
    missing.then(|| "nothing is selected".to_owned())
}

fn details(model: &mut Model, task: Option<&str>) -> Vec<Effect> {
    if let Some(text) = task {
        return match text.parse() {
            Ok(id) => vec![Effect::Details(id)],
            Err(error) => {
                model.toast(Tone::Warn, error.to_string());
                vec![]
            }
        };
    }
    let subject = match model.focus {
        Pane::Names => {
            let record = model.names.selected().cloned();
            return record.map_or(vec![], |record| methods::open(model, record));
        }
        Pane::Tasks => {
            let task = model.tasks.selected().cloned();
            task.map(|task| DetailsOf::Task(Box::new(task)))
        }
        Pane::Workers => model
            .selected_worker()
            .map(|w| DetailsOf::Worker(w.id.clone())),
        Pane::Greeter | Pane::Events => None,
    };
    let Some(subject) = subject else {
        return vec![];
    };
    open(model, subject);
    // The rows of a list do not have the attempts of a task.
    shown_task(model)
        .map(|task| Effect::RefreshDetails(task.id.clone()))
        .into_iter()
        .collect()
}

/// Opens details over what is shown.
pub(super) fn open(model: &mut Model, subject: DetailsOf) {
    let details = Details { subject, scroll: 0 };
    model.layers.push(Layer::Details(details));
}

/// The task whose details are on top.
pub(super) fn shown_task(model: &Model) -> Option<&Task> {
    match model.layers.last() {
        Some(Layer::Details(Details {
            subject: DetailsOf::Task(task),
            ..
        })) => Some(task),
        _ => None,
    }
}

pub(crate) async fn run(node: &NodeHandle, id: TaskId) -> Msg {
    let task = node.broker().get(&id).await.map_err(|e| e.to_string());
    Msg::Details { id, task }
}

pub(crate) async fn run_refresh(node: &NodeHandle, id: TaskId) -> Msg {
    Msg::RefreshedDetails(node.broker().get(&id).await.ok().flatten())
}

/// Opens the details of a task that was asked for by its id.
pub(crate) fn received(model: &mut Model, id: TaskId, task: Result<Option<Task>, String>) {
    match task.and_then(|task| task.ok_or_else(|| BrokerError::NotFound(id).to_string())) {
        Ok(task) => open(model, DetailsOf::Task(Box::new(task))),
        Err(why) => model.toast(Tone::Bad, why),
    }
}

/// Updates the details of a task where they are open.
pub(crate) fn refreshed(model: &mut Model, task: &Task) {
    for layer in &mut model.layers {
        if let Layer::Details(Details {
            subject: DetailsOf::Task(shown),
            ..
        }) = layer
            && shown.id == task.id
        {
            (**shown).clone_from(task);
        }
    }
}

/// Asks again for the tasks whose details are open.
pub(crate) fn refresh(model: &Model) -> impl Iterator<Item = Effect> {
    model.layers.iter().filter_map(|layer| match layer {
        Layer::Details(Details {
            subject: DetailsOf::Task(task),
            ..
        }) => Some(Effect::RefreshDetails(task.id.clone())),
        _ => None,
    })
}

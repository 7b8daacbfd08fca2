//! On the screen itself: what is shown, copied, written and held still.

use super::{prompt, show};
use crate::ui::{
    effect::Effect,
    model::{
        Model,
        events::Tone,
        layer::{Details, DetailsOf, Layer, PromptKind},
    },
    pane::Pane,
    update::{prompts, refresh, rows, toast},
};

pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    let (subject, effects) = match model.focus {
        Pane::Names => match model.names.selected().cloned() {
            Some(record) => {
                let subject = DetailsOf::Name {
                    record: record.clone(),
                    methods: None,
                };
                (Some(subject), vec![Effect::Methods(record)])
            }
            None => (None, vec![]),
        },
        Pane::Tasks => {
            let task = model.tasks.selected().cloned();
            (task.map(|task| DetailsOf::Task(Box::new(task))), vec![])
        }
        Pane::Workers => (
            model.selected_worker().map(|w| DetailsOf::Worker(w.id)),
            vec![],
        ),
        Pane::Greeter | Pane::Events => (None, vec![]),
    };
    if let Some(subject) = subject {
        show(model, Layer::Details(Details { subject, scroll: 0 }));
    }
    effects
}

pub(super) fn copy(model: &mut Model) -> Vec<Effect> {
    match rows::copied(model) {
        Some(text) => vec![Effect::Copy(text)],
        None => {
            toast(model, Tone::Warn, "there is nothing to copy here");
            vec![]
        }
    }
}

pub(super) fn export(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let pane = model.focus;
    let text = argument.map_or_else(|| rows::export_name(model, pane), str::to_owned);
    prompt(model, PromptKind::Export(pane), text);
    match argument {
        Some(_) => prompts::submit(model),
        None => vec![],
    }
}

pub(super) fn freeze(model: &mut Model) -> Vec<Effect> {
    let on = !model.is_frozen();
    model.freeze(on);
    if on { vec![] } else { refresh(model) }
}

pub(super) fn theme(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    let name = argument.unwrap_or_default();
    match model.theme.switch(name) {
        Ok(theme) => model.theme = theme,
        Err(why) => toast(model, Tone::Warn, why),
    }
    vec![]
}

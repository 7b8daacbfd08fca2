//! Lists: moving in them, filtering them, and what of them can be copied and exported.

use crate::{
    export::Table,
    json::{self, EventJson, GreetingJson, WorkerJson},
    queue::query::Filter,
    ui::{
        effect::{Effect, Rows},
        model::{
            Model,
            events::LogLine,
            greeter::{GreetOutcome, Greeting},
            list::Motion,
        },
        pane::Pane,
    },
};

pub(super) fn go(model: &mut Model, pane: Pane, motion: Motion) -> Vec<Effect> {
    match pane {
        Pane::Names => model.names.go(motion),
        Pane::Tasks => {
            return model
                .tasks
                .go(motion)
                .map(Effect::Tasks)
                .into_iter()
                .collect();
        }
        Pane::Workers => {
            let length = model.data().overview.workers.len();
            model.workers.go(motion, length);
        }
        Pane::Events => {
            let length = model.data().log.matching(&model.events.filter).len();
            model.events.go(motion, length);
        }
        Pane::Greeter => {}
    }
    vec![]
}

pub(super) fn select(model: &mut Model, pane: Pane, row: usize) -> Vec<Effect> {
    match pane {
        Pane::Names => model.names.select(row),
        Pane::Tasks => {
            return model
                .tasks
                .select(row)
                .map(Effect::Tasks)
                .into_iter()
                .collect();
        }
        Pane::Workers => {
            model.workers.at = row;
            return go(model, pane, Motion::Down(0));
        }
        Pane::Events => {
            let length = model.data().log.matching(&model.events.filter).len();
            model.events.held = true;
            model.events.selection.at = row;
            model.events.go(Motion::Down(0), length);
        }
        Pane::Greeter => {}
    }
    vec![]
}

pub(super) fn filter_text(model: &Model, pane: Pane) -> &str {
    match pane {
        Pane::Names => &model.names.filter,
        Pane::Tasks => &model.tasks.filter_text,
        Pane::Events => &model.events.filter,
        Pane::Greeter | Pane::Workers => "",
    }
}

/// Shows only what matches; an error says what of the filter means nothing.
pub(super) fn set_filter(model: &mut Model, pane: Pane, text: &str) -> Result<Vec<Effect>, String> {
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

/// The selected row, or in the greeter the newest greeting, as text.
pub(super) fn copied(model: &Model) -> Option<String> {
    match model.focus {
        Pane::Names => model.names.selected().map(|record| record.uri.clone()),
        Pane::Greeter => model.greeter.history.iter().find_map(|g| match &g.outcome {
            GreetOutcome::Greeted { text, .. } => Some(text.clone()),
            _ => None,
        }),
        Pane::Tasks => model.tasks.selected().map(|task| {
            let error = task.error.as_deref().map(str::to_owned);
            let result = task.result.as_deref().map(str::to_owned);
            result
                .or(error)
                .unwrap_or_else(|| format!("{} {} {}", task.id, task.name, task.args))
        }),
        Pane::Workers => model.selected_worker().map(|worker| worker.id.to_string()),
        Pane::Events => {
            let lines = model.data().log.matching(&model.events.filter);
            let height = model.events.selection.height;
            let selection = model.events.selection(lines.len(), height);
            lines.get(selection.at).map(|line| line.text.clone())
        }
    }
}

/// A file name that says what it is and when.
pub(super) fn export_name(model: &Model, pane: Pane) -> String {
    let at = model.local(model.now).strftime("%Y%m%d-%H%M%S");
    format!("distro-tui-{}-{at}.json", pane.title().to_lowercase())
}

/// The rows of a pane to export.
pub(super) fn export_rows(model: &Model, pane: Pane) -> Rows {
    let data = model.data();
    Rows::Table(match pane {
        Pane::Tasks => {
            return Rows::Tasks {
                filter: model.tasks.filter.clone(),
                order: model.tasks.order,
            };
        }
        Pane::Names => Table::Names(model.names.rows().to_vec()),
        Pane::Greeter => Table::Greetings(model.greeter.history.iter().map(greeting).collect()),
        Pane::Workers => {
            let workers = data.overview.workers.iter();
            Table::Workers(workers.map(|w| WorkerJson::new(w, model.now)).collect())
        }
        Pane::Events => {
            let lines = data.log.matching(&model.events.filter).into_iter();
            let event = |line: &LogLine| EventJson {
                at: json::time(line.at),
                kind: line.kind.word(),
                text: line.text.clone(),
            };
            Table::Events(lines.map(event).collect())
        }
    })
}

fn greeting(greeting: &Greeting) -> GreetingJson {
    let (text, error, times) = match &greeting.outcome {
        GreetOutcome::Pending => (None, None, None),
        GreetOutcome::Failed(why) => (None, Some(why.clone()), None),
        GreetOutcome::Greeted { text, lookup, call } => {
            (Some(text.clone()), None, Some((*lookup, *call)))
        }
    };
    GreetingJson {
        at: json::time(greeting.at),
        name: greeting.name.clone(),
        greeting: text,
        error,
        lookup_ms: times.map(|(lookup, _)| json::ms(lookup)),
        call_ms: times.map(|(_, call)| json::ms(call)),
    }
}

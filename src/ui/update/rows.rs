//! Lists: moving in them, filtering them, and what of them can be copied and exported.

use crate::ui::pane::Pane;
use crate::{
    queue::{query::Filter, task::Timestamp},
    ui::{
        effect::{Effect, Rows},
        model::{Model, greeter::GreetOutcome, list::Motion},
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
            return Ok(vec![Effect::Tasks(model.tasks.show(filter, text, order))]);
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
            let place = model
                .events
                .place(lines.len(), model.events.selection.height);
            lines.get(place.at).map(|line| line.text.clone())
        }
    }
}

/// A file name that says what it is and when.
pub(super) fn export_name(model: &Model, pane: Pane) -> String {
    let at = model.local(model.now).strftime("%Y%m%d-%H%M%S");
    format!("distro-tui-{}-{at}.json", pane.title().to_lowercase())
}

/// What a pane holds, as rows of a table.
pub(super) fn export_rows(model: &Model, pane: Pane) -> Rows {
    let text = |time: Timestamp| {
        model
            .local(time)
            .strftime("%Y-%m-%dT%H:%M:%S%.6f%:z")
            .to_string()
    };
    let (columns, rows): (Vec<&'static str>, Vec<Vec<String>>) = match pane {
        Pane::Tasks => {
            return Rows::Tasks {
                filter: model.tasks.filter.clone(),
                order: model.tasks.order,
            };
        }
        Pane::Names => (
            vec!["name", "uri", "owner", "health", "lease_ms", "metadata"],
            model
                .names
                .rows()
                .iter()
                .map(|r| {
                    vec![
                        r.name.clone(),
                        r.uri.clone(),
                        r.owner.to_string(),
                        r.health.as_str().to_owned(),
                        r.lease_ms.map_or(String::new(), |ms| ms.to_string()),
                        r.tags.join(" "),
                    ]
                })
                .collect(),
        ),
        Pane::Greeter => (
            vec!["at", "name", "greeting", "error", "lookup_us", "call_us"],
            model
                .greeter
                .history
                .iter()
                .map(|g| {
                    let (greeting, error, lookup, call) = match &g.outcome {
                        GreetOutcome::UnderWay => (String::new(), String::new(), None, None),
                        GreetOutcome::Failed(why) => (String::new(), why.clone(), None, None),
                        GreetOutcome::Greeted { text, lookup, call } => {
                            (text.clone(), String::new(), Some(*lookup), Some(*call))
                        }
                    };
                    let micros = |time: Option<std::time::Duration>| {
                        time.map_or(String::new(), |t| t.as_micros().to_string())
                    };
                    vec![
                        text(g.at),
                        g.name.clone(),
                        greeting,
                        error,
                        micros(lookup),
                        micros(call),
                    ]
                })
                .collect(),
        ),
        Pane::Workers => (
            vec![
                "worker",
                "state",
                "task",
                "done",
                "failed",
                "cancelled",
                "busy_percent",
                "started_at",
            ],
            model
                .data()
                .overview
                .workers
                .iter()
                .map(|w| {
                    vec![
                        w.id.to_string(),
                        w.state.word().to_owned(),
                        w.current
                            .as_ref()
                            .map_or(String::new(), |c| c.id.to_string()),
                        w.done.to_string(),
                        w.failed.to_string(),
                        w.cancelled.to_string(),
                        format!("{:.1}", w.busy_share(model.now) * 100.0),
                        text(w.started_at),
                    ]
                })
                .collect(),
        ),
        Pane::Events => (
            vec!["at", "kind", "text"],
            model
                .data()
                .log
                .matching(&model.events.filter)
                .into_iter()
                .map(|l| vec![text(l.at), l.kind.word().to_owned(), l.text.clone()])
                .collect(),
        ),
    };
    Rows::Table { columns, rows }
}

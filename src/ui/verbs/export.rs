//! `export`: writes the rows of a pane to a file.

use std::path::PathBuf;

use super::{Action, ActionSpec, Scope, prompt};
use crate::{
    export::{self, ExportTable},
    files,
    json::{self, EventJson, GreetingJson, WorkerJson},
    node::NodeHandle,
    text::pluralize,
    ui::{
        effect::{Effect, EffectDone, Export, ExportRows},
        model::{
            Model,
            events::{Kind, LogLine},
            greeter::{GreetOutcome, Greeting},
            layer::PromptKind,
        },
        pane::Pane,
    },
};

pub(super) const SPEC: ActionSpec = ActionSpec {
    action: Action::Export,
    name: "export",
    keys: &[(&[Scope::Panes], &["e"])],
    hint: "export",
    text: "write the rows of this pane to a .json or .csv file",
    argument: "[FILE]",
    kind: Kind::Program,
    press: |model, file| {
        let pane = model.focus;
        let name = file_name(model, pane);
        prompt::open(model, PromptKind::Export(pane), &name, file)
    },
    ..ActionSpec::BASE
};

/// Reads a file name as it was typed.
pub(super) fn typed(model: &Model, pane: Pane, text: &str) -> Result<Vec<Effect>, String> {
    let path = PathBuf::from(text.trim());
    match path.extension().and_then(|e| e.to_str()) {
        Some("json" | "csv") => Ok(vec![Effect::Export(Export {
            pane,
            path,
            rows: rows(model, pane),
        })]),
        _ => Err("the file name must end in .json or .csv".to_owned()),
    }
}

pub(crate) async fn run(node: &NodeHandle, export: Export) -> EffectDone {
    let path = export.path.clone();
    let written = match export.rows {
        ExportRows::Table(table) => export::table(export.path, table).await,
        ExportRows::Tasks { filter, order } => {
            export::tasks(&*node.broker(), export.path, filter, order).await
        }
    };
    let result = written
        .map(|rows| format!("{} written to {}", pluralize(rows, "row"), path.display()))
        .map_err(|error| files::describe_file_error(&path, &error));
    EffectDone::new(Action::Export, "export", result)
}

/// A file name with the pane and the time.
fn file_name(model: &Model, pane: Pane) -> String {
    let at = model.local(model.now).strftime("%Y%m%d-%H%M%S");
    format!("distro-tui-{}-{at}.json", pane.title().to_lowercase())
}

/// The rows of a pane to export.
pub(crate) fn rows(model: &Model, pane: Pane) -> ExportRows {
    let data = model.data();
    ExportRows::Table(match pane {
        Pane::Tasks => {
            return ExportRows::Tasks {
                filter: model.tasks.filter.clone(),
                order: model.tasks.order,
            };
        }
        Pane::Names => ExportTable::Names(model.names.rows().to_vec()),
        Pane::Greeter => {
            ExportTable::Greetings(model.greeter.history.iter().map(greeting).collect())
        }
        Pane::Workers => {
            let workers = data.overview.workers.iter();
            ExportTable::Workers(
                workers
                    .map(|w| WorkerJson::new(w, model.shown_at()))
                    .collect(),
            )
        }
        Pane::Events => {
            let lines = data.log.matching(&model.events.filter).into_iter();
            let event = |line: &LogLine| EventJson {
                at: json::time(line.at),
                kind: line.kind.as_str(),
                text: line.text.clone(),
            };
            ExportTable::Events(lines.map(event).collect())
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

//! `tasks watch`

use std::{process::ExitCode, sync::Arc};

use serde::Serialize;

use crate::{
    command::{CmdError, CmdResult, output::Output},
    json::{IdJson, ms},
    queue::{broker::Broker, event::Event},
    text::{fmt_duration, pluralize},
};

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum TaskEventJson {
    Submitted {
        id: IdJson,
        name: Arc<str>,
    },
    Started {
        id: IdJson,
        worker: String,
    },
    Finished {
        id: IdJson,
        name: Arc<str>,
        state: &'static str,
        worker: Option<String>,
        run_ms: f64,
    },
    Requeued {
        id: IdJson,
    },
    Duplicate {
        id: IdJson,
    },
    Purged {
        count: usize,
    },
    Paused {
        on: bool,
    },
    QueuePaused {
        on: bool,
    },
    Stuck {
        id: IdJson,
        worker: String,
    },
    Persistence {
        on: bool,
    },
    Worker {
        id: String,
        started: bool,
    },
    /// Events were dropped because they arrived too fast.
    Dropped {
        count: u64,
    },
}

/// Prints events until the command is interrupted.
pub(super) async fn run(broker: &dyn Broker, mut out: Output) -> CmdResult {
    let events = broker.subscribe();
    while let Some(batch) = events.next().await {
        if batch.dropped > 0 {
            let count = batch.dropped;
            print(
                &mut out,
                &TaskEventJson::Dropped { count },
                &format!("{count} events dropped"),
            )?;
        }
        for event in batch.events.iter().cloned() {
            let (json, text) = describe(event);
            print(&mut out, &json, &text)?;
        }
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(out: &mut Output, event: &TaskEventJson, text: &str) -> Result<(), CmdError> {
    if out.json {
        out.document(event)?;
    } else {
        out.line(text)?;
    }
    Ok(())
}

fn describe(event: Event) -> (TaskEventJson, String) {
    match event {
        Event::Submitted { id, name } => {
            let text = format!("{id} {name} submitted");
            let id = id.into();
            (TaskEventJson::Submitted { id, name }, text)
        }
        Event::Started { id, worker, .. } => {
            let text = format!("{id} started on {worker}");
            let (id, worker) = (id.into(), worker.to_string());
            (TaskEventJson::Started { id, worker }, text)
        }
        Event::Finished {
            id,
            name,
            state,
            worker,
            run_time,
        } => {
            let on = worker
                .as_ref()
                .map_or(String::new(), |worker| format!(" on {worker}"));
            let text = format!("{id} {state}{on} after {}", fmt_duration(run_time));
            let json = TaskEventJson::Finished {
                id: id.into(),
                name,
                state: state.as_str(),
                worker: worker.map(|worker| worker.to_string()),
                run_ms: ms(run_time),
            };
            (json, text)
        }
        Event::Requeued { id } => {
            let text = format!("{id} requeued");
            (TaskEventJson::Requeued { id: id.into() }, text)
        }
        Event::Duplicate { id } => {
            let text = format!("{id} submitted again: deduplicated");
            (TaskEventJson::Duplicate { id: id.into() }, text)
        }
        Event::Purged { count } => (
            TaskEventJson::Purged { count },
            format!("{} purged", pluralize(count, "task")),
        ),
        Event::Paused(on) => (
            TaskEventJson::Paused { on },
            either(on, "paused", "resumed"),
        ),
        Event::QueuePaused(on) => (
            TaskEventJson::QueuePaused { on },
            either(on, "a queue was paused", "a queue was resumed"),
        ),
        Event::Stuck { id, worker } => {
            let text = format!("{id} is stuck on {worker}");
            let (id, worker) = (id.into(), worker.to_string());
            (TaskEventJson::Stuck { id, worker }, text)
        }
        Event::Persistence(on) => (
            TaskEventJson::Persistence { on },
            either(
                on,
                "changes are persisted again",
                "changes cannot be persisted",
            ),
        ),
        Event::Worker { id, started } => {
            let text = format!("{id} {}", either(started, "started", "stopped"));
            let id = id.to_string();
            (TaskEventJson::Worker { id, started }, text)
        }
    }
}

fn either(on: bool, yes: &str, no: &str) -> String {
    if on { yes } else { no }.to_owned()
}

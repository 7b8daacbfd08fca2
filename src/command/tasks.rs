//! `tasks`

use std::{process::ExitCode, sync::Arc};

use serde::Serialize;

use super::{CmdError, CmdResult, Ctx, output::Output};
use crate::{
    cli::{OutputArgs, TaskSelector, Tasks},
    export,
    json::{IdJson, TaskJson, ms, time},
    queue::{
        broker::{Broker, BulkAction},
        event::Event,
        id::TaskId,
        paging::fetch_full_page,
        query::{Filter, MAX_PAGE, Order, PageStart, Query},
        task::Task,
    },
    text::{fmt_duration, pluralize},
};

pub(super) fn run(given: &Ctx<'_>, tasks: Tasks) -> CmdResult {
    given.with(|session| async move {
        let done = ask(session.handle().broker(), tasks).await;
        (session, done)
    })
}

async fn ask(broker: Arc<dyn Broker>, tasks: Tasks) -> CmdResult {
    match tasks {
        Tasks::List {
            filter,
            sort,
            limit,
            out,
        } => {
            let query = Query {
                filter: read_filter(&filter)?,
                order: read_order(&sort)?,
                from: PageStart::First,
                limit,
            };
            list(&*broker, query, Output::new(out)).await
        }
        Tasks::Show { id, out } => show(&*broker, read_id(&id)?, out).await,
        Tasks::Cancel(which) => each(&*broker, BulkAction::Cancel, which).await,
        Tasks::Retry(which) => each(&*broker, BulkAction::Retry, which).await,
        Tasks::Purge(which) => each(&*broker, BulkAction::Purge, which).await,
        Tasks::Watch(out) => watch(&*broker, Output::new(out)).await,
        Tasks::Export {
            file,
            filter,
            sort,
            out,
        } => {
            #[derive(Serialize)]
            struct Written {
                file: String,
                tasks: usize,
            }
            match file.extension().and_then(|e| e.to_str()) {
                Some("json" | "csv") => {}
                _ => {
                    let why = "the file's name must end in .json or .csv";
                    return Err(CmdError::Usage(why.to_owned()));
                }
            }
            let (filter, order) = (read_filter(&filter)?, read_order(&sort)?);
            let rows = export::tasks(&*broker, file.clone(), filter, order).await;
            let rows = rows.map_err(|e| CmdError::Failed(export::describe_error(&file, &e)))?;
            let file = file.display().to_string();
            let told = format!("{} written to {file}", pluralize(rows, "task"));
            Ok(Output::new(out).print_result(&Written { file, tasks: rows }, &told)?)
        }
    }
}

fn read_filter(words: &[String]) -> Result<Filter, CmdError> {
    Filter::parse(&words.join(" ")).map_err(CmdError::Usage)
}

fn read_order(word: &str) -> Result<Order, CmdError> {
    let found = Order::ALL.into_iter().find(|order| order.as_str() == word);
    let words = "newest, oldest, state or slowest";
    found.ok_or_else(|| CmdError::Usage(format!("`{word}` is no order: sort by {words}")))
}

/// `5`, `#5`, or a UUID.
fn read_id(text: &str) -> Result<TaskId, CmdError> {
    let wrong = || CmdError::Usage(format!("`{text}` is no task: write its number, such as 5"));
    let plain = text.trim().trim_start_matches('#');
    let id = match plain.len() {
        36 => u128::from_str_radix(&plain.replace('-', ""), 16).ok(),
        _ => plain.parse().ok(),
    };
    id.map(TaskId).ok_or_else(wrong)
}

async fn list(broker: &dyn Broker, mut query: Query, mut out: Output) -> CmdResult {
    let mut left = query.limit;
    let mut tasks: Vec<Task> = Vec::new();
    while left > 0 {
        query.limit = left.min(MAX_PAGE);
        let page = fetch_full_page(broker, query.clone()).await?;
        let Some(last) = page.tasks.last() else { break };
        query.from = PageStart::After(query.order.cursor(last));
        left -= page.tasks.len().min(left);
        tasks.extend(page.tasks);
    }
    if out.json {
        let shapes: Vec<TaskJson<'_>> = tasks.iter().map(TaskJson::from).collect();
        out.document(&shapes)?;
    } else {
        let rows: Vec<_> = tasks.iter().map(row).collect();
        let headings = [
            "ID",
            "STATE",
            "TASK",
            "ARGUMENTS",
            "RESULT",
            "TOOK",
            "WORKER",
        ];
        out.table(&headings, &rows)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn row(task: &Task) -> Vec<String> {
    let result = task.result.as_deref().or(task.error.as_deref());
    let first = result.unwrap_or_default().lines().next();
    vec![
        task.id.to_string(),
        task.state.as_str().to_owned(),
        task.name.to_string(),
        task.args.to_string(),
        first.unwrap_or_default().to_owned(),
        task.run_time.map_or(String::new(), fmt_duration),
        task.worker.map_or(String::new(), |w| w.to_string()),
    ]
}

async fn show(broker: &dyn Broker, id: TaskId, out: OutputArgs) -> CmdResult {
    let task = broker.get(id).await?;
    let task = task.ok_or_else(|| {
        CmdError::NotFound(format!("there is no task {id}; it may have been purged"))
    })?;
    let mut out = Output::new(out);
    if out.json {
        out.document(&TaskJson::from(&task))?;
    } else {
        out.facts(&facts(&task))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn facts(task: &Task) -> Vec<(&'static str, String)> {
    let at = |at: Option<_>| at.and_then(time).unwrap_or_default();
    let attempts = format!("{} of {}", task.attempts, task.max_attempts);
    let facts = [
        ("task", task.id.to_string()),
        ("state", task.state.as_str().to_owned()),
        ("runs", format!("{} {}", task.name, task.args)),
        (
            "result",
            task.result.as_deref().unwrap_or_default().to_owned(),
        ),
        (
            "error",
            task.error.as_deref().unwrap_or_default().to_owned(),
        ),
        (
            "key",
            task.key
                .as_ref()
                .map_or(String::new(), |key| key.text.to_string()),
        ),
        (
            "queue",
            task.queue.as_deref().unwrap_or_default().to_owned(),
        ),
        ("priority", task.priority.to_string()),
        ("attempts", attempts),
        (
            "worker",
            task.worker.map_or(String::new(), |w| w.to_string()),
        ),
        ("submitted", at(Some(task.submitted_at))),
        ("due", at(task.due_at)),
        ("started", at(task.started_at)),
        ("finished", at(task.finished_at)),
        ("waited", task.wait_time.map_or(String::new(), fmt_duration)),
        ("ran", task.run_time.map_or(String::new(), fmt_duration)),
    ];
    let log = task.attempts_history.iter().map(|attempt| {
        let worker = attempt.worker.map_or("?".to_owned(), |w| w.to_string());
        let text = format!(
            "{worker}, {}: {}",
            fmt_duration(attempt.run_time),
            attempt.error
        );
        ("attempt", text)
    });
    let told = facts.into_iter().filter(|(_, fact)| !fact.is_empty());
    told.chain(log).collect()
}

#[derive(Serialize)]
struct Did {
    done: usize,
    skipped: usize,
}

/// One by number tells why it could not be done; many are done together.
async fn each(broker: &dyn Broker, deed: BulkAction, which: TaskSelector) -> CmdResult {
    let TaskSelector { which, all, out } = which;
    let out = Output::new(out);
    let numbers: Result<Vec<TaskId>, CmdError> = which.iter().map(|text| read_id(text)).collect();
    let filter = match numbers {
        Ok(ids) if ids.len() == 1 && deed != BulkAction::Purge => {
            let id = ids[0];
            let state = match deed {
                BulkAction::Cancel => broker.cancel(id).await?,
                BulkAction::Retry | BulkAction::Purge => broker.retry(id).await?,
            };
            #[derive(Serialize)]
            struct One {
                id: IdJson,
                state: &'static str,
            }
            let told = format!("{id} is {state}");
            let (id, state) = (id.into(), state.as_str());
            return Ok(out.print_result(&One { id, state }, &told)?);
        }
        Ok(ids) if !all => Filter::by_ids(ids),
        _ if all => Filter::default(),
        _ => read_filter(&which)?,
    };
    let bulk = broker.bulk(deed, filter).await?;
    let did = match deed {
        BulkAction::Cancel => "cancelled or asked to stop",
        BulkAction::Retry => "queued again",
        BulkAction::Purge => "forgotten",
    };
    let facts = Did {
        done: bulk.done,
        skipped: bulk.skipped,
    };
    let skipped = match bulk.skipped {
        0 => String::new(),
        n => format!(", {n} skipped"),
    };
    Ok(out.print_result(&facts, &format!("{} {did}{skipped}", bulk.done))?)
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Seen {
    Submitted {
        id: IdJson,
        count: usize,
    },
    Started {
        id: IdJson,
        worker: String,
    },
    Ended {
        id: IdJson,
        state: &'static str,
        worker: Option<String>,
        ran_ms: f64,
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
    /// Events that came too fast were left out.
    Missed {
        count: u64,
    },
}

async fn watch(broker: &dyn Broker, mut out: Output) -> CmdResult {
    let events = broker.subscribe();
    while let Some(batch) = events.next().await {
        if batch.dropped > 0 {
            let count = batch.dropped;
            say(
                &mut out,
                &Seen::Missed { count },
                &format!("{count} events missed"),
            )?;
        }
        for event in batch.events {
            let (seen, text) = told(event);
            say(&mut out, &seen, &text)?;
        }
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn say(out: &mut Output, seen: &Seen, text: &str) -> Result<(), CmdError> {
    if out.json {
        out.document(seen)?;
    } else {
        out.line(text)?;
    }
    Ok(())
}

fn told(event: Event) -> (Seen, String) {
    match event {
        Event::Submitted { first, count } => {
            let text = match count {
                1 => format!("{first} submitted"),
                n => format!("{first} and {} more submitted", n - 1),
            };
            let id = first.into();
            (Seen::Submitted { id, count }, text)
        }
        Event::Started { id, worker } => {
            let text = format!("{id} started on {worker}");
            let (id, worker) = (id.into(), worker.to_string());
            (Seen::Started { id, worker }, text)
        }
        Event::Finished {
            id,
            state,
            worker,
            run_time,
        } => {
            let on = worker.map_or(String::new(), |worker| format!(" on {worker}"));
            let text = format!("{id} {state}{on} after {}", fmt_duration(run_time));
            let seen = Seen::Ended {
                id: id.into(),
                state: state.as_str(),
                worker: worker.map(|worker| worker.to_string()),
                ran_ms: ms(run_time),
            };
            (seen, text)
        }
        Event::Requeued { id } => (
            Seen::Requeued { id: id.into() },
            format!("{id} queued again"),
        ),
        Event::Duplicate { id } => (
            Seen::Duplicate { id: id.into() },
            format!("{id} submitted again while alive"),
        ),
        Event::Purged { count } => (Seen::Purged { count }, format!("{count} forgotten")),
        Event::Paused(on) => (Seen::Paused { on }, word(on, "paused", "resumed")),
        Event::QueuePaused(on) => (
            Seen::QueuePaused { on },
            word(on, "a queue is paused", "a queue is resumed"),
        ),
        Event::Stuck { id, worker } => {
            let text = format!("{id} is stuck on {worker}");
            let (id, worker) = (id.into(), worker.to_string());
            (Seen::Stuck { id, worker }, text)
        }
        Event::Persistence(on) => (
            Seen::Persistence { on },
            word(on, "changes are saved again", "changes cannot be saved"),
        ),
        Event::Worker { id, started } => {
            let text = format!("{id} {}", word(started, "started", "ended"));
            let id = id.to_string();
            (Seen::Worker { id, started }, text)
        }
    }
}

fn word(on: bool, yes: &str, no: &str) -> String {
    if on { yes } else { no }.to_owned()
}

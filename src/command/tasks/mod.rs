//! `tasks`

mod act;
mod watch;

use std::{path::Path, process::ExitCode, sync::Arc};

use serde::Serialize;

use super::{CmdError, CmdResult, Ctx, broker::with_broker, output::Output};
use crate::{
    cli::{Selection, TaskSelector, TasksCommand},
    export,
    json::{TaskJson, time},
    queue::{
        broker::{Broker, BulkAction},
        capabilities::Operation,
        error::BrokerError,
        id::TaskId,
        paging::fetch_full_page,
        query::{Filter, MAX_PAGE, PageStart, Query},
        task::Task,
    },
    text::{fmt_duration, pluralize},
};

pub(super) fn run(ctx: &Ctx<'_>, tasks: TasksCommand) -> CmdResult {
    let out = ctx.output();
    let needs = needs(&tasks)?;
    with_broker(ctx, &needs, |broker| run_command(broker, tasks, out))
}

/// Checks the arguments of a command, and returns the operations that it needs. Every broker has events.
fn needs(tasks: &TasksCommand) -> Result<Vec<Operation>, CmdError> {
    Ok(match tasks {
        TasksCommand::List { filter, .. } => {
            parse_filter(filter)?;
            vec![Operation::List]
        }
        TasksCommand::Export { file, filter, .. } => {
            parse_filter(filter)?;
            check_extension(file)?;
            vec![Operation::List]
        }
        TasksCommand::Show { .. } => vec![Operation::Get],
        TasksCommand::Cancel(selector) => vec![selected(selector, Operation::Cancel)?],
        TasksCommand::Retry(selector) => vec![selected(selector, Operation::Retry)?],
        TasksCommand::Purge(selector) => vec![selected(selector, Operation::Bulk)?],
        TasksCommand::Watch => Vec::new(),
    })
}

/// The operation on one task where ids are selected, otherwise on many.
fn selected(selector: &TaskSelector, single: Operation) -> Result<Operation, CmdError> {
    Ok(match selector.selection().map_err(CmdError::usage)? {
        Selection::Ids(_) => single,
        Selection::Filter(_) => Operation::Bulk,
    })
}

async fn run_command(broker: Arc<dyn Broker>, tasks: TasksCommand, out: Output) -> CmdResult {
    match tasks {
        TasksCommand::List {
            filter,
            sort,
            limit,
        } => {
            let query = Query {
                filter: parse_filter(&filter)?,
                order: sort,
                from: PageStart::First,
                limit,
            };
            list(&*broker, query, out).await
        }
        TasksCommand::Show { id } => show(&*broker, id, out).await,
        TasksCommand::Cancel(selector) => {
            act::run(&*broker, BulkAction::Cancel, selector, out).await
        }
        TasksCommand::Retry(selector) => act::run(&*broker, BulkAction::Retry, selector, out).await,
        TasksCommand::Purge(selector) => act::run(&*broker, BulkAction::Purge, selector, out).await,
        TasksCommand::Watch => watch::run(&*broker, out).await,
        TasksCommand::Export { file, filter, sort } => {
            #[derive(Serialize)]
            struct Written {
                file: String,
                tasks: usize,
            }
            let filter = parse_filter(&filter)?;
            let rows = export::tasks(&*broker, file.clone(), filter, sort).await;
            let rows = rows.map_err(|e| CmdError::file(&file, e))?;
            let file = file.display().to_string();
            let sentence = format!("{} written to {file}", pluralize(rows, "task"));
            Ok(out.print_result(&Written { file, tasks: rows }, &sentence)?)
        }
    }
}

fn check_extension(file: &Path) -> Result<(), CmdError> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("json" | "csv") => Ok(()),
        _ => Err(CmdError::usage("the file name must end in .json or .csv")),
    }
}

fn parse_filter(words: &[String]) -> Result<Filter, CmdError> {
    Filter::parse(&words.join(" ")).map_err(CmdError::usage)
}

async fn list(broker: &dyn Broker, mut query: Query, mut out: Output) -> CmdResult {
    let filtered = !query.filter.is_empty();
    let mut remaining = query.limit;
    let mut tasks: Vec<Task> = Vec::new();
    while remaining > 0 {
        query.limit = remaining.min(MAX_PAGE);
        let page = fetch_full_page(broker, query.clone()).await?;
        let Some(next) = query.next_page(&page) else {
            break;
        };
        query.from = next;
        remaining -= page.rows.len().min(remaining);
        tasks.extend(page.into_tasks());
    }
    if out.json {
        let json: Vec<TaskJson<'_>> = tasks.iter().map(TaskJson::from).collect();
        out.document(&json)?;
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
        let empty = if filtered {
            "no task matches"
        } else {
            "no tasks"
        };
        out.table(&headings, &rows, empty)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn row(task: &Task) -> Vec<String> {
    let output = task.output().unwrap_or_default();
    let first = output.lines().next();
    vec![
        task.id.to_string(),
        task.state.as_str().to_owned(),
        task.name.to_string(),
        task.payload.to_string(),
        first.unwrap_or_default().to_owned(),
        task.run_time.map_or(String::new(), fmt_duration),
        task.worker
            .as_ref()
            .map_or(String::new(), ToString::to_string),
    ]
}

async fn show(broker: &dyn Broker, id: TaskId, mut out: Output) -> CmdResult {
    let task = broker.get(&id).await?;
    let task = task.ok_or(BrokerError::NotFound(id))?;
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
    let attempts = task.attempts_text();
    let facts = [
        ("task", task.id.to_string()),
        ("state", task.state.as_str().to_owned()),
        (
            "native",
            task.native_state.as_deref().unwrap_or_default().to_owned(),
        ),
        ("call", format!("{} {}", task.name, task.payload)),
        (
            "result",
            task.result.as_deref().unwrap_or_default().to_owned(),
        ),
        (
            "error",
            task.error
                .as_ref()
                .map_or(String::new(), |error| error.text().into_owned()),
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
            task.worker
                .as_ref()
                .map_or(String::new(), ToString::to_string),
        ),
        ("submitted", at(Some(task.submitted_at))),
        ("due", at(task.due_at)),
        ("started", at(task.started_at)),
        ("finished", at(task.finished_at)),
        (
            "wait time",
            task.wait_time.map_or(String::new(), fmt_duration),
        ),
        (
            "run time",
            task.run_time.map_or(String::new(), fmt_duration),
        ),
    ];
    let log = task.attempts_history.iter().map(|attempt| {
        let worker = attempt
            .worker
            .as_ref()
            .map_or("?".to_owned(), ToString::to_string);
        let text = format!(
            "{worker}, {}: {}",
            fmt_duration(attempt.run_time),
            attempt.error.text()
        );
        ("attempt", text)
    });
    let present = facts.into_iter().filter(|(_, fact)| !fact.is_empty());
    present.chain(log).collect()
}

//! `tasks`

mod watch;

use std::{process::ExitCode, sync::Arc};

use serde::Serialize;

use super::{CmdError, CmdResult, Ctx, output::Output};
use crate::{
    cli::{TaskSelector, TasksCommand},
    export,
    json::{IdJson, TaskJson, time},
    queue::{
        broker::{Broker, BulkAction, CancelOutcome},
        id::{ParseTaskIdError, TaskId},
        paging::fetch_full_page,
        query::{Filter, MAX_PAGE, PageStart, Query},
        state::State,
        task::Task,
    },
    text::{fmt_duration, pluralize},
};

pub(super) fn run(ctx: &Ctx<'_>, tasks: TasksCommand) -> CmdResult {
    let out = ctx.output();
    ctx.with_session(|session| async move {
        let result = run_command(session.handle().broker(), tasks, out).await;
        (session, result)
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
        TasksCommand::Show { id } => show(&*broker, parse_id(&id)?, out).await,
        TasksCommand::Cancel(selector) => act(&*broker, BulkAction::Cancel, selector, out).await,
        TasksCommand::Retry(selector) => act(&*broker, BulkAction::Retry, selector, out).await,
        TasksCommand::Purge(selector) => act(&*broker, BulkAction::Purge, selector, out).await,
        TasksCommand::Watch => watch::run(&*broker, out).await,
        TasksCommand::Export { file, filter, sort } => {
            #[derive(Serialize)]
            struct Written {
                file: String,
                tasks: usize,
            }
            match file.extension().and_then(|e| e.to_str()) {
                Some("json" | "csv") => {}
                _ => {
                    let why = "the name of the file must end in .json or .csv";
                    return Err(CmdError::usage(why.to_owned()));
                }
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

fn parse_filter(words: &[String]) -> Result<Filter, CmdError> {
    Filter::parse(&words.join(" ")).map_err(CmdError::usage)
}

/// Parses `5`, `#5`, or an external id such as a UUID.
fn parse_id(text: &str) -> Result<TaskId, CmdError> {
    let id = text.trim().parse();
    id.map_err(|error: ParseTaskIdError| CmdError::usage(error.to_string()))
}

async fn list(broker: &dyn Broker, mut query: Query, mut out: Output) -> CmdResult {
    let mut remaining = query.limit;
    let mut tasks: Vec<Task> = Vec::new();
    while remaining > 0 {
        query.limit = remaining.min(MAX_PAGE);
        let page = fetch_full_page(broker, query.clone()).await?;
        let Some(last) = page.tasks.last() else { break };
        query.from = PageStart::After(query.order.cursor(last));
        remaining -= page.tasks.len().min(remaining);
        tasks.extend(page.tasks);
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
        task.worker
            .as_ref()
            .map_or(String::new(), |w| w.to_string()),
    ]
}

async fn show(broker: &dyn Broker, id: TaskId, mut out: Output) -> CmdResult {
    let task = broker.get(&id).await?;
    let task =
        task.ok_or_else(|| CmdError::not_found(format!("no task {id}; it may have been purged")))?;
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
        ("call", format!("{} {}", task.name, task.args)),
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
            task.worker
                .as_ref()
                .map_or(String::new(), |w| w.to_string()),
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
            .map_or("?".to_owned(), |w| w.to_string());
        let text = format!(
            "{worker}, {}: {}",
            fmt_duration(attempt.run_time),
            attempt.error
        );
        ("attempt", text)
    });
    let present = facts.into_iter().filter(|(_, fact)| !fact.is_empty());
    present.chain(log).collect()
}

#[derive(Serialize)]
struct BulkJson {
    done: usize,
    skipped: usize,
}

/// Applies an action to tasks. For a single id the error says why it could not be applied.
async fn act(
    broker: &dyn Broker,
    action: BulkAction,
    selector: TaskSelector,
    out: Output,
) -> CmdResult {
    let TaskSelector { tasks, all } = selector;
    let ids: Result<Vec<TaskId>, CmdError> = tasks.iter().map(|text| parse_id(text)).collect();
    let filter = match ids {
        Ok(ids) if ids.len() == 1 && action != BulkAction::Purge => {
            let id = ids[0].clone();
            let state = match action {
                BulkAction::Cancel => match broker.cancel(&id).await? {
                    CancelOutcome::Cancelled => State::Cancelled,
                    CancelOutcome::Requested => State::Running,
                },
                BulkAction::Retry | BulkAction::Purge => broker.retry(&id).await?.state,
            };
            #[derive(Serialize)]
            struct TaskStateJson {
                id: IdJson,
                state: &'static str,
            }
            let sentence = format!("{id} is {state}");
            let (id, state) = (id.into(), state.as_str());
            return Ok(out.print_result(&TaskStateJson { id, state }, &sentence)?);
        }
        Ok(ids) if !all => Filter::by_ids(ids),
        _ if all => Filter::default(),
        _ => parse_filter(&tasks)?,
    };
    let bulk = broker.bulk(action, filter).await?;
    let verb = match action {
        BulkAction::Cancel => "cancelled or requested to stop",
        BulkAction::Retry => "requeued",
        BulkAction::Purge => "purged",
    };
    let facts = BulkJson {
        done: bulk.done,
        skipped: bulk.skipped,
    };
    let skipped = match bulk.skipped {
        0 => String::new(),
        n => format!(", {n} skipped"),
    };
    Ok(out.print_result(
        &facts,
        &format!("{} {verb}{skipped}", pluralize(bulk.done, "task")),
    )?)
}

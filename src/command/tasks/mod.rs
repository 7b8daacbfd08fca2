//! `tasks`

mod watch;

use std::{process::ExitCode, sync::Arc};

use serde::Serialize;

use super::{CmdError, CmdResult, Ctx, broker::with_broker, output::Output};
use crate::{
    cli::{Selection, TaskSelector, TasksCommand},
    export,
    json::{IdJson, TaskJson, time},
    queue::{
        broker::{Broker, BulkAction, CancelOutcome, RetryOutcome},
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

/// The operations that a command needs. Every broker has events.
fn needs(tasks: &TasksCommand) -> Result<Vec<Operation>, CmdError> {
    Ok(match tasks {
        TasksCommand::List { .. } | TasksCommand::Export { .. } => vec![Operation::List],
        TasksCommand::Show { .. } => vec![Operation::Get],
        TasksCommand::Cancel(selector) => vec![selected(selector, Operation::Cancel)?],
        TasksCommand::Retry(selector) => vec![selected(selector, Operation::Retry)?],
        TasksCommand::Purge(_) => vec![Operation::Bulk],
        TasksCommand::Watch => Vec::new(),
    })
}

/// The operation on one task where a single id is selected, otherwise on many.
fn selected(selector: &TaskSelector, single: Operation) -> Result<Operation, CmdError> {
    Ok(match selector.selection().map_err(CmdError::usage)? {
        Selection::Ids(ids) if ids.len() == 1 => single,
        _ => Operation::Bulk,
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
                    let why = "the file name must end in .json or .csv";
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

async fn list(broker: &dyn Broker, mut query: Query, mut out: Output) -> CmdResult {
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
        out.table(&headings, &rows)?;
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
    let attempts = format!("{} of {}", task.attempts, task.max_attempts);
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

#[derive(Serialize)]
struct CancelledJson {
    id: IdJson,
    outcome: CancelOutcome,
}

/// Describes whether one task is cancelled or was asked to stop.
fn describe_cancelled(id: &TaskId, outcome: CancelOutcome) -> (CancelledJson, String) {
    let text = match outcome {
        CancelOutcome::Cancelled => format!("{id} is cancelled"),
        CancelOutcome::Requested => format!("{id} was asked to stop"),
    };
    let id = id.clone().into();
    (CancelledJson { id, outcome }, text)
}

#[derive(Serialize)]
struct RetriedJson {
    id: IdJson,
    state: &'static str,
    /// The id of the task that runs, if it is a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    retried_as: Option<IdJson>,
}

/// Describes the state of a retried task, and its new id if it has one.
fn describe_retried(id: &TaskId, outcome: RetryOutcome) -> (RetriedJson, String) {
    let RetryOutcome { id: new, state } = outcome;
    let (text, retried_as) = match new == *id {
        true => (format!("{id} is {state}"), None),
        false => (format!("{id} is {state} again as {new}"), Some(new.into())),
    };
    let json = RetriedJson {
        id: id.clone().into(),
        state: state.as_str(),
        retried_as,
    };
    (json, text)
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
    let filter = match selector.selection().map_err(CmdError::usage)? {
        Selection::Ids(ids) => match (action, ids.as_slice()) {
            (BulkAction::Cancel, [id]) => {
                let (json, text) = describe_cancelled(id, broker.cancel(id).await?);
                return Ok(out.print_result(&json, &text)?);
            }
            (BulkAction::Retry, [id]) => {
                let (json, text) = describe_retried(id, broker.retry(id).await?);
                return Ok(out.print_result(&json, &text)?);
            }
            _ => Filter::by_ids(ids),
        },
        Selection::Filter(filter) => filter,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::queue::state::State;

    #[test]
    fn a_running_task_was_asked_to_stop() {
        let described = describe_cancelled(&TaskId::Sequence(5), CancelOutcome::Requested);
        let json = serde_json::to_value(&described.0).expect("serializes");
        assert_eq!(json, json!({"id": 5, "outcome": "requested"}));
        assert_eq!(described.1, "#5 was asked to stop");
    }

    #[test]
    fn a_retried_task_names_its_new_id() {
        let id = TaskId::Sequence(5);
        let outcome = |id: &TaskId| RetryOutcome {
            id: id.clone(),
            state: State::Queued,
        };
        let same = describe_retried(&id, outcome(&id));
        let json = serde_json::to_value(&same.0).expect("serializes");
        assert_eq!(json, json!({"id": 5, "state": "queued"}));
        assert_eq!(same.1, "#5 is queued");

        let new = TaskId::External("9f-1".into());
        let renamed = describe_retried(&id, outcome(&new));
        let json = serde_json::to_value(&renamed.0).expect("serializes");
        assert_eq!(
            json,
            json!({"id": 5, "state": "queued", "retried_as": "9f-1"})
        );
        assert_eq!(renamed.1, "#5 is queued again as 9f-1");
    }
}

//! `tasks cancel`, `tasks retry` and `tasks purge`

use std::process::ExitCode;

use serde::Serialize;

use crate::{
    cli::{Selection, TaskSelector},
    command::{
        CmdError, CmdResult,
        error::ErrorJson,
        output::{Output, print_stderr},
    },
    json::IdJson,
    queue::{
        broker::{Broker, BulkAction, CancelOutcome, RetryOutcome},
        error::BrokerError,
        id::TaskId,
        query::Filter,
    },
    text::pluralize,
};

/// The exit code if an action failed on one of several tasks.
const SOME_FAILED: u8 = 1;

/// The outcome of an action on one task.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum OutcomeJson {
    Cancelled {
        id: IdJson,
        outcome: CancelOutcome,
    },
    Retried {
        id: IdJson,
        state: &'static str,
        /// The id of the task that runs, if it is a new one.
        #[serde(skip_serializing_if = "Option::is_none")]
        retried_as: Option<IdJson>,
    },
    Purged {
        id: IdJson,
        outcome: &'static str,
    },
    Failed {
        id: IdJson,
        error: ErrorJson,
    },
}

#[derive(Serialize)]
struct BulkJson {
    done: usize,
    skipped: usize,
    /// The reasons why the first of them were skipped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

/// Applies an action to the selected tasks. Every id that was given gets a result or an error of its own.
pub(super) async fn run(
    broker: &dyn Broker,
    action: BulkAction,
    selector: TaskSelector,
    out: Output,
) -> CmdResult {
    match selector.selection().map_err(CmdError::usage)? {
        Selection::Ids(ids) => match ids.as_slice() {
            [id] => {
                let (json, text) = act_on(broker, action, id).await?;
                Ok(out.print_result(&json, &text)?)
            }
            ids => act_on_each(broker, action, ids, out).await,
        },
        Selection::Filter(filter) => act_on_matching(broker, action, filter, out).await,
    }
}

async fn act_on(
    broker: &dyn Broker,
    action: BulkAction,
    id: &TaskId,
) -> Result<(OutcomeJson, String), CmdError> {
    Ok(match action {
        BulkAction::Cancel => describe_cancelled(id, broker.cancel(id).await?),
        BulkAction::Retry => describe_retried(id, broker.retry(id).await?),
        BulkAction::Purge => {
            purge(broker, id).await?;
            let outcome = OutcomeJson::Purged {
                id: id.clone().into(),
                outcome: "purged",
            };
            (outcome, format!("{id} is purged"))
        }
    })
}

/// Purges one task, or says why it cannot be purged.
async fn purge(broker: &dyn Broker, id: &TaskId) -> Result<(), CmdError> {
    let filter = Filter::by_ids([id.clone()]);
    if broker.bulk(BulkAction::Purge, filter).await?.done > 0 {
        return Ok(());
    }
    Err(match broker.get(id).await? {
        None => BrokerError::NotFound(id.clone()).into(),
        Some(task) => CmdError::refused(format!(
            "{id} {} and cannot be purged; cancel it first",
            task.state.clause()
        )),
    })
}

async fn act_on_each(
    broker: &dyn Broker,
    action: BulkAction,
    ids: &[TaskId],
    mut out: Output,
) -> CmdResult {
    let mut failed = false;
    let mut results = Vec::new();
    for id in ids {
        let error = match act_on(broker, action, id).await {
            Ok((json, text)) => {
                match out.json {
                    true => results.push(json),
                    false => out.line(&text)?,
                }
                continue;
            }
            // The remaining ids would get the same error.
            Err(error @ (CmdError::Unreachable(_) | CmdError::Denied(_))) => return Err(error),
            Err(error) => error,
        };
        failed = true;
        match out.json {
            true => results.push(OutcomeJson::Failed {
                id: id.clone().into(),
                error: error.to_json(),
            }),
            false => {
                // In the order of the ids.
                out.flush()?;
                print_stderr(format_args!("{error}"), true);
            }
        }
    }
    if out.json {
        out.document(&results)?;
    }
    out.flush()?;
    Ok(ExitCode::from(if failed { SOME_FAILED } else { 0 }))
}

async fn act_on_matching(
    broker: &dyn Broker,
    action: BulkAction,
    filter: Filter,
    out: Output,
) -> CmdResult {
    let bulk = broker.bulk(action, filter).await?;
    let verb = match action {
        BulkAction::Cancel => "cancelled or requested to stop",
        BulkAction::Retry => "requeued",
        BulkAction::Purge => "purged",
    };
    let skipped = bulk.skipped_text();
    let text = format!("{} {verb}{skipped}", pluralize(bulk.done, "task"));
    let json = BulkJson {
        done: bulk.done,
        skipped: bulk.skipped,
        reasons: bulk.reasons.iter().map(ToString::to_string).collect(),
    };
    Ok(out.print_result(&json, &text)?)
}

/// Describes the cancellation of one task, which ends it or asks it to stop.
fn describe_cancelled(id: &TaskId, outcome: CancelOutcome) -> (OutcomeJson, String) {
    let text = match outcome {
        CancelOutcome::Cancelled => format!("{id} is cancelled"),
        CancelOutcome::Requested => format!("{id} was asked to stop"),
    };
    let id = id.clone().into();
    (OutcomeJson::Cancelled { id, outcome }, text)
}

/// Describes the state of a retried task, and its new id if it has one.
fn describe_retried(id: &TaskId, outcome: RetryOutcome) -> (OutcomeJson, String) {
    let RetryOutcome { id: new, state } = outcome;
    let (text, retried_as) = match new == *id {
        true => (format!("{id} is {state}"), None),
        false => (format!("{id} is {state} again as {new}"), Some(new.into())),
    };
    let json = OutcomeJson::Retried {
        id: id.clone().into(),
        state: state.as_str(),
        retried_as,
    };
    (json, text)
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

//! `add` and `submit`: one task, or a stream of them in bounded memory.

mod stream;

use std::{io, process::ExitCode, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::{
    CmdError, CmdResult, Ctx,
    broker::{check_options, with_broker},
    output::Output,
    stdin::stdin_is_piped,
};
use crate::{
    cli::{AddArgs, SubmissionArgs, SubmitArgs},
    input::{addition, submission},
    json::{IdJson, JsonText},
    queue::{
        broker::Broker,
        capabilities::Operation,
        event::Subscription,
        id::TaskId,
        state::State,
        task::{NewTask, Task},
    },
};

/// Events may be dropped when they arrive too fast, so the state is read at least this often.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Parses a line, with the flags as the base of its options.
type ParseLine<'a> = &'a (dyn Fn(&str) -> Result<NewTask, String> + Sync);

pub(super) fn add(ctx: &Ctx<'_>, add: &AddArgs) -> CmdResult {
    let flags = add.submit.flags.options(&jiff::ZonedDateTime::now());
    let flags = flags.map_err(CmdError::usage)?;
    let parse = |line: &str| {
        let parsed = addition::parse(line, &flags, &jiff::ZonedDateTime::now());
        let mut addition = parsed.map_err(|error| error.why)?;
        addition.add.seconds = addition.add.seconds.or(add.seconds);
        Ok(addition.task())
    };
    let usage = "no numbers given: write distro-tui add 2 3, or pipe lines such as `2 3` into it";
    run(ctx, &add.numbers, &add.submit, &parse, usage)
}

pub(super) fn submit(ctx: &Ctx<'_>, submit: &SubmitArgs) -> CmdResult {
    let flags = submit.submit.flags.options(&jiff::ZonedDateTime::now());
    let flags = flags.map_err(CmdError::usage)?;
    let parse = |line: &str| submission::parse(line, &flags, &jiff::ZonedDateTime::now());
    let usage = "no task given: write distro-tui submit add '[2,3]', or pipe lines such as `add [2,3]` \
         into it";
    run(ctx, &submit.task, &submit.submit, &parse, usage)
}

/// Submits the task that `words` describe, or one per line of standard input when there are none.
fn run(
    ctx: &Ctx<'_>,
    words: &[String],
    args: &SubmissionArgs,
    parse: ParseLine<'_>,
    usage: &str,
) -> CmdResult {
    let timeout = args.timeout;
    if timeout.is_some() && words.is_empty() {
        let why = "--timeout is for one task; for lines from stdin use timeout(1)";
        return Err(CmdError::usage(why.to_owned()));
    }
    if words.is_empty() && !stdin_is_piped() {
        return Err(CmdError::usage(usage.to_owned()));
    }
    let one = match words {
        [] => None,
        words => Some(parse(&words.join(" ")).map_err(CmdError::usage)?),
    };
    let needs: &[Operation] = match args.wait {
        true => &[Operation::Submit, Operation::Get],
        false => &[Operation::Submit],
    };
    with_broker(ctx, needs, |broker| async move {
        let submitter = Submitter {
            out: ctx.output(),
            args,
            parse,
            timeout,
            broker,
        };
        match one {
            Some(task) => submitter.submit_one(task).await,
            None => submitter.submit_lines().await,
        }
    })
}

#[derive(Serialize)]
struct ReceiptJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    id: IdJson,
    deduplicated: bool,
}

#[derive(Serialize)]
struct ResultJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    id: IdJson,
    state: &'static str,
    result: Option<JsonText<'a>>,
    error: Option<&'a str>,
}

/// Submits tasks to the broker and prints their receipts or results.
struct Submitter<'a> {
    out: Output,
    args: &'a SubmissionArgs,
    parse: ParseLine<'a>,
    timeout: Option<Duration>,
    broker: Arc<dyn Broker>,
}

impl Submitter<'_> {
    async fn submit_one(mut self, task: NewTask) -> CmdResult {
        check_options(&*self.broker, &task)?;
        let events = self.args.wait.then(|| self.broker.subscribe());
        let receipts = self.broker.submit(vec![task]).await?;
        let Some(receipt) = receipts.into_iter().next() else {
            return Err(CmdError::failed(MISSING_RECEIPT.to_owned()));
        };
        let Some(events) = events else {
            let facts = ReceiptJson {
                line: None,
                id: receipt.id.clone().into(),
                deduplicated: receipt.deduplicated,
            };
            let note = match receipt.deduplicated {
                true => " exists already",
                false => "",
            };
            return Ok(self
                .out
                .print_result(&facts, &format!("{}{note}", receipt.id))?);
        };
        let deadline = self.timeout.map(|span| Instant::now() + span);
        let waiting = wait_until_finished(&*self.broker, &receipt.id, &events);
        let task = match deadline {
            None => waiting.await?,
            Some(deadline) => timeout_at(deadline, waiting).await.map_err(|_elapsed| {
                CmdError::failed(format!(
                    "{} has not finished in time and continues; see it with: distro-tui tasks show {}",
                    receipt.id,
                    as_argument(&receipt.id)
                ))
            })??,
        };
        let succeeded = task.state == State::Succeeded;
        if self.out.json {
            self.print_task(None, &task)?;
        } else if succeeded {
            self.out.line(task.result.as_deref().unwrap_or_default())?;
        } else {
            return Err(CmdError::refused(failure_text(&task)));
        }
        self.out.flush()?;
        Ok(ExitCode::from(if succeeded { 0 } else { 6 }))
    }

    fn print_task(&mut self, line: Option<u64>, task: &Task) -> io::Result<()> {
        self.out.document(&ResultJson {
            line,
            id: task.id.clone().into(),
            state: task.state.as_str(),
            result: task.result.as_deref().map(JsonText::new),
            error: task.error.as_ref().map(|error| &*error.message),
        })
    }
}

/// Returns an id as it is pasted into a shell, for which `#2` would begin a comment.
fn as_argument(id: &TaskId) -> String {
    match id {
        TaskId::Sequence(number) => number.to_string(),
        TaskId::External(text) => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// The broker returned fewer receipts than there were tasks.
const MISSING_RECEIPT: &str = "the broker returned no receipt";

async fn wait_until_finished(
    broker: &dyn Broker,
    id: &TaskId,
    events: &Subscription,
) -> Result<Task, CmdError> {
    loop {
        match broker.get(id).await? {
            Some(task) if task.state.is_finished() => return Ok(task),
            Some(_) => {}
            None => return Err(CmdError::not_found(purged_text(id))),
        }
        tokio::time::timeout(POLL_INTERVAL, events.next())
            .await
            .ok();
    }
}

fn purged_text(id: &TaskId) -> String {
    format!("{id} was purged before its result was read")
}

/// The state and error of a task without a result.
fn failure_text(task: &Task) -> String {
    match &task.error {
        Some(error) => format!("{} {}: {}", task.id, task.state, error.text()),
        None => format!("{} {}", task.id, task.state),
    }
}

//! `add`: one addition, or a stream of them in bounded memory.

mod stream;

use std::{io, process::ExitCode, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::{CmdError, CmdResult, Ctx, output::Output, stdin::piped};
use crate::{
    cli,
    input::addition::{self, Addition},
    json::{IdJson, Payload},
    queue::{
        broker::{Broker, Subscription},
        task::{Key, KeyPolicy, MAX_PRIORITY, NewTask, State, Task, TaskId, TaskOptions},
    },
    units,
};

/// Events may be left out when they come too fast, so it is looked again after this time.
const LOOK: Duration = Duration::from_millis(250);

pub(super) fn run(given: &Ctx<'_>, add: &cli::Add) -> CmdResult {
    let defaults = options(add)?;
    let timeout = add.timeout.as_deref().map(units::duration).transpose();
    let timeout = timeout.map_err(CmdError::Usage)?;
    if timeout.is_some() && add.numbers.is_empty() {
        let why = "--timeout is for one addition; for lines bound the whole with timeout(1)";
        return Err(CmdError::Usage(why.to_owned()));
    }
    if add.numbers.is_empty() && !piped() {
        let why = "which numbers? write distro-tui add 2 3, or pipe `X Y` a line into it";
        return Err(CmdError::Usage(why.to_owned()));
    }
    let one = match add.numbers.as_slice() {
        [] => None,
        words => Some(read(&words.join(" "), add, &defaults).map_err(CmdError::Usage)?),
    };
    given.with(|session| async move {
        let broker = session.access().broker();
        let work = Work {
            out: Output::new(add.out),
            add,
            defaults,
            timeout,
            broker,
        };
        let done = match one {
            Some(task) => work.one(task).await,
            None => work.stream().await,
        };
        (session, done)
    })
}

/// How tasks are to be run, as the options say.
fn options(add: &cli::Add) -> Result<TaskOptions, CmdError> {
    let mut options = TaskOptions::default();
    if let Some(text) = &add.countdown {
        options.delay = Some(units::duration(text).map_err(CmdError::Usage)?);
    }
    if let Some(text) = &add.key {
        let rule = match (add.unique, add.serial) {
            (true, _) => KeyPolicy::Unique,
            (_, true) => KeyPolicy::Serial,
            _ => KeyPolicy::Tag,
        };
        options.key = Some(Key {
            text: text.as_str().into(),
            rule,
        });
    }
    if let Some(priority) = add.priority {
        if priority > MAX_PRIORITY {
            let why = format!("--priority: {priority} is not a number from 0 to {MAX_PRIORITY}");
            return Err(CmdError::Usage(why));
        }
        options.priority = priority;
    }
    options.queue = add.queue.as_deref().map(Into::into);
    Ok(options)
}

/// An addition as it is typed anywhere; what the line does not say the options do.
fn read(text: &str, add: &cli::Add, defaults: &TaskOptions) -> Result<NewTask, String> {
    let now = jiff::Zoned::now();
    let Addition { add: sum, wishes } =
        addition::parse(text, &now).map_err(|mistake| mistake.why)?;
    let seconds = sum.seconds.or(add.seconds);
    let mut task = crate::queue::add::Add { seconds, ..sum }.task();
    task.options = merged(wishes.options, defaults);
    Ok(task)
}

/// What a line says, and for the rest what the options say.
fn merged(line: TaskOptions, defaults: &TaskOptions) -> TaskOptions {
    let usual = TaskOptions::default();
    let priority = match line.priority == usual.priority {
        true => defaults.priority,
        false => line.priority,
    };
    TaskOptions {
        queue: line.queue.or_else(|| defaults.queue.clone()),
        key: line.key.or_else(|| defaults.key.clone()),
        delay: line.delay.or(defaults.delay),
        priority,
        ..line
    }
}

#[derive(Serialize)]
struct Taken {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    id: IdJson,
    deduplicated: bool,
}

#[derive(Serialize)]
struct Ended<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    id: IdJson,
    state: &'static str,
    result: Option<Payload<'a>>,
    error: Option<&'a str>,
}

struct Work<'a> {
    out: Output,
    add: &'a cli::Add,
    defaults: TaskOptions,
    timeout: Option<Duration>,
    broker: Arc<dyn Broker>,
}

impl Work<'_> {
    async fn one(mut self, task: NewTask) -> CmdResult {
        let events = self.add.wait.then(|| self.broker.subscribe());
        let receipts = self.broker.submit(vec![task]).await?;
        let Some(receipt) = receipts.first().copied() else {
            return Err(CmdError::Failed("nothing was taken".to_owned()));
        };
        let Some(events) = events else {
            let facts = Taken {
                line: None,
                id: receipt.id.into(),
                deduplicated: receipt.deduplicated,
            };
            let there = match receipt.deduplicated {
                true => " was queued already",
                false => "",
            };
            return Ok(self.out.answer(&facts, &format!("{}{there}", receipt.id))?);
        };
        let by = self.timeout.map(|span| Instant::now() + span);
        let waiting = ended(&*self.broker, receipt.id, &events);
        let task = match by {
            None => waiting.await?,
            Some(by) => timeout_at(by, waiting).await.map_err(|_elapsed| {
                CmdError::Refused(format!(
                    "{} has not ended in time; it goes on: distro-tui tasks show {0}",
                    receipt.id
                ))
            })??,
        };
        let good = task.state == State::Succeeded;
        if self.out.json {
            self.ended(None, &task)?;
        } else if good {
            self.out.line(task.result.as_deref().unwrap_or_default())?;
        } else {
            return Err(CmdError::Refused(why(&task)));
        }
        self.out.flush()?;
        Ok(ExitCode::from(if good { 0 } else { 6 }))
    }

    fn ended(&mut self, line: Option<u64>, task: &Task) -> io::Result<()> {
        self.out.document(&Ended {
            line,
            id: task.id.into(),
            state: task.state.word(),
            result: task.result.as_deref().map(Payload::new),
            error: task.error.as_deref(),
        })
    }
}

/// Waits until a task has ended.
async fn ended(broker: &dyn Broker, id: TaskId, events: &Subscription) -> Result<Task, CmdError> {
    loop {
        match broker.get(id).await? {
            Some(task) if task.state.is_finished() => return Ok(task),
            Some(_) => {}
            None => {
                let why = format!("{id} was purged before its result was read");
                return Err(CmdError::NotFound(why));
            }
        }
        tokio::time::timeout(LOOK, events.next()).await.ok();
    }
}

/// Why a task gave no result.
fn why(task: &Task) -> String {
    match task.error.as_deref() {
        Some(error) => format!("{} {}: {error}", task.id, task.state),
        None => format!("{} {}", task.id, task.state),
    }
}

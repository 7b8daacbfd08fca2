//! `workers` and `queue`

use std::{process::ExitCode, sync::Arc};

use serde::Serialize;

use super::{CmdError, CmdResult, Ctx, output::Output};
use crate::{
    cli::{OutputArgs, Queue, Workers},
    json::{StatsJson, WorkerJson},
    queue::{
        broker::Broker,
        clock::Clock,
        state::State,
        stats::{Percentiles, Stats},
        worker::WorkerStatus,
    },
    text::{fmt_duration, pluralize},
    units::show_bytes,
};

/// Asks the broker something.
fn ask<T: Send, Asking>(
    given: &Ctx<'_>,
    ask: impl FnOnce(Arc<dyn Broker>) -> Asking,
) -> Result<T, CmdError>
where
    Asking: Future<Output = Result<T, CmdError>> + Send,
{
    given.with(|session| {
        let asking = ask(session.handle().broker());
        async move { (session, asking.await) }
    })
}

pub(super) fn run(given: &Ctx<'_>, workers: &Workers) -> CmdResult {
    match workers {
        Workers::List(out) => {
            let workers = ask(given, |broker| async move { Ok(broker.workers().await?) })?;
            list(&workers, *out)
        }
        Workers::Scale { count, out } => {
            #[derive(Serialize)]
            struct Scaled {
                workers: usize,
            }
            let count = *count;
            if count == 0 {
                let why = "one worker always stays; pause the queue instead";
                return Err(CmdError::Usage(why.to_owned()));
            }
            let workers = ask(given, move |broker| async move {
                Ok(broker.scale(count).await?)
            })?;
            let told = pluralize(workers, "worker");
            Ok(Output::new(*out).print_result(&Scaled { workers }, &told)?)
        }
    }
}

fn list(workers: &[WorkerStatus], out: OutputArgs) -> CmdResult {
    let mut out = Output::new(out);
    let now = Clock::start().now();
    if out.json {
        let shapes: Vec<_> = workers.iter().map(|w| WorkerJson::new(w, now)).collect();
        out.document(&shapes)?;
    } else {
        let row = |worker: &WorkerStatus| {
            let current = worker.current.as_ref();
            vec![
                worker.id.to_string(),
                worker.state.as_str().to_owned(),
                current.map_or(String::new(), |c| format!("{} {}", c.id, c.name)),
                current.map_or(String::new(), |c| fmt_duration(now.since(c.since))),
                format!("{:.0} %", worker.busy_share(now) * 100.0),
                worker.done.to_string(),
                worker.failed.to_string(),
            ]
        };
        let rows: Vec<_> = workers.iter().map(row).collect();
        let headings = ["WORKER", "STATE", "TASK", "FOR", "BUSY", "DONE", "FAILED"];
        out.table(&headings, &rows)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn queue(given: &Ctx<'_>, queue: &Queue) -> CmdResult {
    match queue {
        Queue::Pause { queue, out } => {
            let which = queue.clone();
            ask(given, |broker| async move {
                Ok(broker.pause(which.as_deref()).await?)
            })?;
            paused(*out, queue.as_deref(), true)
        }
        Queue::Resume { queue, out } => {
            let which = queue.clone();
            ask(given, |broker| async move {
                Ok(broker.resume(which.as_deref()).await?)
            })?;
            paused(*out, queue.as_deref(), false)
        }
        Queue::Stats(out) => {
            let stats = ask(given, |broker| async move { Ok(broker.stats().await?) })?;
            let mut out = Output::new(*out);
            if out.json {
                out.document(&StatsJson::from(&stats))?;
            } else {
                out.facts(&facts(&stats))?;
            }
            out.flush()?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What was done to a queue, or to all.
fn paused(out: OutputArgs, queue: Option<&str>, paused: bool) -> CmdResult {
    #[derive(Serialize)]
    struct Paused<'a> {
        queue: Option<&'a str>,
        paused: bool,
    }
    let which = queue.map_or("everything".to_owned(), |queue| format!("queue {queue}"));
    let how = if paused { "is paused" } else { "goes on" };
    Ok(Output::new(out).print_result(&Paused { queue, paused }, &format!("{which} {how}"))?)
}

fn facts(stats: &Stats) -> Vec<(&'static str, String)> {
    let counts = State::ALL.map(|state| (state.as_str(), stats.count(state).to_string()));
    let times = |times: Percentiles| match times.count {
        0 => "none yet".to_owned(),
        n => format!(
            "{n}, p50 {}, p95 {}, p99 {}, slowest {}",
            fmt_duration(times.p50),
            fmt_duration(times.p95),
            fmt_duration(times.p99),
            fmt_duration(times.max)
        ),
    };
    let paused = match (stats.paused, stats.paused_queues.join(", ")) {
        (true, _) => "everything".to_owned(),
        (false, queues) if queues.is_empty() => "nothing".to_owned(),
        (false, queues) => queues,
    };
    let trouble = stats.persist_error.clone();
    let rest = [
        ("paused", paused),
        ("workers", stats.desired_workers.to_string()),
        ("waits", times(stats.wait)),
        ("runs", times(stats.run)),
        (
            "keeps",
            format!(
                "{}, {}",
                stats.storage.durability,
                show_bytes(stats.storage.bytes)
            ),
        ),
        ("trouble", trouble.unwrap_or_else(|| "none".to_owned())),
    ];
    counts.into_iter().chain(rest).collect()
}

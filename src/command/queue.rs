//! `queue`

use std::process::ExitCode;

use serde::Serialize;

use super::{CmdResult, Ctx, broker::with_broker, output::Output};
use crate::{
    cli::QueueCommand,
    json::{QueueJson, StatsJson},
    queue::{
        capabilities::Operation,
        stats::{Percentiles, QueueStatus, Stats, StorageStats},
    },
    text::{fmt_duration, pluralize},
    units::fmt_bytes,
};

pub(super) fn run(ctx: &Ctx<'_>, queue: &QueueCommand) -> CmdResult {
    match queue {
        QueueCommand::Pause { queue } => {
            let which = queue.clone();
            with_broker(ctx, &[Operation::Pause], |broker| async move {
                Ok(broker.pause(which.as_deref()).await?)
            })?;
            print_paused(ctx.output(), queue.as_deref(), true)
        }
        QueueCommand::Resume { queue } => {
            let which = queue.clone();
            with_broker(ctx, &[Operation::Pause], |broker| async move {
                Ok(broker.resume(which.as_deref()).await?)
            })?;
            print_paused(ctx.output(), queue.as_deref(), false)
        }
        QueueCommand::List => {
            let queues = with_broker(ctx, &[Operation::Queues], |broker| async move {
                Ok(broker.queues().await?)
            })?;
            list(&queues, ctx.output())
        }
        QueueCommand::Stats => {
            let stats = with_broker(ctx, &[Operation::Stats], |broker| async move {
                Ok(broker.stats().await?)
            })?;
            let mut out = ctx.output();
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

fn list(queues: &[QueueStatus], mut out: Output) -> CmdResult {
    if out.json {
        let json: Vec<_> = queues.iter().map(QueueJson::from).collect();
        out.document(&json)?;
    } else {
        let row = |queue: &QueueStatus| {
            let consumers = queue.consumers.map(|count| count.to_string());
            let state = if queue.paused { "paused" } else { "active" };
            vec![
                queue.name.to_string(),
                queue.depth.to_string(),
                queue.in_flight.to_string(),
                consumers.unwrap_or_default(),
                state.to_owned(),
            ]
        };
        let rows: Vec<_> = queues.iter().map(row).collect();
        let headings = ["QUEUE", "DEPTH", "IN FLIGHT", "CONSUMERS", "STATE"];
        out.table(&headings, &rows, "no queues")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the state of a queue, or of all queues.
fn print_paused(out: Output, queue: Option<&str>, paused: bool) -> CmdResult {
    #[derive(Serialize)]
    struct Paused<'a> {
        queue: Option<&'a str>,
        paused: bool,
    }
    let which = match queue {
        Some(queue) => format!("queue {queue}"),
        None => "all queues".to_owned(),
    };
    let state = if paused { "paused" } else { "resumed" };
    Ok(out.print_result(&Paused { queue, paused }, &format!("{which} {state}"))?)
}

fn facts(stats: &Stats) -> Vec<(&'static str, String)> {
    let counts = stats.by_state();
    let counts = counts.map(|(state, _)| (state.as_str(), stats.tasks_in(state).to_string()));
    let times = |times: Percentiles| match times.count {
        0 => "no task measured".to_owned(),
        n => format!(
            "{} measured: p50 {}, p95 {}, p99 {}, max {}",
            pluralize(usize::try_from(n).unwrap_or(usize::MAX), "task"),
            fmt_duration(times.p50),
            fmt_duration(times.p95),
            fmt_duration(times.p99),
            fmt_duration(times.max)
        ),
    };
    let paused = match (stats.paused, stats.paused_queues.join(", ")) {
        (true, _) => "all queues".to_owned(),
        (false, queues) if queues.is_empty() => "none".to_owned(),
        (false, queues) => queues,
    };
    let rest = [
        ("paused", paused),
        ("workers", stats.desired_workers.to_string()),
        ("wait time", times(stats.wait)),
        ("run time", times(stats.run)),
    ];
    let storage = stats.storage.iter().flat_map(storage_facts);
    counts.chain(rest).chain(storage).collect()
}

fn storage_facts(storage: &StorageStats) -> [(&'static str, String); 2] {
    let bytes = fmt_bytes(storage.bytes);
    let durability = format!("{}, {bytes}", storage.durability);
    let error = storage.persist_error.as_deref().unwrap_or("none");
    [
        ("durability", durability),
        ("persist error", error.to_owned()),
    ]
}

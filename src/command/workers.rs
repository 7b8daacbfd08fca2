//! `workers`

use std::process::ExitCode;

use serde::Serialize;

use super::{CmdResult, Ctx, broker::with_broker, output::Output};
use crate::{
    cli::WorkersCommand,
    json::WorkerJson,
    queue::{capabilities::Operation, clock::Clock, worker::WorkerStatus},
    text::{fmt_duration, pluralize},
};

pub(super) fn run(ctx: &Ctx<'_>, workers: &WorkersCommand) -> CmdResult {
    match workers {
        WorkersCommand::List => {
            let workers = with_broker(ctx, &[Operation::Workers], |broker| async move {
                Ok(broker.workers().await?)
            })?;
            list(&workers, ctx.output())
        }
        WorkersCommand::Scale { count } => {
            #[derive(Serialize)]
            struct Scaled {
                workers: usize,
            }
            let count = *count;
            let workers = with_broker(ctx, &[Operation::Scale], move |broker| async move {
                Ok(broker.scale(count).await?)
            })?;
            let sentence = pluralize(workers, "worker");
            Ok(ctx.output().print_result(&Scaled { workers }, &sentence)?)
        }
    }
}

fn list(workers: &[WorkerStatus], mut out: Output) -> CmdResult {
    let now = Clock::start().now();
    if out.json {
        let json: Vec<_> = workers.iter().map(|w| WorkerJson::new(w, now)).collect();
        out.document(&json)?;
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
        let empty = "no workers; distro-tui workers scale COUNT starts some";
        out.table(&headings, &rows, empty)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

//! Tasks from the lines of standard input, with results in the order of the lines, in bounded memory.

use std::{
    collections::{HashMap, VecDeque},
    io,
    process::ExitCode,
};

use indicatif::ProgressBar;
use serde::Serialize;
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep, timeout},
};

use super::{MISSING_RECEIPT, POLL_INTERVAL, ReceiptJson, Submitter, failure_text, purged_text};
use crate::{
    command::{
        CmdError, CmdResult,
        broker::check_options,
        output::print_stderr,
        stdin::{self, NumberedLines},
    },
    queue::{
        error::BrokerError,
        event::Subscription,
        id::TaskId,
        paging::fetch_full_page,
        query::{Filter, Page, Query},
        state::State,
        task::{NewTask, Receipt, Task},
    },
};

/// Maximum tasks that are waited for at once; beyond it no more lines are read.
const WINDOW: usize = 10_000;
/// Tasks per request for results.
const PAGE: usize = 250;
/// Requests to a node that cannot be reached are retried for this long.
const RETRY_FOR: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct LineErrorJson<'a> {
    line: u64,
    error: &'a str,
}

impl Submitter<'_> {
    /// Reads lines to the end of input, with at most [`WINDOW`] tasks in flight.
    pub(super) async fn submit_lines(mut self) -> CmdResult {
        let events = self.args.wait.then(|| self.broker.subscribe());
        let bar = stdin::progress_bar(if self.args.wait {
            "finished"
        } else {
            "submitted"
        });
        let mut input = Some(stdin::read_lines());
        let mut pending = PendingLines::default();
        let mut more = false;
        while input.is_some() || !pending.waiting.is_empty() {
            let room = pending.waiting.len() < WINDOW;
            tokio::select! {
                biased;
                chunk = next_chunk(&mut input), if input.is_some() && room => {
                    match chunk {
                        Some(chunk) => {
                            let chunk = chunk.map_err(stdin::read_error)?;
                            self.submit_chunk(chunk, &mut pending).await?;
                        }
                        None => input = None,
                    }
                }
                () = std::future::ready(()), if more => {}
                () = next_event(events.as_ref()), if !pending.waiting.is_empty() => {}
            }
            if events.is_some() {
                more = self.fetch_finished(&mut pending).await?;
            }
            self.print_ready(&mut pending, &bar)?;
        }
        bar.finish_and_clear();
        self.out.flush()?;
        Ok(ExitCode::from(if pending.failed { 6 } else { 0 }))
    }

    async fn submit_chunk(
        &mut self,
        chunk: NumberedLines,
        pending: &mut PendingLines,
    ) -> Result<(), CmdError> {
        let mut tasks = Vec::with_capacity(chunk.len());
        let mut numbers = Vec::with_capacity(chunk.len());
        for (number, line) in chunk {
            if line.trim().is_empty() {
                continue;
            }
            let task = (self.parse)(&line);
            let supported = task.and_then(|task| {
                let checked = check_options(&*self.broker, &task);
                checked.map(|()| task).map_err(|why| why.to_string())
            });
            match supported {
                Ok(task) => {
                    tasks.push(task);
                    numbers.push((number, None));
                }
                Err(why) => numbers.push((number, Some(why))),
            }
        }
        let receipts = self.submit_tasks(tasks).await?;
        let mut receipts = receipts.into_iter();
        for (line, error) in numbers {
            let entry = match error {
                Some(why) => LineOutcome::Error(why),
                None => match receipts.next() {
                    Some(Ok(receipt)) => LineOutcome::Submitted(receipt.id, receipt.deduplicated),
                    Some(Err(why)) => LineOutcome::Error(why),
                    None => LineOutcome::Error(MISSING_RECEIPT.to_owned()),
                },
            };
            pending.waiting.push_back((line, entry));
        }
        Ok(())
    }

    /// Submits tasks and waits while the queue is full, so that reading never outruns the workers. A batch that
    /// exceeds the queue's limit is split, and an invalid task does not affect the others.
    async fn submit_tasks(&self, tasks: Vec<NewTask>) -> Result<Vec<TaskReceipt>, CmdError> {
        let mut results = Vec::with_capacity(tasks.len());
        let mut parts = vec![tasks];
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match self.broker.submit(part.clone()).await {
                Ok(receipts) => results.extend(receipts.into_iter().map(Ok)),
                Err(BrokerError::Overloaded { backlog, limit }) => {
                    if part.len() > 1 && backlog + part.len() > limit {
                        let rest = part.split_off(part.len() / 2);
                        parts.push(rest);
                    }
                    parts.push(part);
                    sleep(POLL_INTERVAL).await;
                }
                // Tasks of this member have to finish first, unless this one alone is too large.
                Err(BrokerError::OverQuota { used, .. }) if used > 0 || part.len() > 1 => {
                    let rest = part.split_off(part.len().div_ceil(2));
                    parts.extend([rest, part]);
                    sleep(POLL_INTERVAL).await;
                }
                Err(
                    error @ (BrokerError::InvalidTask(_) | BrokerError::InvalidTransition { .. }),
                ) => {
                    if part.len() == 1 {
                        results.push(Err(error.to_string()));
                    } else {
                        let rest = part.split_off(part.len() / 2);
                        parts.extend([rest, part]);
                    }
                }
                Err(other) => return Err(other.into()),
            }
        }
        Ok(results)
    }

    /// Fetches a page, with retries while the node cannot be reached: it may be restarting.
    async fn fetch_page(&self, query: Query) -> Result<Page, CmdError> {
        let until = Instant::now() + RETRY_FOR;
        loop {
            match fetch_full_page(&*self.broker, query.clone()).await {
                Err(BrokerError::Unreachable(why)) if Instant::now() < until => {
                    tracing::debug!(%why, "retrying");
                    sleep(POLL_INTERVAL).await;
                }
                other => return Ok(other?),
            }
        }
    }

    /// Fetches finished tasks, one page of unfinished ones per call. Returns true when there is more to fetch
    /// at once.
    async fn fetch_finished(&self, pending: &mut PendingLines) -> Result<bool, CmdError> {
        // In order, only the first tasks matter. Unordered, each call reads the next page, so that slow tasks
        // do not hide finished ones.
        let all = pending.unfinished().count();
        let skip = match self.args.unordered {
            true if pending.offset < all => pending.offset,
            _ => 0,
        };
        let open: Vec<TaskId> = pending.unfinished().skip(skip).take(PAGE).collect();
        pending.offset = skip + open.len();
        if open.is_empty() {
            return Ok(false);
        }
        let query = Query {
            filter: Filter::by_ids(open.iter().cloned()),
            limit: PAGE,
            ..Query::default()
        };
        let page = self.fetch_page(query).await?;
        let found = page.rows.len();
        let mut progress = false;
        for task in page.into_tasks() {
            if task.state.is_finished() {
                progress = true;
                pending.finished.insert(task.id.clone(), task);
            }
        }
        if found < open.len() {
            // Purged, or evicted because there were too many.
            let finished = |id: &TaskId| pending.finished.contains_key(id);
            let missing: Vec<TaskId> = open.into_iter().filter(|id| !finished(id)).collect();
            for id in missing {
                if self.broker.get(&id).await?.is_none() {
                    progress = true;
                    pending.mark_purged(&id);
                }
            }
        }
        Ok(progress || (self.args.unordered && pending.offset < all))
    }

    /// Prints every line that is ready.
    fn print_ready(
        &mut self,
        pending: &mut PendingLines,
        bar: &ProgressBar,
    ) -> Result<(), CmdError> {
        let mut printed = 0;
        if self.args.unordered {
            let waiting = std::mem::take(&mut pending.waiting);
            for (line, entry) in waiting {
                match self.print_entry(pending, line, entry)? {
                    None => printed += 1,
                    Some(entry) => pending.waiting.push_back((line, entry)),
                }
            }
        } else {
            while let Some((line, entry)) = pending.waiting.pop_front() {
                match self.print_entry(pending, line, entry)? {
                    None => printed += 1,
                    Some(entry) => {
                        pending.waiting.push_front((line, entry));
                        break;
                    }
                }
            }
        }
        if printed > 0 {
            bar.inc(printed);
            self.out.flush()?;
        }
        Ok(())
    }

    /// Prints the result of a line, or returns its entry when there is none yet.
    fn print_entry(
        &mut self,
        pending: &mut PendingLines,
        line: u64,
        entry: LineOutcome,
    ) -> Result<Option<LineOutcome>, CmdError> {
        match entry {
            LineOutcome::Error(why) => {
                pending.failed = true;
                if self.out.json {
                    self.out.document(&LineErrorJson { line, error: &why })?;
                } else {
                    print_stderr(format_args!("line {line}: {why}"), true);
                    // An empty line keeps input and output side by side.
                    self.print_text(line, "")?;
                }
            }
            LineOutcome::Submitted(id, deduplicated) if !self.args.wait => {
                if self.out.json {
                    self.out.document(&ReceiptJson {
                        line: Some(line),
                        id: id.into(),
                        deduplicated,
                    })?;
                } else {
                    self.out.line(&id.to_string())?;
                }
            }
            LineOutcome::Submitted(id, deduplicated) => match pending.finished.remove(&id) {
                None => return Ok(Some(LineOutcome::Submitted(id, deduplicated))),
                Some(task) => {
                    let succeeded = task.state == State::Succeeded;
                    pending.failed |= !succeeded;
                    if self.out.json {
                        self.print_task(Some(line), &task)?;
                    } else if succeeded {
                        self.print_text(line, task.result.as_deref().unwrap_or_default())?;
                    } else {
                        print_stderr(format_args!("line {line}: {}", failure_text(&task)), true);
                        self.print_text(line, "")?;
                    }
                }
            },
        }
        Ok(None)
    }

    fn print_text(&mut self, line: u64, text: &str) -> io::Result<()> {
        match self.args.unordered {
            true => self.out.line(&format!("{line} {text}")),
            false => self.out.line(text),
        }
    }
}

/// The receipt of a task, or the reason for its rejection.
type TaskReceipt = Result<Receipt, String>;

/// The outcome of a line so far.
enum LineOutcome {
    /// The task, and true if it existed already.
    Submitted(TaskId, bool),
    /// The line is invalid, or its task was rejected or purged.
    Error(String),
}

/// The lines that have been read and not printed.
#[derive(Default)]
struct PendingLines {
    /// In the order of the lines.
    waiting: VecDeque<(u64, LineOutcome)>,
    /// Finished tasks that are not printed yet.
    finished: HashMap<TaskId, Task>,
    failed: bool,
    /// Unfinished tasks that have been asked for since the last pass over all of them.
    offset: usize,
}

impl PendingLines {
    /// Tasks that are not known to have finished, in the order of the lines.
    fn unfinished(&self) -> impl Iterator<Item = TaskId> {
        self.waiting.iter().filter_map(|(_, entry)| match entry {
            LineOutcome::Submitted(id, _) if !self.finished.contains_key(id) => Some(id.clone()),
            _ => None,
        })
    }

    /// Replaces a purged task by an error.
    fn mark_purged(&mut self, purged: &TaskId) {
        for (_, entry) in &mut self.waiting {
            if matches!(entry, LineOutcome::Submitted(id, _) if id == purged) {
                *entry = LineOutcome::Error(purged_text(purged));
            }
        }
    }
}

/// Returns the next lines, or `None` at the end of input.
async fn next_chunk(
    input: &mut Option<mpsc::Receiver<io::Result<NumberedLines>>>,
) -> Option<io::Result<NumberedLines>> {
    input.as_mut()?.recv().await
}

/// Waits for an event of the broker, at most for [`POLL_INTERVAL`]: events may have been dropped.
async fn next_event(events: Option<&Subscription>) {
    let Some(events) = events else { return };
    timeout(POLL_INTERVAL, events.next()).await.ok();
    while events.try_next().is_some() {}
}

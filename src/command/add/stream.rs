//! Lines in, results out, in bounded memory.

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

use super::{LOOK, Taken, Work, read, why};
use crate::{
    command::{
        CmdError, CmdResult,
        output::tell,
        stdin::{self, Lines},
    },
    queue::{
        broker::{BrokerError, Subscription},
        paging::fetch_full_page,
        query::{Filter, Page, Query},
        task::{NewTask, Receipt, State, Task, TaskId},
    },
};

/// Tasks that are waited for at once; beyond it no more lines are read.
const WINDOW: usize = 10_000;
/// Tasks that are asked about at once.
const PAGE: usize = 250;
/// A node that cannot be reached is asked again for this long.
const PERSIST: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct Wrong<'a> {
    line: u64,
    error: &'a str,
}

impl Work<'_> {
    /// Reads lines until there are no more; at most [`WINDOW`] tasks are on their way.
    pub(super) async fn stream(mut self) -> CmdResult {
        let events = self.add.wait.then(|| self.broker.subscribe());
        let bar = stdin::progress(if self.add.wait { "added" } else { "queued" });
        let mut input = Some(stdin::read());
        let mut flow = Flow::default();
        let mut look_again = false;
        while input.is_some() || !flow.waiting.is_empty() {
            let room = flow.waiting.len() < WINDOW;
            tokio::select! {
                biased;
                chunk = next_chunk(&mut input), if input.is_some() && room => {
                    match chunk {
                        Some(chunk) => {
                            let chunk = chunk.map_err(|e| stdin::unread(&e))?;
                            self.submit(chunk, &mut flow).await?;
                        }
                        None => input = None,
                    }
                }
                () = std::future::ready(()), if look_again => {}
                () = something(events.as_ref()), if !flow.waiting.is_empty() => {}
            }
            if events.is_some() {
                look_again = self.collect(&mut flow).await?;
            }
            self.print(&mut flow, &bar)?;
        }
        bar.finish_and_clear();
        self.out.flush()?;
        Ok(ExitCode::from(if flow.failed { 6 } else { 0 }))
    }

    async fn submit(&mut self, chunk: Lines, flow: &mut Flow) -> Result<(), CmdError> {
        let mut tasks = Vec::with_capacity(chunk.len());
        let mut numbers = Vec::with_capacity(chunk.len());
        for (number, line) in chunk {
            if line.trim().is_empty() {
                continue;
            }
            match read(&line, self.add, &self.defaults) {
                Ok(task) => {
                    tasks.push(task);
                    numbers.push((number, None));
                }
                Err(why) => numbers.push((number, Some(why))),
            }
        }
        let receipts = self.taken(tasks).await?;
        let mut receipts = receipts.into_iter();
        for (line, wrong) in numbers {
            let entry = match wrong {
                Some(why) => Entry::Wrong(why),
                None => match receipts.next() {
                    Some(Ok(receipt)) => Entry::Taken(receipt.id, receipt.deduplicated),
                    Some(Err(why)) => Entry::Wrong(why),
                    None => Entry::Wrong("the broker answered nothing".to_owned()),
                },
            };
            flow.waiting.push_back((line, entry));
        }
        Ok(())
    }

    /// Submits, and waits while the queue is full: what reads must not outrun what runs. A queue that is
    /// smaller than the batch gets it in halves, and one task that is refused takes no other with it.
    async fn taken(&self, tasks: Vec<NewTask>) -> Result<Vec<Verdict>, CmdError> {
        let mut verdicts = Vec::with_capacity(tasks.len());
        let mut parts = vec![tasks];
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match self.broker.submit(part.clone()).await {
                Ok(receipts) => verdicts.extend(receipts.into_iter().map(Ok)),
                Err(BrokerError::Overloaded { backlog, limit }) => {
                    if part.len() > 1 && backlog + part.len() > limit {
                        let rest = part.split_off(part.len() / 2);
                        parts.push(rest);
                    }
                    parts.push(part);
                    sleep(LOOK).await;
                }
                Err(
                    refused @ (BrokerError::InvalidTask(_) | BrokerError::InvalidTransition { .. }),
                ) => {
                    if part.len() == 1 {
                        verdicts.push(Err(refused.to_string()));
                    } else {
                        let rest = part.split_off(part.len() / 2);
                        parts.extend([rest, part]);
                    }
                }
                Err(other) => return Err(other.into()),
            }
        }
        Ok(verdicts)
    }

    /// A page, asked for again while the node cannot be reached: it may be restarting.
    async fn page(&self, query: Query) -> Result<Page, CmdError> {
        let until = Instant::now() + PERSIST;
        loop {
            match fetch_full_page(&*self.broker, query.clone()).await {
                Err(BrokerError::Unreachable(why)) if Instant::now() < until => {
                    tracing::debug!(why, "asked again");
                    sleep(LOOK).await;
                }
                other => return Ok(other?),
            }
        }
    }

    /// Asks for what has ended, a page of the open ones at a time; answers whether there is more to be seen
    /// at once.
    async fn collect(&self, flow: &mut Flow) -> Result<bool, CmdError> {
        // In order the first ones are all that matters. Without one it is another place each time: who takes
        // long must not hide who has ended.
        let all = flow.open().count();
        let skip = match self.add.unordered {
            true if flow.at < all => flow.at,
            _ => 0,
        };
        let open: Vec<TaskId> = flow.open().skip(skip).take(PAGE).collect();
        flow.at = skip + open.len();
        if open.is_empty() {
            return Ok(false);
        }
        let query = Query {
            filter: Filter::of(open.iter().copied()),
            limit: PAGE,
            ..Query::default()
        };
        let page = self.page(query).await?;
        let there = page.tasks.len();
        let mut news = false;
        for task in page.tasks {
            if task.state.is_finished() {
                news = true;
                flow.ended.insert(task.id, task);
            }
        }
        if there < open.len() {
            // Purged, or forgotten because there were too many.
            let known = |id: &TaskId| flow.ended.contains_key(id);
            let gone: Vec<TaskId> = open.into_iter().filter(|id| !known(id)).collect();
            for id in gone {
                if self.broker.get(id).await?.is_none() {
                    news = true;
                    flow.gone(id);
                }
            }
        }
        Ok(news || (self.add.unordered && flow.at < all))
    }

    /// Prints what can be printed now.
    fn print(&mut self, flow: &mut Flow, bar: &ProgressBar) -> Result<(), CmdError> {
        let mut printed = 0;
        if self.add.unordered {
            let waiting = std::mem::take(&mut flow.waiting);
            for (line, entry) in waiting {
                match self.print_one(flow, line, entry)? {
                    None => printed += 1,
                    Some(entry) => flow.waiting.push_back((line, entry)),
                }
            }
        } else {
            while let Some((line, entry)) = flow.waiting.pop_front() {
                match self.print_one(flow, line, entry)? {
                    None => printed += 1,
                    Some(entry) => {
                        flow.waiting.push_front((line, entry));
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

    /// Prints a line's answer, or gives the entry back when there is none yet.
    fn print_one(
        &mut self,
        flow: &mut Flow,
        line: u64,
        entry: Entry,
    ) -> Result<Option<Entry>, CmdError> {
        match entry {
            Entry::Wrong(why) => {
                flow.failed = true;
                if self.out.json {
                    self.out.document(&Wrong { line, error: &why })?;
                } else {
                    tell(format_args!("line {line}: {why}"), true);
                    // It keeps its line, so that what goes in and out stays side by side.
                    self.result(line, "")?;
                }
            }
            Entry::Taken(id, deduplicated) if !self.add.wait => {
                if self.out.json {
                    self.out.document(&Taken {
                        line: Some(line),
                        id: id.into(),
                        deduplicated,
                    })?;
                } else {
                    self.out.line(&id.to_string())?;
                }
            }
            Entry::Taken(id, deduplicated) => match flow.ended.remove(&id) {
                None => return Ok(Some(Entry::Taken(id, deduplicated))),
                Some(task) => {
                    let good = task.state == State::Succeeded;
                    flow.failed |= !good;
                    if self.out.json {
                        self.ended(Some(line), &task)?;
                    } else if good {
                        self.result(line, task.result.as_deref().unwrap_or_default())?;
                    } else {
                        tell(format_args!("line {line}: {}", why(&task)), true);
                        self.result(line, "")?;
                    }
                }
            },
        }
        Ok(None)
    }

    fn result(&mut self, line: u64, text: &str) -> io::Result<()> {
        match self.add.unordered {
            true => self.out.line(&format!("{line} {text}")),
            false => self.out.line(text),
        }
    }
}

/// What the broker says of one task.
type Verdict = Result<Receipt, String>;

/// A line that has been read.
enum Entry {
    /// It is a task now, or was one already.
    Taken(TaskId, bool),
    /// It means nothing.
    Wrong(String),
}

/// What is on its way.
#[derive(Default)]
struct Flow {
    /// In the order of the lines.
    waiting: VecDeque<(u64, Entry)>,
    /// What has ended and is not printed yet.
    ended: HashMap<TaskId, Task>,
    failed: bool,
    /// How many of the open ones have been asked about in this round.
    at: usize,
}

impl Flow {
    /// Tasks that have not ended as far as is known, in order.
    fn open(&self) -> impl Iterator<Item = TaskId> {
        self.waiting.iter().filter_map(|(_, entry)| match entry {
            Entry::Taken(id, _) if !self.ended.contains_key(id) => Some(*id),
            _ => None,
        })
    }

    /// A task is not there any more.
    fn gone(&mut self, gone: TaskId) {
        for (_, entry) in &mut self.waiting {
            if matches!(entry, Entry::Taken(id, _) if *id == gone) {
                let why = format!("{gone} was purged before its result was read");
                *entry = Entry::Wrong(why);
            }
        }
    }
}

/// The next lines, or nothing at the end.
async fn next_chunk(
    input: &mut Option<mpsc::Receiver<io::Result<Lines>>>,
) -> Option<io::Result<Lines>> {
    input.as_mut()?.recv().await
}

/// Waits until something happens at the broker, and looks now and then all the same: events that come too
/// fast are left out.
async fn something(events: Option<&Subscription>) {
    let Some(events) = events else { return };
    timeout(LOOK, events.next()).await.ok();
    while events.try_next().is_some() {}
}

//! `add`: one addition, or a stream of them in bounded memory.

use std::{
    collections::{HashMap, VecDeque},
    io,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use indicatif::ProgressBar;
use serde::Serialize;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout_at},
};

use super::{
    Done, Failure, Given,
    lines::{self, Lines, piped},
    out::{Out, tell},
    shapes::{IdShape, raw},
};
use crate::{
    cli,
    queue::{
        broker::{Broker, BrokerError, Subscription},
        pages::whole_page,
        query::{Filter, Query},
        task::{Key, MAX_PRIORITY, NewTask, Options, Receipt, Rule, State, Task, TaskId},
    },
    units,
    words::addition::{self, Addition},
};

/// Tasks that are waited for at once; beyond it no more lines are read.
const WINDOW: usize = 10_000;
/// Tasks that are asked about at once.
const PAGE: usize = 250;
/// A node that cannot be reached is asked again for this long.
const PERSIST: Duration = Duration::from_secs(30);
/// Events may be left out when they come too fast, so it is looked again after this time.
const LOOK: Duration = Duration::from_millis(250);

pub(super) fn run(given: &Given<'_>, add: &cli::Add) -> Done {
    let defaults = options(add)?;
    let timeout = add.timeout.as_deref().map(units::duration).transpose();
    let timeout = timeout.map_err(Failure::Usage)?;
    if timeout.is_some() && add.numbers.is_empty() {
        let why = "--timeout is for one addition; for lines bound the whole with timeout(1)";
        return Err(Failure::Usage(why.to_owned()));
    }
    if add.numbers.is_empty() && !piped() {
        let why = "which numbers? write distro-tui add 2 3, or pipe `X Y` a line into it";
        return Err(Failure::Usage(why.to_owned()));
    }
    let one = match add.numbers.as_slice() {
        [] => None,
        words => Some(read(&words.join(" "), add, &defaults).map_err(Failure::Usage)?),
    };
    given.with(|session| async move {
        let broker = session.access().broker();
        let work = Work {
            out: Out::new(add.out),
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
fn options(add: &cli::Add) -> Result<Options, Failure> {
    let mut options = Options::default();
    if let Some(text) = &add.countdown {
        options.delay = Some(units::duration(text).map_err(Failure::Usage)?);
    }
    if let Some(text) = &add.key {
        let rule = match (add.unique, add.serial) {
            (true, _) => Rule::Unique,
            (_, true) => Rule::Serial,
            _ => Rule::Label,
        };
        options.key = Some(Key {
            text: text.as_str().into(),
            rule,
        });
    }
    if let Some(priority) = add.priority {
        if priority > MAX_PRIORITY {
            let why = format!("--priority: {priority} is not a number from 0 to {MAX_PRIORITY}");
            return Err(Failure::Usage(why));
        }
        options.priority = priority;
    }
    options.queue = add.queue.as_deref().map(Into::into);
    Ok(options)
}

/// An addition as it is typed anywhere; what the line does not say the options do.
fn read(text: &str, add: &cli::Add, defaults: &Options) -> Result<NewTask, String> {
    let now = jiff::Zoned::now();
    let Addition { add: sum, wishes } =
        addition::parse(text, &now).map_err(|mistake| mistake.why)?;
    let seconds = sum.seconds.or(add.seconds);
    let mut task = crate::queue::add::Add { seconds, ..sum }.task();
    task.options = merged(wishes.options, defaults);
    Ok(task)
}

/// What a line says, and for the rest what the options say.
fn merged(line: Options, defaults: &Options) -> Options {
    let usual = Options::default();
    let priority = match line.priority == usual.priority {
        true => defaults.priority,
        false => line.priority,
    };
    Options {
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
    id: IdShape,
    existing: bool,
}

#[derive(Serialize)]
struct Ended<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    id: IdShape,
    state: &'static str,
    result: Option<&'a serde_json::value::RawValue>,
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Wrong<'a> {
    line: u64,
    error: &'a str,
}

struct Work<'a> {
    out: Out,
    add: &'a cli::Add,
    defaults: Options,
    timeout: Option<Duration>,
    broker: Arc<dyn Broker>,
}

impl Work<'_> {
    async fn one(mut self, task: NewTask) -> Done {
        let events = self.add.wait.then(|| self.broker.subscribe());
        let receipts = self.broker.submit(vec![task]).await?;
        let Some(receipt) = receipts.first().copied() else {
            return Err(Failure::Failed("nothing was taken".to_owned()));
        };
        let Some(events) = events else {
            if self.out.json {
                self.out.document(&Taken {
                    line: None,
                    id: receipt.id.into(),
                    existing: receipt.existing,
                })?;
            } else {
                let there = if receipt.existing {
                    " was queued already"
                } else {
                    ""
                };
                self.out.line(&format!("{}{there}", receipt.id))?;
            }
            self.out.flush()?;
            return Ok(ExitCode::SUCCESS);
        };
        let by = self.timeout.map(|span| Instant::now() + span);
        let waiting = ended(&*self.broker, receipt.id, &events);
        let task = match by {
            None => waiting.await?,
            Some(by) => timeout_at(by, waiting).await.map_err(|_elapsed| {
                Failure::Refused(format!(
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
            return Err(Failure::Refused(why(&task)));
        }
        self.out.flush()?;
        Ok(ExitCode::from(if good { 0 } else { 6 }))
    }

    fn ended(&mut self, line: Option<u64>, task: &Task) -> io::Result<()> {
        self.out.document(&Ended {
            line,
            id: task.id.into(),
            state: task.state.word(),
            result: task.result.as_deref().and_then(raw),
            error: task.error.as_deref(),
        })
    }

    /// Lines in, results out; at most [`WINDOW`] tasks are on their way.
    async fn stream(mut self) -> Done {
        let events = self.add.wait.then(|| self.broker.subscribe());
        let bar = lines::progress(if self.add.wait { "added" } else { "queued" });
        let mut input = Some(lines::read());
        let mut flow = Flow::default();
        loop {
            let room = flow.waiting.len() < WINDOW;
            if let Some(chunk) = next_chunk(&mut input, room, flow.waiting.is_empty()).await {
                let chunk = chunk.map_err(|e| Failure::Failed(format!("standard input: {e}")))?;
                self.submit(chunk, &mut flow).await?;
            }
            if let Some(events) = &events {
                self.collect(&mut flow, events, input.is_none()).await?;
            }
            self.print(&mut flow, &bar)?;
            if input.is_none() && flow.waiting.is_empty() {
                break;
            }
        }
        bar.finish_and_clear();
        self.out.flush()?;
        Ok(ExitCode::from(if flow.failed { 6 } else { 0 }))
    }

    async fn submit(&mut self, chunk: Lines, flow: &mut Flow) -> Result<(), Failure> {
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
                    Some(Ok(receipt)) => Entry::Taken(receipt.id, receipt.existing),
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
    async fn taken(&self, tasks: Vec<NewTask>) -> Result<Vec<Verdict>, Failure> {
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
                Err(refused @ (BrokerError::Unfit(_) | BrokerError::Illegal { .. })) => {
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
    async fn page(&self, query: Query) -> Result<crate::queue::query::Page, Failure> {
        let until = Instant::now() + PERSIST;
        loop {
            match whole_page(&*self.broker, query.clone()).await {
                Err(BrokerError::Unreachable(why)) if Instant::now() < until => {
                    tracing::debug!(why, "asked again");
                    sleep(LOOK).await;
                }
                other => return Ok(other?),
            }
        }
    }

    /// Fetches what has ended, and waits for something to end when nothing has.
    async fn collect(
        &self,
        flow: &mut Flow,
        events: &Subscription,
        at_end: bool,
    ) -> Result<(), Failure> {
        // In another place each time: who waits for long must not hide who has ended.
        let all = flow.open().count();
        let skip = if flow.at < all { flow.at } else { 0 };
        let open: Vec<TaskId> = flow.open().skip(skip).take(PAGE).collect();
        flow.at = skip + open.len();
        if open.is_empty() {
            return Ok(());
        }
        let query = Query {
            filter: Filter::of(open.iter().copied()),
            limit: PAGE,
            ..Query::default()
        };
        let page = self.page(query).await?;
        let there: usize = page.tasks.len();
        let mut new = 0;
        for task in page.tasks {
            if task.state.is_finished() {
                new += 1;
                flow.ended.insert(task.id, task);
            }
        }
        if there < open.len() {
            // Purged, or forgotten because there were too many.
            let known = |id: &TaskId| flow.ended.contains_key(id);
            let gone: Vec<TaskId> = open.into_iter().filter(|id| !known(id)).collect();
            for id in gone {
                if self.broker.get(id).await?.is_none() {
                    flow.gone(id);
                }
            }
        }
        let through = flow.at >= all;
        if new == 0 && through && (at_end || flow.waiting.len() >= WINDOW) {
            tokio::time::timeout(LOOK, events.next()).await.ok();
            while events.try_next().is_some() {}
        }
        Ok(())
    }

    /// Prints what can be printed now.
    fn print(&mut self, flow: &mut Flow, bar: &ProgressBar) -> Result<(), Failure> {
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
    ) -> Result<Option<Entry>, Failure> {
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
            Entry::Taken(id, existing) if !self.add.wait => {
                if self.out.json {
                    self.out.document(&Taken {
                        line: Some(line),
                        id: id.into(),
                        existing,
                    })?;
                } else {
                    self.out.line(&id.to_string())?;
                }
            }
            Entry::Taken(id, existing) => match flow.ended.remove(&id) {
                None => return Ok(Some(Entry::Taken(id, existing))),
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

/// The next lines, when there is room for them. They are only waited for while nothing else is to be
/// done.
async fn next_chunk(
    input: &mut Option<mpsc::Receiver<io::Result<Lines>>>,
    room: bool,
    idle: bool,
) -> Option<io::Result<Lines>> {
    let lines = input.as_mut().filter(|_| room)?;
    let chunk = if idle {
        lines.recv().await
    } else {
        match lines.try_recv() {
            Ok(chunk) => Some(chunk),
            Err(mpsc::error::TryRecvError::Disconnected) => None,
            Err(mpsc::error::TryRecvError::Empty) => {
                // Who types slowly still gets each result as soon as it is there.
                sleep(Duration::from_millis(1)).await;
                return None;
            }
        }
    };
    if chunk.is_none() {
        *input = None;
    }
    chunk
}

/// Waits until a task has ended.
async fn ended(broker: &dyn Broker, id: TaskId, events: &Subscription) -> Result<Task, Failure> {
    loop {
        match broker.get(id).await? {
            Some(task) if task.state.is_finished() => return Ok(task),
            Some(_) => {}
            None => {
                let why = format!("{id} was purged before its result was read");
                return Err(Failure::Missing(why));
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

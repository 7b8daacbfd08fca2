//! Carrying out effects: each one on a task of its own, and its answer comes back as a message.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    effect::{Done, Effect, Export, Greeted, Msg, Rows, What},
    export::{self, Writer},
    model::tasks::Fetch,
    text::count,
};
use crate::{
    net::value::Value,
    node::Access,
    queue::{
        broker::{Broker, BrokerError, Bulk, Deed},
        query::{Filter, From, Order, Page, Query},
        task::{DEFAULT_QUEUE, Receipt, State, Task},
    },
};

/// Answers that wait for the screen; further tasks wait for room.
pub(crate) const MAX_ANSWERS: usize = 1_024;
/// A refresh is given up after this long, so that it can be asked for again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Carries out effects and sends what came of them.
#[derive(Clone)]
pub(crate) struct Runner {
    access: Arc<Access>,
    broker: Arc<dyn Broker>,
    answers: mpsc::Sender<Msg>,
}

impl Runner {
    pub(crate) fn new(access: Arc<Access>, answers: mpsc::Sender<Msg>) -> Self {
        Self {
            broker: access.broker(),
            access,
            answers,
        }
    }

    /// Starts an effect and does not wait for it.
    pub(crate) fn start(&self, effect: Effect) {
        let this = self.clone();
        tokio::spawn(async move {
            let answer = this.run(effect).await;
            // With the screen gone nobody wants to know.
            this.answers.send(answer).await.ok();
        });
    }

    async fn run(&self, effect: Effect) -> Msg {
        let since = Instant::now();
        let (what, result) = match effect {
            Effect::Greet { number, name } => return self.greet(number, &name).await,
            Effect::Methods(record) => {
                let methods = self.access.methods(&record).await;
                return Msg::Methods {
                    name: record.name.clone(),
                    methods: methods.map_err(|e| e.to_string()),
                };
            }
            Effect::Overview => return Msg::Overview(self.overview().await),
            Effect::Tasks(fetch) => return self.page(fetch).await,
            Effect::Task(id) => return Msg::Task(self.broker.get(id).await.ok().flatten()),
            Effect::Call {
                record,
                method,
                args,
            } => {
                let shown: Vec<String> = args.iter().map(Value::to_string).collect();
                let what = format!("{}.{method}({})", record.name, shown.join(", "));
                let answer = self.access.call(&record, &method, args).await;
                let text = answer.map(|value| plain(&value)).map_err(|e| e.to_string());
                (What::Call(what), text)
            }
            Effect::Submit { tasks, what } => {
                let receipts = self.broker.submit(tasks).await;
                let said = said(receipts, |receipts| queued(&receipts));
                (What::Submit(what), said)
            }
            Effect::Cancel(id) => {
                let state = self.broker.cancel(id).await;
                let now = state.as_ref().ok().copied();
                let said = said(state, |state| match state {
                    State::Running => format!("{id} was asked to stop"),
                    _ => format!("{id} is cancelled"),
                });
                (What::Cancel(id, now), said)
            }
            Effect::Retry(id) => {
                let state = self.broker.retry(id).await;
                (
                    What::Retry(id),
                    said(state, |_| format!("{id} is queued again")),
                )
            }
            Effect::Restore(id) => {
                let state = self.broker.restore(id).await;
                let text = |state| format!("{id} is {state} again");
                (What::Restore(id), said(state, text))
            }
            Effect::Pause { queue, on } => {
                let done = if on {
                    self.broker.pause(queue.as_deref()).await
                } else {
                    self.broker.resume(queue.as_deref()).await
                };
                let which = queue.map_or("everything".to_owned(), |queue| format!("queue {queue}"));
                let text = if on { "is paused" } else { "goes on" };
                (What::Pause(on), said(done, |()| format!("{which} {text}")))
            }
            Effect::Bulk { deed, filter } => {
                let done = self.broker.bulk(deed, filter).await;
                (What::Bulk(deed), said(done, |bulk| done_to(deed, bulk)))
            }
            Effect::Count {
                deed,
                filter,
                which,
            } => {
                let counted = filter.clone().within(deed.applies_to());
                let count = self.broker.count(counted).await;
                return Msg::Counted {
                    deed,
                    filter,
                    which,
                    count: count.map_err(|e| e.to_string()),
                };
            }
            Effect::Reasons => {
                let reasons = self.broker.reasons().await;
                return Msg::Reasons(reasons.map_err(|e| e.to_string()));
            }
            Effect::Recovery => return Msg::Recovery(self.access.recovery().clone()),
            Effect::Scale(workers) => {
                let accepted = self.broker.scale(workers).await;
                let text = |n: usize| match n {
                    1 => "1 worker".to_owned(),
                    n if n < workers => format!("{n} workers, which is the most"),
                    n => format!("{n} workers"),
                };
                (What::Scale, said(accepted, text))
            }
            Effect::Export(export) => (What::Export, self.export(export).await),
            // These are the screen's own; it never hands them over.
            Effect::Copy(_) | Effect::Mouse(_) | Effect::Suspend | Effect::Quit => {
                return Msg::Tick;
            }
        };
        Msg::Done(Done {
            what,
            result,
            took: since.elapsed(),
        })
    }

    async fn greet(&self, number: u64, name: &str) -> Msg {
        let called = self.access.greet(name).await;
        let answer = called.map(|called| Greeted {
            text: plain(&called.value),
            lookup: called.lookup,
            call: called.call,
        });
        Msg::Greeted {
            number,
            answer: answer.map_err(|e| e.to_string()),
        }
    }

    async fn overview(
        &self,
    ) -> Option<(
        Box<crate::queue::broker::Stats>,
        Vec<crate::queue::worker::WorkerStatus>,
    )> {
        let both = async {
            Some((
                Box::new(self.broker.stats().await.ok()?),
                self.broker.workers().await.ok()?,
            ))
        };
        tokio::time::timeout(PATIENCE, both).await.ok().flatten()
    }

    async fn page(&self, fetch: Fetch) -> Msg {
        let number = fetch.number;
        let page = tokio::time::timeout(PATIENCE, self.whole_page(fetch.query)).await;
        Msg::Tasks {
            number,
            page: page.ok().and_then(Result::ok),
        }
    }

    /// A page that is full or ends where the tasks end, in as many calls as it takes.
    async fn whole_page(&self, mut query: Query) -> Result<Page, BrokerError> {
        let backwards = query.from.is_backwards();
        let mut tasks: Vec<Task> = Vec::new();
        loop {
            let page = self.broker.list(query.clone()).await?;
            query.limit -= page.tasks.len().min(query.limit);
            if backwards {
                tasks.splice(0..0, page.tasks);
            } else {
                tasks.extend(page.tasks);
            }
            match page.more_from.filter(|_| query.limit > 0) {
                Some(place) if backwards => query.from = From::Before(place),
                Some(place) => query.from = From::After(place),
                None => {
                    return Ok(Page {
                        tasks,
                        more_from: None,
                    });
                }
            }
        }
    }

    async fn export(&self, export: Export) -> Result<String, String> {
        let path = export.path.clone();
        let rows = match export.rows {
            Rows::Table { columns, rows } => write_table(export.path, columns, rows).await,
            Rows::Tasks { filter, order } => self.export_tasks(export.path, filter, order).await,
        };
        match rows {
            Ok(rows) => Ok(format!(
                "{} rows written to {}",
                count(rows),
                path.display()
            )),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(format!(
                "{} exists already; choose another name",
                path.display()
            )),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    async fn export_tasks(
        &self,
        path: std::path::PathBuf,
        filter: Filter,
        order: Order,
    ) -> io::Result<usize> {
        let mut writer = blocking(move || Writer::create(&path, TASK_COLUMNS.to_vec())).await?;
        let mut from = From::First;
        let mut rows = 0;
        while rows < export::MOST {
            let query = Query {
                filter: filter.clone(),
                order,
                from,
                limit: crate::queue::query::MAX_PAGE,
            };
            let page = self.whole_page(query).await.map_err(io::Error::other)?;
            let Some(last) = page.tasks.last() else { break };
            from = From::After(order.cursor(last));
            rows += page.tasks.len();
            writer = blocking(move || {
                for task in &page.tasks {
                    writer.row(&task_row(task))?;
                }
                Ok(writer)
            })
            .await?;
        }
        blocking(move || writer.finish()).await
    }
}

/// File work goes to a thread for it, so that a slow disk never holds up the screen.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

async fn write_table(
    path: std::path::PathBuf,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
) -> io::Result<usize> {
    blocking(move || {
        let mut writer = Writer::create(&path, columns)?;
        for row in &rows {
            writer.row(row)?;
        }
        writer.finish()
    })
    .await
}

const TASK_COLUMNS: [&str; 14] = [
    "id",
    "name",
    "args",
    "state",
    "result",
    "error",
    "attempts",
    "priority",
    "worker",
    "queue",
    "key",
    "submitted_us",
    "started_us",
    "finished_us",
];

fn task_row(task: &Task) -> Vec<String> {
    let time =
        |at: Option<crate::queue::task::Timestamp>| at.map_or(String::new(), |at| at.0.to_string());
    vec![
        task.id.to_string().trim_start_matches('#').to_owned(),
        task.name.to_string(),
        task.args.to_string(),
        task.state.word().to_owned(),
        task.result.as_deref().unwrap_or_default().to_owned(),
        task.error.as_deref().unwrap_or_default().to_owned(),
        task.attempts.to_string(),
        task.priority.to_string(),
        task.worker.map_or(String::new(), |w| w.to_string()),
        task.queue.as_deref().unwrap_or(DEFAULT_QUEUE).to_owned(),
        task.key
            .as_ref()
            .map_or(String::new(), |key| key.text.to_string()),
        task.submitted_at.0.to_string(),
        time(task.started_at),
        time(task.finished_at),
    ]
}

/// What came of doing something to many.
fn done_to(deed: Deed, bulk: Bulk) -> String {
    let did = match deed {
        Deed::Cancel => "cancelled or asked to stop",
        Deed::Retry => "queued again",
        Deed::Purge => "forgotten",
    };
    let skipped = match bulk.skipped {
        0 => String::new(),
        n => format!(", {} skipped", count(n)),
    };
    format!("{} {did}{skipped}", tasks(bulk.done))
}

fn tasks(n: usize) -> String {
    match n {
        1 => "1 task".to_owned(),
        n => format!("{} tasks", count(n)),
    }
}

/// What became of submitted tasks.
fn queued(receipts: &[Receipt]) -> String {
    let mut new = receipts.iter().filter(|receipt| !receipt.existing);
    let existing = receipts.iter().filter(|receipt| receipt.existing).count();
    let queued = match (new.next(), new.next_back()) {
        (None, _) => None,
        (Some(only), None) => Some(format!("queued as {}", only.id)),
        (Some(first), Some(last)) => {
            let many = count(receipts.len() - existing);
            Some(format!("{many} tasks queued, {} to {}", first.id, last.id))
        }
    };
    match (queued, receipts.iter().find(|receipt| receipt.existing)) {
        (None, None) => "nothing to queue".to_owned(),
        (Some(queued), None) => queued,
        (None, Some(there)) if existing == 1 => format!("already queued as {}", there.id),
        (None, Some(_)) => format!("{} were queued already", count(existing)),
        (Some(queued), Some(_)) => format!("{queued}; {} were there already", count(existing)),
    }
}

fn said<T>(
    result: Result<T, BrokerError>,
    text: impl FnOnce(T) -> String,
) -> Result<String, String> {
    result.map(text).map_err(|e| e.to_string())
}

/// Text as it stands, anything else as it is written.
fn plain(value: &Value) -> String {
    match value {
        Value::Str(text) => text.clone(),
        other => other.to_string(),
    }
}

//! A broker as an object. Whoever may read may look; whoever is a member may do everything else.

use std::{future::Future, sync::Arc};

use futures_util::{
    Stream,
    future::{Either, ready},
    stream,
};
use serde::{Deserialize, Serialize};

use super::{
    ROOM, TASK,
    event_log::{EventCursor, EventLog, EventPage},
};
use crate::{
    net::{
        admission::require_role,
        rpc::{
            error::{Code, RemoteError},
            object::{Caller, Service},
            wire::Role,
        },
    },
    queue::{
        broker::{Broker, BulkAction},
        error::BrokerError,
        id::{IdempotencyKey, TaskId},
        query::{Filter, Page, Query},
        storage::Recovery,
        task::{NewTask, Task},
    },
};

/// What a stretch of a lane takes in a frame, at most.
const STRETCH: usize = 20;
/// The longest error of a reason or an attempt that goes over the network.
const MAX_ERROR: usize = 4 << 10;

/// A refusal, as a fault with the error in it.
impl From<BrokerError> for RemoteError {
    fn from(error: BrokerError) -> Self {
        let code = match &error {
            BrokerError::NotFound(_) => Code::NotFound,
            BrokerError::InvalidTask(_) | BrokerError::InvalidTransition { .. } => {
                Code::BadArguments
            }
            BrokerError::DuplicateKey { .. } => Code::Exists,
            BrokerError::Denied(_) => Code::Denied,
            BrokerError::Overloaded { .. } | BrokerError::Busy => Code::Overloaded,
            _ => Code::Internal,
        };
        Self::new(code, error.to_string()).with_detail(&error)
    }
}

/// What the engine is, for whoever connects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BrokerInfo {
    pub(super) engine: String,
    pub(super) recovery: Recovery,
}

/// Serves a broker. `life` tells this start of the process from every other; `recovery` is what the
/// one before had left.
#[must_use]
pub fn object(broker: Arc<dyn Broker>, recovery: Recovery, life: u64) -> Service {
    let feed = EventLog::new(life);
    let about = BrokerInfo {
        engine: broker.engine().to_owned(),
        recovery,
    };
    let b = || Arc::clone(&broker);
    let service = Service::new("Takes tasks, has them run by workers and keeps what came of them")
        .method(
            "about() -> map",
            "Which engine it is, and what the process before had left to it.",
            move |_, []: [(); 0]| ready(Ok::<_, RemoteError>(about.clone())),
        )
        .stream(
            "events(from: map?) -> stream",
            "What happens, from a place on or from now; each answer says where to go on.",
            {
                let (broker, feed) = (b(), feed.clone());
                move |_, (from,): (Option<EventCursor>,)| Ok(events(&feed, &broker, from))
            },
        );
    let service = looking(service, &broker);
    doing(service, &broker)
}

fn looking(service: Service, broker: &Arc<dyn Broker>) -> Service {
    let b = || Arc::clone(broker);
    let (get, list, count, reasons, stats, workers) = (b(), b(), b(), b(), b(), b());
    service
        .method(
            "get(id: int) -> map",
            "One task, with the log of its attempts; null when there is none.",
            move |_, (id,): (TaskId,)| {
                let broker = Arc::clone(&get);
                async move { broker.get(id).await.map(|task| task.map(fitted)) }
            },
        )
        .method(
            "list(query: map?) -> map",
            "A page of tasks. Query: filter, order, from, limit.",
            move |_, (query,): (Option<Query>,)| {
                let (broker, query) = (Arc::clone(&list), query.unwrap_or_else(first_page));
                async move {
                    let page = broker.list(query.clone()).await?;
                    Ok::<_, BrokerError>(in_a_frame(&query, page))
                }
            },
        )
        .method(
            "count(filter: map?) -> int",
            "How many tasks match, exactly.",
            move |_, (filter,): (Option<Filter>,)| {
                let broker = Arc::clone(&count);
                async move { broker.count(filter.unwrap_or_default()).await }
            },
        )
        .method(
            "dead_letters() -> list",
            "Why tasks have failed for good, the most frequent reason first.",
            move |_, []: [(); 0]| {
                let broker = Arc::clone(&reasons);
                async move {
                    let mut reasons = broker.dead_letters().await?;
                    for reason in &mut reasons {
                        cut(&mut reason.error);
                    }
                    Ok::<_, BrokerError>(reasons)
                }
            },
        )
        .method(
            "stats() -> map",
            "Buckets, rates and percentiles.",
            move |_, []: [(); 0]| {
                let broker = Arc::clone(&stats);
                async move { broker.stats().await }
            },
        )
        .method(
            "workers() -> list",
            "Every worker, and what it runs.",
            move |_, []: [(); 0]| {
                let broker = Arc::clone(&workers);
                async move {
                    let mut workers = broker.workers().await?;
                    let each = ROOM / workers.len().max(1) / STRETCH;
                    for worker in &mut workers {
                        worker.timeline.truncate_oldest(each);
                    }
                    Ok::<_, BrokerError>(workers)
                }
            },
        )
}

fn doing(service: Service, broker: &Arc<dyn Broker>) -> Service {
    let b = || Arc::clone(broker);
    let (submit, cancel, restore, retry) = (b(), b(), b(), b());
    let (bulk, pause, resume, scale) = (b(), b(), b(), b());
    service
        .method(
            "submit(tasks: list, id: int?) -> list",
            "Takes tasks, all or none. With an id of one's own the same submit is taken once.",
            move |caller, (tasks, id): (Vec<NewTask>, Option<IdempotencyKey>)| {
                let broker = Arc::clone(&submit);
                as_member(caller, move || async move {
                    match id {
                        Some(id) => broker.submit_idempotent(id, tasks).await,
                        None => broker.submit(tasks).await,
                    }
                })
            },
        )
        .method(
            "cancel(id: int) -> str",
            "Cancels a task; answers its state.",
            move |caller, (id,): (TaskId,)| {
                let broker = Arc::clone(&cancel);
                as_member(caller, move || async move { broker.cancel(id).await })
            },
        )
        .method(
            "undo_cancel(id: int) -> str",
            "Takes the cancellation of a task back that had not been started.",
            move |caller, (id,): (TaskId,)| {
                let broker = Arc::clone(&restore);
                as_member(caller, move || async move { broker.undo_cancel(id).await })
            },
        )
        .method(
            "retry(id: int) -> str",
            "Runs a task again that failed, was cancelled or expired.",
            move |caller, (id,): (TaskId,)| {
                let broker = Arc::clone(&retry);
                as_member(caller, move || async move { broker.retry(id).await })
            },
        )
        .method(
            "bulk(deed: str, filter: map) -> map",
            "Does one thing to every task that matches: cancel, retry or purge.",
            move |caller, (deed, filter): (BulkAction, Filter)| {
                let broker = Arc::clone(&bulk);
                as_member(caller, move || async move {
                    // It goes on when the caller does not wait for it any longer: half of it would
                    // be neither done nor not done.
                    let whole = tokio::spawn(async move { broker.bulk(deed, filter).await });
                    whole.await.unwrap_or(Err(BrokerError::Closed))
                })
            },
        )
        .method(
            "pause(queue: str?) -> null",
            "Hands out no further task of a queue, or of any.",
            move |caller, (queue,): (Option<String>,)| {
                let broker = Arc::clone(&pause);
                as_member(caller, move || async move {
                    broker.pause(queue.as_deref()).await
                })
            },
        )
        .method(
            "resume(queue: str?) -> null",
            "Hands out tasks again.",
            move |caller, (queue,): (Option<String>,)| {
                let broker = Arc::clone(&resume);
                as_member(caller, move || async move {
                    broker.resume(queue.as_deref()).await
                })
            },
        )
        .method(
            "scale(workers: int) -> int",
            "Asks for this many workers; answers how many there will be.",
            move |caller, (workers,): (usize,)| {
                let broker = Arc::clone(&scale);
                as_member(caller, move || async move { broker.scale(workers).await })
            },
        )
}

/// Does something for a member, and refuses it to whoever may only read.
fn as_member<T, Run>(
    caller: Caller,
    run: impl FnOnce() -> Run,
) -> impl Future<Output = Result<T, BrokerError>> + Send
where
    Run: Future<Output = Result<T, BrokerError>> + Send,
    T: Send,
{
    match require_role(Role::Member, &caller) {
        Ok(()) => Either::Left(run()),
        Err(fault) => Either::Right(ready(Err(BrokerError::Denied(fault.message)))),
    }
}

fn events(
    feed: &EventLog,
    broker: &Arc<dyn Broker>,
    from: Option<EventCursor>,
) -> impl Stream<Item = Result<EventPage, RemoteError>> + Send + use<> {
    let reader = feed.follow(broker, from);
    stream::unfold(reader, |mut reader| async move {
        let news = reader.next().await?;
        Some((Ok(news), reader))
    })
}

fn first_page() -> Query {
    Query {
        limit: 100,
        ..Query::default()
    }
}

/// As much of a page as fits into a frame. The rest is asked for from where it ends, as if the broker
/// had looked no further.
fn in_a_frame(query: &Query, mut page: Page) -> Page {
    let backwards = query.from.is_backwards();
    if backwards {
        page.tasks.reverse();
    }
    let mut room = ROOM;
    let mut fits = 0;
    for task in &page.tasks {
        let size = size(task);
        // One always fits: it is less than half of what a frame holds.
        if fits > 0 && size > room {
            break;
        }
        room = room.saturating_sub(size);
        fits += 1;
    }
    if fits < page.tasks.len() {
        page.tasks.truncate(fits);
        page.resume_at = page.tasks.last().map(|task| query.order.cursor(task));
    }
    if backwards {
        page.tasks.reverse();
    }
    page
}

fn size(task: &Task) -> usize {
    let texts = [task.result.as_deref(), task.error.as_deref()];
    let texts: usize = texts.into_iter().flatten().map(str::len).sum();
    TASK + texts + task.args.len() + task.name.len()
}

/// A task whose log fits into a frame: long errors are cut.
fn fitted(mut task: Task) -> Task {
    for attempt in &mut task.attempts_history {
        cut(&mut attempt.error);
    }
    task
}

fn cut(text: &mut Box<str>) {
    if text.len() > MAX_ERROR {
        let end = text.floor_char_boundary(MAX_ERROR);
        let mut short = text.get(..end).unwrap_or_default().to_owned();
        short.push('…');
        *text = short.into();
    }
}

//! A broker as an object. Whoever may read may look; whoever is a member may do everything else.

use std::{future::ready, sync::Arc};

use futures_util::{Stream, stream};

use super::{
    ROOM, TASK,
    contract::{
        ABOUT, BULK, BrokerInfo, CANCEL, COUNT, DEAD_LETTERS, EVENTS, GET, LIST, PAUSE, QUEUES,
        RESUME, RETRY, SCALE, STATS, SUBMIT, UNDO_CANCEL, WORKERS,
    },
    event_log::{EventCursor, EventLog, EventPage},
};
use crate::{
    net::rpc::{
        error::{Code, RemoteError},
        service::Service,
    },
    queue::{
        broker::Broker,
        error::BrokerError,
        query::{Page, Query},
        storage::Recovery,
        task::Task,
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

/// A broker and the log of its events, as the object's methods use them.
#[derive(Clone)]
struct Served {
    broker: Arc<dyn Broker>,
    events: EventLog,
    info: Arc<BrokerInfo>,
}

/// Serves a broker. `life` tells this start of the process from every other one; `recovery` is the outcome
/// of the start.
#[must_use]
pub fn object(broker: Arc<dyn Broker>, recovery: Recovery, life: u64) -> Service {
    let info = BrokerInfo {
        engine: broker.engine().to_owned(),
        capabilities: broker.capabilities(),
        recovery,
    };
    let served = Served {
        broker,
        events: EventLog::new(life),
        info: Arc::new(info),
    };
    let service = Service::new("Accepts tasks, runs them on workers and stores their results")
        .serve(&ABOUT, &served, |served, _, []| {
            ready(Ok::<_, RemoteError>(BrokerInfo::clone(&served.info)))
        })
        .serve_stream(&EVENTS, &served, |served, _, (from,)| {
            events(&served.events, &served.broker, from)
        });
    control(inspect(service, &served.broker), &served.broker)
}

fn inspect(service: Service, broker: &Arc<dyn Broker>) -> Service {
    service
        .serve(&GET, broker, |broker, _, (id,)| async move {
            broker.get(&id).await.map(|task| task.map(fitted))
        })
        .serve(&LIST, broker, |broker, _, (query,)| async move {
            let query = query.unwrap_or_else(first_page);
            let page = broker.list(query.clone()).await?;
            Ok::<_, BrokerError>(in_a_frame(&query, page))
        })
        .serve(&COUNT, broker, |broker, _, (filter,)| async move {
            broker.count(filter.unwrap_or_default()).await
        })
        .serve(&DEAD_LETTERS, broker, |broker, _, []| async move {
            let mut reasons = broker.dead_letters().await?;
            for reason in &mut reasons {
                cut(&mut reason.error);
            }
            Ok::<_, BrokerError>(reasons)
        })
        .serve(&STATS, broker, |broker, _, []| async move {
            broker.stats().await
        })
        .serve(&QUEUES, broker, |broker, _, []| async move {
            broker.queues().await
        })
        .serve(&WORKERS, broker, |broker, _, []| async move {
            let mut workers = broker.workers().await?;
            let each = ROOM / workers.len().max(1) / STRETCH;
            for worker in &mut workers {
                worker.timeline.truncate_oldest(each);
            }
            Ok::<_, BrokerError>(workers)
        })
}

fn control(service: Service, broker: &Arc<dyn Broker>) -> Service {
    service
        .serve(&SUBMIT, broker, |broker, _, (tasks, id)| async move {
            match id {
                Some(id) => broker.submit_idempotent(id, tasks).await,
                None => broker.submit(tasks).await,
            }
        })
        .serve(&CANCEL, broker, |broker, _, (id,)| async move {
            broker.cancel(&id).await
        })
        .serve(&UNDO_CANCEL, broker, |broker, _, (id,)| async move {
            broker.undo_cancel(&id).await
        })
        .serve(&RETRY, broker, |broker, _, (id,)| async move {
            broker.retry(&id).await
        })
        .serve(&BULK, broker, |broker, _, (action, filter)| async move {
            // A task of its own completes even if the caller disconnects.
            let applying = tokio::spawn(async move { broker.bulk(action, filter).await });
            applying.await.unwrap_or(Err(BrokerError::Closed))
        })
        .serve(&PAUSE, broker, |broker, _, (queue,)| async move {
            broker.pause(queue.as_deref()).await
        })
        .serve(&RESUME, broker, |broker, _, (queue,)| async move {
            broker.resume(queue.as_deref()).await
        })
        .serve(&SCALE, broker, |broker, _, (workers,)| async move {
            broker.scale(workers).await
        })
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

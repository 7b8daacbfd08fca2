//! A broker as a remote object. Readers may inspect it; members may also submit and control.

use std::{future::ready, sync::Arc};

use futures_util::{Stream, stream};

use super::{
    MAX_FRAME_TEXT, TASK_OVERHEAD,
    contract::{
        ABOUT, BULK, BrokerInfo, CANCEL, COUNT, DEAD_LETTERS, EVENTS, GET, HISTOGRAMS, LIST, PAUSE,
        QUEUES, RESUME, RETRY, SCALE, STATS, SUBMIT, UNDO_CANCEL, WORKERS,
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
        task::{Task, TaskFailure},
    },
};

/// The maximum size of one span of a timeline, in bytes.
const SPAN_SIZE: usize = 20;

/// Converts an error to a remote error that carries it as its detail.
impl From<BrokerError> for RemoteError {
    fn from(error: BrokerError) -> Self {
        let code = match &error {
            BrokerError::NotFound(_) => Code::NotFound,
            BrokerError::InvalidTask(_)
            | BrokerError::LimitExceeded(_)
            | BrokerError::InvalidTransition { .. }
            | BrokerError::IncompletePayload(_) => Code::BadArguments,
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

/// Serves a broker. `epoch` identifies this start of the process; `recovery` is the outcome
/// of the start.
#[must_use]
pub fn object(broker: Arc<dyn Broker>, recovery: Recovery, epoch: u64) -> Service {
    let info = BrokerInfo {
        engine: broker.engine().to_owned(),
        capabilities: broker.capabilities(),
        recovery,
    };
    let served = Served {
        broker,
        events: EventLog::new(epoch),
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
            let mut task = broker.get(&id).await?;
            task.iter_mut().for_each(shorten_errors);
            Ok::<_, BrokerError>(task)
        })
        .serve(&LIST, broker, |broker, _, (query,)| async move {
            let query = query.unwrap_or_else(first_page);
            let mut page = broker.list(query.clone()).await?;
            page.rows
                .iter_mut()
                .for_each(|row| shorten_errors(&mut row.task));
            Ok::<_, BrokerError>(fit_into_frame(&query, page))
        })
        .serve(&COUNT, broker, |broker, _, (filter,)| async move {
            broker.count(filter.unwrap_or_default()).await
        })
        .serve(&DEAD_LETTERS, broker, |broker, _, []| async move {
            let mut groups = broker.dead_letters().await?;
            groups.iter_mut().for_each(|group| group.error.truncate());
            Ok::<_, BrokerError>(groups)
        })
        .serve(&STATS, broker, |broker, _, []| async move {
            broker.stats().await
        })
        .serve(&QUEUES, broker, |broker, _, []| async move {
            broker.queues().await
        })
        .serve(&HISTOGRAMS, broker, |broker, _, []| async move {
            broker.histograms().await
        })
        .serve(&WORKERS, broker, |broker, _, []| async move {
            let mut workers = broker.workers().await?;
            let each = MAX_FRAME_TEXT / workers.len().max(1) / SPAN_SIZE;
            for worker in &mut workers {
                worker.timeline.truncate_oldest(each);
            }
            Ok::<_, BrokerError>(workers)
        })
}

fn control(service: Service, broker: &Arc<dyn Broker>) -> Service {
    service
        .serve(&SUBMIT, broker, |broker, _, (tasks, key)| async move {
            match key {
                Some(key) => broker.submit_idempotent(key, tasks).await,
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
    log: &EventLog,
    broker: &Arc<dyn Broker>,
    from: Option<EventCursor>,
) -> impl Stream<Item = Result<EventPage, RemoteError>> + Send + use<> {
    let reader = log.follow(broker, from);
    stream::unfold(reader, |mut reader| async move {
        let page = reader.next().await?;
        Some((Ok(page), reader))
    })
}

fn first_page() -> Query {
    Query {
        limit: 100,
        ..Query::default()
    }
}

/// Truncates a page to one frame. It resumes where it ends, as if the broker had scanned no further.
fn fit_into_frame(query: &Query, mut page: Page) -> Page {
    let backwards = query.from.is_backwards();
    if backwards {
        page.rows.reverse();
    }
    let mut room = MAX_FRAME_TEXT;
    let mut fits = 0;
    for task in page.tasks() {
        let size = size(task);
        // One task always fits: it is smaller than half a frame.
        if fits > 0 && size > room {
            break;
        }
        room = room.saturating_sub(size);
        fits += 1;
    }
    if fits < page.rows.len() {
        page.rows.truncate(fits);
        page.resume_at = page.rows.last().map(|row| row.cursor);
    }
    if backwards {
        page.rows.reverse();
    }
    page
}

fn size(task: &Task) -> usize {
    let result = task.result.as_ref().map_or(0, |result| result.len());
    let error = task.error.as_ref().map_or(0, TaskFailure::size);
    TASK_OVERHEAD + result + error + task.payload.size() + task.name.len()
}

/// Truncates long errors, so that the attempts fit into a frame.
fn shorten_errors(task: &mut Task) {
    let attempts = task.attempts_history.iter_mut();
    let errors = attempts.map(|attempt| &mut attempt.error);
    errors
        .chain(&mut task.error)
        .for_each(TaskFailure::truncate);
}

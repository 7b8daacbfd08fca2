//! A broker as a remote object. Readers may inspect it; members may also submit and control.

use std::{future::ready, sync::Arc};

use futures_util::{Stream, stream};

use super::{
    contract::{
        ABOUT, BULK, BrokerInfo, CANCEL, COUNT, DEAD_LETTERS, EVENTS, GET, HISTOGRAMS, LIST, PAUSE,
        QUEUES, RESUME, RETRY, SCALE, STATS, SUBMIT, UNDO_CANCEL, WORKERS,
    },
    event_log::{EventCursor, EventLog, EventPage},
    frame,
};
use crate::{
    net::{
        rpc::{
            error::{Code, RemoteError},
            object::Caller,
            service::Service,
        },
        trust::role::Role,
    },
    queue::{
        broker::Broker,
        error::BrokerError,
        limits::{LimitExceeded, MAX_NAME, MAX_SUBMIT_CALL, prefix},
        query::Query,
        storage::Recovery,
        submitter::Submitter,
    },
};

/// Converts an error to a remote error that carries it as its detail.
impl From<BrokerError> for RemoteError {
    fn from(error: BrokerError) -> Self {
        let code = match &error {
            BrokerError::NotFound(_) => Code::NotFound,
            BrokerError::InvalidTask(_)
            | BrokerError::LimitExceeded(_)
            | BrokerError::UnsupportedOption(_)
            | BrokerError::InvalidTransition { .. }
            | BrokerError::IncompletePayload(_) => Code::BadArguments,
            BrokerError::DuplicateKey { .. } => Code::Exists,
            BrokerError::Denied(_) => Code::Denied,
            BrokerError::Overloaded { .. } | BrokerError::OverQuota { .. } | BrokerError::Busy => {
                Code::Overloaded
            }
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
    let mut recovery = recovery;
    frame::fit_recovery(&mut recovery);
    let info = BrokerInfo {
        engine: prefix(broker.engine(), MAX_NAME).to_owned(),
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
            task.iter_mut().for_each(frame::fit_task);
            Ok::<_, BrokerError>(task)
        })
        .serve(&LIST, broker, |broker, _, (query,)| async move {
            let query = query.unwrap_or_else(first_page);
            let mut page = broker.list(query.clone()).await?;
            frame::fit_page(&query, &mut page);
            Ok::<_, BrokerError>(page)
        })
        .serve(&COUNT, broker, |broker, _, (filter,)| async move {
            broker.count(filter.unwrap_or_default()).await
        })
        .serve(&DEAD_LETTERS, broker, |broker, _, []| async move {
            let mut groups = broker.dead_letters().await?;
            frame::fit_groups(&mut groups);
            Ok::<_, BrokerError>(groups)
        })
        .serve(&STATS, broker, |broker, _, []| async move {
            let mut stats = broker.stats().await?;
            frame::fit_stats(&mut stats);
            Ok::<_, BrokerError>(stats)
        })
        .serve(&QUEUES, broker, |broker, _, []| async move {
            let mut queues = broker.queues().await?;
            frame::fit_queues(&mut queues);
            Ok::<_, BrokerError>(queues)
        })
        .serve(&HISTOGRAMS, broker, |broker, _, []| async move {
            let mut histograms = broker.histograms().await?;
            frame::fit_histograms(&mut histograms);
            Ok::<_, BrokerError>(histograms)
        })
        .serve(&WORKERS, broker, |broker, _, []| async move {
            let mut workers = broker.workers().await?;
            frame::fit_workers(&mut workers);
            Ok::<_, BrokerError>(workers)
        })
}

/// The submitter of a caller's tasks: admins submit for the owner.
fn submitter(caller: &Caller) -> Submitter {
    if caller.role >= Role::Admin {
        return Submitter::Owner;
    }
    Submitter::Member(caller.principal.to_string().into())
}

fn control(service: Service, broker: &Arc<dyn Broker>) -> Service {
    service
        .serve(&SUBMIT, broker, |broker, caller, (tasks, key)| async move {
            if tasks.len() > MAX_SUBMIT_CALL {
                return Err(LimitExceeded::SubmitCall(tasks.len()).into());
            }
            let capabilities = broker.capabilities();
            for task in &tasks {
                capabilities.check_options(&task.options)?;
            }
            broker.submit_for(submitter(&caller), key, tasks).await
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
            broker.bulk(action, filter).await
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

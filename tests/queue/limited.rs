//! An engine with fewer operations: external ids, no control of queues and workers, a cancel that only
//! requests, and a retry that submits the task anew. It stands for an engine of another system.

use std::{collections::BTreeSet, sync::Arc};

use distro_tui::queue::{
    broker::{Broker, BrokerFuture, CancelOutcome, Control, Engine, Inspect, RetryOutcome, Submit},
    bulk::check_retry,
    capabilities::{Capabilities, Operation},
    embedded::Embedded,
    error::{BrokerError, FailureGroup},
    event::{Event, EventBatch, Subscription},
    id::TaskId,
    options::TaskOption,
    payload::Payload,
    query::{Filter, Page, Query},
    state::State,
    stats::{Count, Stats},
    task::{NewTask, Receipt, Task},
    worker::WorkerStatus,
};
use futures_util::FutureExt;

/// Arguments that are longer are shown as a truncated representation.
const MAX_ARGS: usize = 2_000;

#[derive(Clone)]
pub(crate) struct Limited(pub(crate) Embedded);

/// The external id of a task.
fn external(id: &TaskId) -> TaskId {
    TaskId::External(format!("limited-{}", id.sequence().expect("a number")).into())
}

/// The id of the embedded engine; `None` for a task of another system.
fn inner(id: &TaskId) -> Option<TaskId> {
    match id {
        TaskId::External(text) => text.strip_prefix("limited-")?.parse().ok(),
        TaskId::Sequence(_) => None,
    }
}

fn inner_filter(filter: Filter) -> Filter {
    let ids = |ids: BTreeSet<TaskId>| ids.iter().filter_map(inner).collect();
    Filter {
        ids: filter.ids.map(ids),
        ..filter
    }
}

fn shown(mut task: Task) -> Task {
    task.id = external(&task.id);
    task.native_state = Some(task.state.as_str().to_uppercase().into());
    if task.payload.size() > MAX_ARGS {
        let text = task.payload.to_string();
        task.payload = Payload::Repr {
            args: text
                .chars()
                .take(MAX_ARGS)
                .chain(['…'])
                .collect::<String>()
                .into(),
            kwargs: "".into(),
        };
    }
    task
}

fn shown_event(mut event: Event) -> Event {
    match &mut event {
        Event::Submitted { id, .. }
        | Event::Started { id, .. }
        | Event::Finished { id, .. }
        | Event::Requeued { id }
        | Event::Duplicate { id }
        | Event::Stuck { id, .. } => *id = external(id),
        _ => {}
    }
    event
}

impl Limited {
    fn not_found(id: &TaskId) -> BrokerError {
        BrokerError::NotFound(id.clone())
    }
}

impl Engine for Limited {
    fn engine(&self) -> &'static str {
        "limited"
    }

    fn capabilities(&self) -> Capabilities {
        let operations = [
            Operation::Submit,
            Operation::Get,
            Operation::List,
            Operation::Count,
            Operation::DeadLetters,
            Operation::Stats,
            Operation::Workers,
            Operation::Cancel,
            Operation::Retry,
        ];
        let options = [TaskOption::Queue, TaskOption::Priority, TaskOption::Key];
        let set = operations
            .into_iter()
            .fold(Capabilities::NONE, Capabilities::with);
        options.into_iter().fold(set, Capabilities::with_option)
    }
}

impl Submit for Limited {
    fn submit(&self, tasks: Vec<NewTask>) -> BrokerFuture<'_, Vec<Receipt>> {
        async move {
            for task in &tasks {
                self.capabilities().check_options(&task.options)?;
            }
            let mut receipts = self.0.submit(tasks).await?;
            for receipt in &mut receipts {
                receipt.id = external(&receipt.id);
            }
            Ok(receipts)
        }
        .boxed()
    }
}

impl Inspect for Limited {
    fn get(&self, id: &TaskId) -> BrokerFuture<'_, Option<Task>> {
        let id = inner(id);
        async move {
            match id {
                Some(id) => Ok(self.0.get(&id).await?.map(shown)),
                None => Ok(None),
            }
        }
        .boxed()
    }

    fn list(&self, query: Query) -> BrokerFuture<'_, Page> {
        async move {
            let filter = inner_filter(query.filter);
            let mut page = self.0.list(Query { filter, ..query }).await?;
            for row in &mut page.rows {
                row.task = shown(row.task.clone());
            }
            Ok(page)
        }
        .boxed()
    }

    fn count(&self, filter: Filter) -> BrokerFuture<'_, Count> {
        async move {
            let count = self.0.count(inner_filter(filter)).await?;
            Ok(Count::AtLeast(count.known()))
        }
        .boxed()
    }

    fn dead_letters(&self) -> BrokerFuture<'_, Vec<FailureGroup>> {
        async move {
            let mut groups = self.0.dead_letters().await?;
            for group in &mut groups {
                group.newest = external(&group.newest);
            }
            Ok(groups)
        }
        .boxed()
    }

    fn stats(&self) -> BrokerFuture<'_, Stats> {
        async move {
            let stats = self.0.stats().await?;
            Ok(Stats {
                storage: None,
                lower_bounds: State::ALL.into_iter().filter(|s| s.is_finished()).collect(),
                ..stats
            })
        }
        .boxed()
    }

    fn workers(&self) -> BrokerFuture<'_, Vec<WorkerStatus>> {
        async move {
            let mut workers = self.0.workers().await?;
            for current in workers.iter_mut().filter_map(|w| w.current.as_mut()) {
                current.id = external(&current.id);
            }
            Ok(workers)
        }
        .boxed()
    }

    fn subscribe(&self) -> Subscription {
        let (batches, subscription) = async_channel::bounded(256);
        let events = self.0.subscribe();
        tokio::spawn(async move {
            while let Some(batch) = events.next().await {
                let events: Arc<[Event]> = batch.events.iter().cloned().map(shown_event).collect();
                if batches.send(EventBatch { events, ..batch }).await.is_err() {
                    return;
                }
            }
        });
        Subscription::new(subscription)
    }
}

impl Control for Limited {
    fn cancel(&self, id: &TaskId) -> BrokerFuture<'_, CancelOutcome> {
        let id = id.clone();
        async move {
            let own = inner(&id).ok_or_else(|| Self::not_found(&id))?;
            match self.0.cancel(&own).await {
                Ok(_) => Ok(CancelOutcome::Requested),
                Err(BrokerError::NotFound(_)) => Err(Self::not_found(&id)),
                Err(BrokerError::InvalidTransition { source, .. }) => {
                    Err(BrokerError::InvalidTransition { id, source })
                }
                Err(other) => Err(other),
            }
        }
        .boxed()
    }

    fn retry(&self, id: &TaskId) -> BrokerFuture<'_, RetryOutcome> {
        let id = id.clone();
        async move {
            let task = self.get(&id).await?.ok_or_else(|| Self::not_found(&id))?;
            check_retry(&task)?;
            let Payload::Json { args, kwargs } = &task.payload else {
                return Err(BrokerError::IncompletePayload(id));
            };
            let args = args.as_deref().or(kwargs.as_deref()).unwrap_or("[]");
            let again = NewTask::new(&*task.name, args);
            let receipts = self.submit(vec![again]).await?;
            Ok(RetryOutcome {
                id: receipts[0].id.clone(),
                state: State::Queued,
            })
        }
        .boxed()
    }
}

impl Broker for Limited {}

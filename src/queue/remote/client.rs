//! The other end: a broker that asks the one of another process.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::FutureExt;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    ROOM, TASK,
    contract::{
        ABOUT, BULK, BrokerInfo, CANCEL, COUNT, DEAD_LETTERS, EVENTS, GET, LIST, PAUSE, QUEUES,
        RESUME, RETRY, SCALE, STATS, SUBMIT, UNDO_CANCEL, WORKERS,
    },
};
use crate::{
    net::rpc::{
        client::{Client, DEADLINE, PeerAddr},
        error::{CallError, Code},
        service::{Method, Stub},
    },
    queue::{
        broker::{
            Broker, BrokerFuture, BulkAction, BulkOutcome, CancelOutcome, Control, Engine, Inspect,
            RetryOutcome, Submit,
        },
        capabilities::Capabilities,
        error::{BrokerError, FailureGroup},
        event::{EventBatch, Subscription},
        id::{IdempotencyKey, TaskId},
        query::{Filter, Page, Query},
        state::State,
        stats::{Count, QueueStatus, Stats},
        storage::Recovery,
        task::{NewTask, Receipt, Task},
        worker::WorkerStatus,
    },
    retry::Backoff,
    value::Encoded,
};

/// A submit whose answer was lost is said again for this long.
const PERSIST: Duration = Duration::from_secs(20);
/// What looks at many tasks, or does something to them, may take this long.
const LONG: Duration = Duration::from_secs(120);
/// Batches that wait for one subscriber; further ones are dropped and counted.
const MAX_BATCHES: usize = 256;

/// A broker of another process. Clones ask the same one.
#[derive(Clone)]
pub struct Remote(Arc<Inner>);

struct Inner {
    stub: Stub,
    /// Where the client's sockets and timers are.
    net: Handle,
    engine: String,
    capabilities: Capabilities,
    recovery: Recovery,
}

impl Remote {
    /// The broker that a process exposes under this name. `net` is the runtime that the client lives on.
    ///
    /// # Errors
    /// The call's own: it is asked what it is.
    pub async fn connect(
        net: Handle,
        client: Client,
        peer: PeerAddr,
        object: &str,
    ) -> Result<Self, CallError> {
        let stub = Stub::new(client, peer, object);
        let calling = stub.clone();
        let info = on(&net, async move { calling.call(&ABOUT, &[]).await });
        let BrokerInfo {
            engine,
            capabilities,
            recovery,
        } = info.await?;
        Ok(Self(Arc::new(Inner {
            stub,
            net,
            engine,
            capabilities,
            recovery,
        })))
    }

    /// What the process before had left to it, when it was connected to.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.0.recovery
    }

    /// Calls a method on the network's runtime; arguments and result are converted on the caller's.
    fn call<A, R>(
        &self,
        method: &'static Method<A, R>,
        args: A,
        deadline: Duration,
    ) -> BrokerFuture<'_, R>
    where
        A: Serialize + Send + Sync + 'static,
        R: DeserializeOwned + Send,
    {
        async move {
            let args = method.encode(&args).map_err(unheard)?;
            let result = self.call_encoded(method.name(), args, deadline).await;
            method.decode(&result.map_err(unheard)?).map_err(unheard)
        }
        .boxed()
    }

    async fn call_encoded(
        &self,
        method: &'static str,
        args: Encoded,
        deadline: Duration,
    ) -> Result<Encoded, CallError> {
        let stub = self.0.stub.clone();
        on(&self.0.net, async move {
            stub.call_encoded(method, &args, deadline).await
        })
        .await
    }

    /// Says a submit until it is answered. It has a name, so that however often it is heard it is taken
    /// once.
    async fn persist(
        &self,
        id: IdempotencyKey,
        tasks: Vec<NewTask>,
    ) -> Result<Vec<Receipt>, BrokerError> {
        let until = Instant::now() + PERSIST;
        let mut backoff = Backoff::default();
        let args = SUBMIT.encode(&(tasks, Some(id))).map_err(unheard)?;
        loop {
            match self
                .call_encoded(SUBMIT.name(), args.clone(), DEADLINE)
                .await
            {
                Ok(receipts) => return SUBMIT.decode(&receipts).map_err(unheard),
                // One that says no without a reason of a broker's is one that is just coming up.
                Err(CallError::Remote(fault))
                    if fault.code != Code::Expired
                        && !(fault.code == Code::NotFound && fault.detail.is_none()) =>
                {
                    return Err(unheard(CallError::Remote(fault)));
                }
                Err(CallError::Closed) => return Err(BrokerError::Closed),
                Err(error) => {
                    let delay = backoff.next_delay();
                    if Instant::now() + delay >= until {
                        return Err(BrokerError::Unreachable(format!(
                            "{error}; it may have been taken"
                        )));
                    }
                    tracing::debug!(%error, "a submit is said again");
                    sleep(delay).await;
                }
            }
        }
    }

    async fn submit_all(
        &self,
        id: IdempotencyKey,
        tasks: Vec<NewTask>,
    ) -> Result<Vec<Receipt>, BrokerError> {
        let mut receipts = Vec::with_capacity(tasks.len());
        for (part, tasks) in parts(tasks).enumerate() {
            // Each part has a name of its own that follows from the whole's.
            let id = IdempotencyKey(id.0.wrapping_add(part as u128));
            match self.persist(id, tasks).await {
                Ok(taken) => receipts.extend(taken),
                Err(why) if receipts.is_empty() => return Err(why),
                Err(why) => {
                    return Err(BrokerError::PartialSubmit {
                        accepted: receipts.len(),
                        source: Box::new(why),
                    });
                }
            }
        }
        Ok(receipts)
    }

    /// Follows events until nobody wants them, across lost connections and restarts of the other
    /// process.
    async fn follow(self, batches: async_channel::Sender<EventBatch>) {
        let (mut at, mut backoff, mut dropped) = (None, Backoff::default(), 0);
        while !self.0.stub.client().is_closed() {
            if let Ok(mut pages) = self.0.stub.open(&EVENTS, &(at,)).await {
                while let Ok(Some(news)) = pages.next().await {
                    backoff.reset();
                    at = Some(news.next);
                    // The first may be empty: it says that from here on nothing is missed, and that
                    // whoever has asked before should ask again.
                    let mut batch = news.batch;
                    let count = batch.events.len() as u64;
                    batch.dropped += dropped;
                    let lost = batch.dropped + count;
                    dropped = match batches.try_send(batch) {
                        Ok(()) => 0,
                        Err(async_channel::TrySendError::Full(_)) => lost,
                        Err(async_channel::TrySendError::Closed(_)) => return,
                    };
                }
            }
            sleep(backoff.next_delay()).await;
        }
    }
}

/// Runs where the sockets and timers are; dropping it stops it there.
async fn on<T: Send + 'static>(
    net: &Handle,
    work: impl Future<Output = Result<T, CallError>> + Send + 'static,
) -> Result<T, CallError> {
    AbortOnDropHandle::new(net.spawn(work))
        .await
        .unwrap_or(Err(CallError::Closed))
}

/// The broker's own refusal if it is one, or why it could not be asked.
fn unheard(error: CallError) -> BrokerError {
    match error {
        CallError::Closed => BrokerError::Closed,
        CallError::Remote(fault) => match fault.detail() {
            Some(refusal) => refusal,
            None if fault.code == Code::Denied => BrokerError::Denied(fault.message),
            None => BrokerError::Unreachable(fault.message),
        },
        other => BrokerError::Unreachable(other.to_string()),
    }
}

/// Splits tasks into as many at a time as fit into a frame.
fn parts(mut rest: Vec<NewTask>) -> impl Iterator<Item = Vec<NewTask>> {
    std::iter::from_fn(move || {
        let (mut room, mut fits) = (ROOM, 0);
        for task in &rest {
            let size = TASK / 2 + task.name.len() + task.args.len();
            if fits > 0 && size > room {
                break;
            }
            room = room.saturating_sub(size);
            fits += 1;
        }
        let behind = rest.split_off(fits);
        let part = std::mem::replace(&mut rest, behind);
        (!part.is_empty()).then_some(part)
    })
}

/// A name that nobody else gives.
fn name() -> IdempotencyKey {
    let mut bytes = [0; 16];
    match ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes) {
        Ok(()) => IdempotencyKey(u128::from_be_bytes(bytes)),
        // Without random numbers there is no connection either.
        Err(_unspecified) => IdempotencyKey(0),
    }
}

impl Engine for Remote {
    fn engine(&self) -> &str {
        &self.0.engine
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities
    }
}

impl Submit for Remote {
    fn submit(&self, tasks: Vec<NewTask>) -> BrokerFuture<'_, Vec<Receipt>> {
        self.submit_idempotent(name(), tasks)
    }

    fn submit_idempotent(
        &self,
        id: IdempotencyKey,
        tasks: Vec<NewTask>,
    ) -> BrokerFuture<'_, Vec<Receipt>> {
        self.submit_all(id, tasks).boxed()
    }
}

impl Inspect for Remote {
    fn get(&self, id: &TaskId) -> BrokerFuture<'_, Option<Task>> {
        self.call(&GET, (id.clone(),), DEADLINE)
    }

    fn list(&self, query: Query) -> BrokerFuture<'_, Page> {
        // A page is large, and a bad network slow.
        self.call(&LIST, (Some(query),), PERSIST)
    }

    fn count(&self, filter: Filter) -> BrokerFuture<'_, Count> {
        self.call(&COUNT, (Some(filter),), LONG)
    }

    fn dead_letters(&self) -> BrokerFuture<'_, Vec<FailureGroup>> {
        self.call(&DEAD_LETTERS, [], LONG)
    }

    fn stats(&self) -> BrokerFuture<'_, Stats> {
        self.call(&STATS, [], DEADLINE)
    }

    fn workers(&self) -> BrokerFuture<'_, Vec<WorkerStatus>> {
        self.call(&WORKERS, [], DEADLINE)
    }

    fn queues(&self) -> BrokerFuture<'_, Vec<QueueStatus>> {
        self.call(&QUEUES, [], DEADLINE)
    }

    fn subscribe(&self) -> Subscription {
        let (batches, subscription) = async_channel::bounded(MAX_BATCHES);
        let (unwanted, this) = (CancellationToken::new(), self.clone());
        let end = unwanted.clone().drop_guard();
        self.0.net.spawn(async move {
            unwanted.run_until_cancelled(this.follow(batches)).await;
        });
        Subscription::with_guard(subscription, end)
    }
}

impl Control for Remote {
    fn cancel(&self, id: &TaskId) -> BrokerFuture<'_, CancelOutcome> {
        self.call(&CANCEL, (id.clone(),), DEADLINE)
    }

    fn undo_cancel(&self, id: &TaskId) -> BrokerFuture<'_, State> {
        self.call(&UNDO_CANCEL, (id.clone(),), DEADLINE)
    }

    fn retry(&self, id: &TaskId) -> BrokerFuture<'_, RetryOutcome> {
        self.call(&RETRY, (id.clone(),), DEADLINE)
    }

    fn bulk(&self, deed: BulkAction, filter: Filter) -> BrokerFuture<'_, BulkOutcome> {
        self.call(&BULK, (deed, filter), LONG)
    }

    fn pause(&self, queue: Option<&str>) -> BrokerFuture<'_, ()> {
        self.call(&PAUSE, (queue.map(str::to_owned),), DEADLINE)
    }

    fn resume(&self, queue: Option<&str>) -> BrokerFuture<'_, ()> {
        self.call(&RESUME, (queue.map(str::to_owned),), DEADLINE)
    }

    fn scale(&self, workers: usize) -> BrokerFuture<'_, usize> {
        self.call(&SCALE, (workers,), DEADLINE)
    }
}

/// The broker belongs to another process, and a shutdown leaves it alone.
impl Broker for Remote {}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Remote({} at {})",
            self.0.stub.object(),
            self.0.stub.peer()
        )
    }
}

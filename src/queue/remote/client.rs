//! The client: a broker that calls the broker of another process.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::ready};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    contract::{
        ABOUT, BULK, BrokerInfo, CANCEL, COUNT, DEAD_LETTERS, EVENTS, GET, HISTOGRAMS, LIST, PAUSE,
        QUEUES, RESUME, RETRY, SCALE, STATS, SUBMIT, UNDO_CANCEL, WORKERS,
    },
    frame,
};
use crate::{
    cause::Cause,
    net::{
        rpc::{
            client::{Client, DEADLINE},
            error::{CallError, Code},
            service::{Method, Stub},
        },
        trust::peer_addr::PeerAddr,
    },
    queue::{
        broker::{
            Broker, BrokerFuture, BulkAction, BulkOutcome, CancelOutcome, Control, Engine, Inspect,
            RetryOutcome, Submit,
        },
        capabilities::{Capabilities, Operation},
        error::{BrokerError, FailureGroup},
        event::{EventBatch, Subscription},
        id::{IdempotencyKey, TaskId},
        query::{Filter, Page, Query},
        state::State,
        stats::{Count, NameHistograms, QueueStatus, Stats},
        storage::Recovery,
        task::{NewTask, Receipt, Task},
        worker::WorkerStatus,
    },
    retry::Backoff,
    value::Encoded,
};

/// The time for which a submit without a reply is repeated.
const SUBMIT_TIMEOUT: Duration = Duration::from_secs(20);
/// The deadline of operations on many tasks.
const BULK_DEADLINE: Duration = Duration::from_secs(120);
/// The maximum number of batches that wait for one subscriber; more are dropped and counted.
const MAX_BATCHES: usize = 256;

/// A client of the broker of another process. Clones share one connection.
#[derive(Clone)]
pub struct Remote(Arc<RemoteState>);

struct RemoteState {
    stub: Stub,
    /// The runtime of the client's sockets and timers.
    net: Handle,
    engine: String,
    capabilities: Capabilities,
    recovery: Recovery,
}

impl Remote {
    /// Connects to the broker that a process exposes under this name. `net` is the runtime of the client.
    ///
    /// # Errors
    /// Those of the call that asks for the engine.
    pub async fn connect(
        net: Handle,
        client: Client,
        peer: PeerAddr,
        object: &str,
    ) -> Result<Self, CallError> {
        let stub = Stub::new(client, peer, object);
        let calling = stub.clone();
        let info = run_on(&net, async move { calling.call(&ABOUT, &[]).await });
        let BrokerInfo {
            engine,
            capabilities,
            recovery,
        } = info.await?;
        Ok(Self(Arc::new(RemoteState {
            stub,
            net,
            engine,
            capabilities,
            recovery,
        })))
    }

    /// The recovery report of the broker's start, as of the connection.
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
            let args = method.encode(&args).map_err(map_error)?;
            let result = self.call_encoded(method.name(), args, deadline).await;
            method
                .decode(&result.map_err(map_error)?)
                .map_err(map_error)
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
        run_on(&self.0.net, async move {
            stub.call_encoded(method, &args, deadline).await
        })
        .await
    }

    /// Repeats a submit until there is a reply. Its key makes sure that it is accepted once; without
    /// a key it is sent only once.
    async fn submit_with_retry(
        &self,
        key: Option<IdempotencyKey>,
        tasks: Vec<NewTask>,
    ) -> Result<Vec<Receipt>, BrokerError> {
        let until = Instant::now() + SUBMIT_TIMEOUT;
        let mut backoff = Backoff::default();
        let args = SUBMIT.encode(&(tasks, key)).map_err(map_error)?;
        loop {
            match self
                .call_encoded(SUBMIT.name(), args.clone(), DEADLINE)
                .await
            {
                Ok(receipts) => return SUBMIT.decode(&receipts).map_err(map_error),
                // Without a broker's error as its detail, `NotFound` means that the broker is still starting.
                Err(CallError::Remote(error))
                    if error.code != Code::Expired
                        && !(error.code == Code::NotFound && error.detail.is_none()) =>
                {
                    return Err(map_error(CallError::Remote(error)));
                }
                Err(CallError::Closed) => return Err(BrokerError::Closed),
                Err(error) => {
                    let delay = backoff.next_delay();
                    if key.is_none() || Instant::now() + delay >= until {
                        return Err(BrokerError::Unreachable(Cause::described(
                            format!("{error}; the tasks may have been accepted"),
                            error,
                        )));
                    }
                    tracing::debug!(%error, "repeating a submit without a reply");
                    sleep(delay).await;
                }
            }
        }
    }

    async fn submit_all(
        &self,
        key: Option<IdempotencyKey>,
        tasks: Vec<NewTask>,
    ) -> Result<Vec<Receipt>, BrokerError> {
        let mut receipts = Vec::with_capacity(tasks.len());
        for (frame, tasks) in frames(tasks).enumerate() {
            // The key of each frame follows from the key of the submit.
            let key = key.map(|key| IdempotencyKey(key.0.wrapping_add(frame as u128)));
            match self.submit_with_retry(key, tasks).await {
                Ok(accepted) => receipts.extend(accepted),
                Err(error) if receipts.is_empty() => return Err(error),
                Err(error) => {
                    return Err(BrokerError::PartialSubmit {
                        accepted: receipts.len(),
                        source: Box::new(error),
                    });
                }
            }
        }
        Ok(receipts)
    }

    /// Forwards events until the subscription is dropped, across lost connections and restarts of the
    /// other process.
    async fn follow(self, batches: async_channel::Sender<EventBatch>) {
        let (mut at, mut backoff, mut dropped) = (None, Backoff::default(), 0);
        while !self.0.stub.client().is_closed() {
            if let Ok(mut pages) = self.0.stub.open(&EVENTS, &(at,)).await {
                while let Ok(Some(page)) = pages.next().await {
                    backoff.reset();
                    at = Some(page.next);
                    // The first batch may be empty: from here on nothing is missed, and a subscriber
                    // that has read tasks before reads them again.
                    let mut batch = page.batch;
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

/// Runs a call on the runtime of the network; dropping the future cancels it there.
async fn run_on<T: Send + 'static>(
    net: &Handle,
    work: impl Future<Output = Result<T, CallError>> + Send + 'static,
) -> Result<T, CallError> {
    AbortOnDropHandle::new(net.spawn(work))
        .await
        .unwrap_or(Err(CallError::Closed))
}

/// Returns the broker's own error if the call carries one.
fn map_error(error: CallError) -> BrokerError {
    match error {
        CallError::Closed => BrokerError::Closed,
        CallError::Remote(remote) => match remote.detail() {
            Some(error) => error,
            None if remote.code == Code::Denied => BrokerError::Denied(remote.message),
            None => BrokerError::Unreachable(Cause::from_error(remote)),
        },
        other => BrokerError::Unreachable(Cause::from_error(other)),
    }
}

/// Splits tasks into frames.
fn frames(mut rest: Vec<NewTask>) -> impl Iterator<Item = Vec<NewTask>> {
    std::iter::from_fn(move || {
        let behind = rest.split_off(frame::submit_size(&rest));
        let part = std::mem::replace(&mut rest, behind);
        (!part.is_empty()).then_some(part)
    })
}

/// Returns a random key.
fn new_key() -> IdempotencyKey {
    let mut bytes = [0; 16];
    match ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes) {
        Ok(()) => IdempotencyKey(u128::from_be_bytes(bytes)),
        // Without random numbers there is no connection.
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
        let idempotent = self.capabilities().supports(Operation::SubmitIdempotent);
        self.submit_all(idempotent.then(new_key), tasks).boxed()
    }

    fn submit_idempotent(
        &self,
        key: IdempotencyKey,
        tasks: Vec<NewTask>,
    ) -> BrokerFuture<'_, Vec<Receipt>> {
        if !self.capabilities().supports(Operation::SubmitIdempotent) {
            return ready(Err(self.unsupported(Operation::SubmitIdempotent))).boxed();
        }
        self.submit_all(Some(key), tasks).boxed()
    }
}

impl Inspect for Remote {
    fn get(&self, id: &TaskId) -> BrokerFuture<'_, Option<Task>> {
        self.call(&GET, (id.clone(),), DEADLINE)
    }

    fn list(&self, query: Query) -> BrokerFuture<'_, Page> {
        // A page is large, and a network may be slow.
        self.call(&LIST, (Some(query),), SUBMIT_TIMEOUT)
    }

    fn count(&self, filter: Filter) -> BrokerFuture<'_, Count> {
        self.call(&COUNT, (Some(filter),), BULK_DEADLINE)
    }

    fn dead_letters(&self) -> BrokerFuture<'_, Vec<FailureGroup>> {
        self.call(&DEAD_LETTERS, [], BULK_DEADLINE)
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

    fn histograms(&self) -> BrokerFuture<'_, Vec<NameHistograms>> {
        self.call(&HISTOGRAMS, [], DEADLINE)
    }

    fn subscribe(&self) -> Subscription {
        let (batches, subscription) = async_channel::bounded(MAX_BATCHES);
        let (dropped, this) = (CancellationToken::new(), self.clone());
        let end = dropped.clone().drop_guard();
        self.0.net.spawn(async move {
            dropped.run_until_cancelled(this.follow(batches)).await;
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

    fn bulk(&self, action: BulkAction, filter: Filter) -> BrokerFuture<'_, BulkOutcome> {
        self.call(&BULK, (action, filter), BULK_DEADLINE)
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

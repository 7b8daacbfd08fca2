//! The embedded engine, inside this process.
//!
//! One thread, the dispatcher, owns every unfinished task and handles commands and worker reports in
//! batches. It dispatches tasks through a short channel to workers on a runtime of their own, so that a
//! task that blocks a thread delays neither the screen nor the network. Tasks wait at the dispatcher,
//! where they are in order, and not in the channel; what is in the channel can be reclaimed. A change is
//! committed to the [store] before it is acknowledged.
//!
//! # The forms of a task
//!
//! A task changes its form only at a boundary:
//!
//! | form | where it is | why it is a type of its own |
//! |---|---|---|
//! | [`NewTask`] | from a client to the engine | text that nothing has checked yet |
//! | `ValidatedTask` | from the handle to the dispatcher | its function is found and its arguments fit |
//! | `LiveTask` | in the core, unfinished tasks only | what scheduling needs and no more: there can be a million |
//! | `Row` | in the store and its index | everything that is stored; `ColdFields` are those that few tasks have, `EndRow` those of finished ones |
//! | `Job` | from the dispatcher to a worker | one run, with the function and the arguments |
//! | [`Task`] | from the engine to a client | a row together with its current run, if it is running |
//!
//! Runs and changes are no forms of a task. A `Run` is the last or the current run; the core keeps it with
//! its deadlines as `ActiveRun`, and reads get it with the progress as `RunningInfo`. A `Reschedule` and a
//! `Completion` are the two changes that a row can undergo.

mod bulk;
mod command;
mod core;
mod dispatcher;
mod idempotency;
mod recovery;
mod retention_clock;
pub mod store;

pub use self::store::sqlite::backup::{BackupError, Restored, back_up, restore};

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use futures_util::{FutureExt, TryFutureExt};
use tokio::sync::oneshot;

use self::{
    command::{DispatcherCommand, Submission},
    core::ValidatedTask,
    dispatcher::{DispatcherParts, DispatcherThread},
};
use super::{
    broker::{
        Broker, BrokerFuture, BulkAction, BulkOutcome, CancelOutcome, Control, Engine, Inspect,
        RetryOutcome, ShutdownReport, Submit,
    },
    capabilities::Capabilities,
    clock::Clock,
    embedded::store::{
        Memory, OpenReport, Sqlite, Store,
        reads::{ReadRequest, ReadResponder},
    },
    error::{BrokerError, FailureGroup, StartError},
    event::Subscription,
    id::{IdempotencyKey, TaskId},
    index::rows::StorageError,
    limits::{LimitExceeded, MAX_SUBMIT, MAX_WORKERS, check_queue_name},
    options::BrokerLimits,
    query::{Filter, Page, Query},
    registry::Registry,
    state::State,
    stats::{Count, NameHistograms, QueueStatus, Stats},
    storage::{Durability, Recovery, StorageConfig},
    submitter::Submitter,
    task::{NewTask, Receipt, Task},
    worker::WorkerStatus,
};
use crate::{cause::Cause, health::Findings};

/// The capacity of the command channel; further callers wait.
const MAX_COMMANDS: usize = 1_024;
/// The event batches that wait for one subscriber; further ones are dropped and counted.
const MAX_BATCHES: usize = 256;

/// The configuration of an embedded engine.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Workers at the start, up to [`MAX_WORKERS`]; with none, tasks wait until the pool is scaled.
    pub workers: usize,
    /// The limits of the backlog and of runs.
    pub limits: BrokerLimits,
    /// The store of the tasks.
    pub store: StorageConfig,
    /// The list to which the engine reports what is wrong.
    pub findings: Findings,
    /// Ends the process at a certain point, to test that nothing is lost.
    #[doc(hidden)]
    pub fail_point: Option<store::ArmedFailPoint>,
}

impl Default for BrokerConfig {
    /// One worker per CPU and at least two, with tasks in memory.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            workers: cores.clamp(2, MAX_WORKERS),
            limits: BrokerLimits::default(),
            store: StorageConfig::default(),
            findings: Findings::default(),
            fail_point: None,
        }
    }
}

impl BrokerConfig {
    /// The effective durability: without a folder, tasks are in memory.
    fn durability(&self) -> Durability {
        match self.store.folder {
            Some(_) => self.store.durability,
            None => Durability::Memory,
        }
    }

    fn survives(&self) -> bool {
        self.durability() != Durability::Memory
    }
}

fn store_error(StorageError(why): StorageError) -> StartError {
    StartError::Store(why)
}

/// A handle to an embedded engine. Clones share the engine; [`Broker::shutdown`] stops it.
#[derive(Clone)]
pub struct Embedded(Arc<Handle>);

struct Handle {
    registry: Registry,
    commands: async_channel::Sender<DispatcherCommand>,
    thread: Mutex<Option<JoinHandle<()>>>,
    recovery: Recovery,
}

impl Embedded {
    /// Opens the store, and starts the dispatcher and its workers.
    ///
    /// # Errors
    /// [`StartError`] when a thread cannot be started, or the task file cannot be used: it is locked by
    /// another process, belongs to another program or a newer version, or the disk reports an error.
    pub fn start(config: BrokerConfig, registry: Registry) -> Result<Self, StartError> {
        Self::start_with(config, registry, Clock::start())
    }

    /// Like [`Embedded::start`], with an injected clock.
    ///
    /// # Errors
    /// As [`Embedded::start`].
    pub fn start_with(
        config: BrokerConfig,
        registry: Registry,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let (store, opened): (Box<dyn Store>, OpenReport) = if config.survives() {
            let opened = Sqlite::open(&config.store, &config.findings, config.fail_point);
            let (store, opened) = opened.map_err(|e| StartError::Store(Cause::from_error(e)))?;
            (Box::new(store), opened)
        } else {
            (
                Box::new(Memory::new(config.store.retention)),
                OpenReport::default(),
            )
        };
        let (commands, inbox) = async_channel::bounded(MAX_COMMANDS);
        let start = DispatcherParts {
            config,
            registry: registry.clone(),
            clock,
            store,
            opened,
            commands: inbox,
        };
        let (dispatcher, recovery) = DispatcherThread::new(start)?;
        let thread = std::thread::Builder::new()
            .name("broker".into())
            .spawn(move || dispatcher.run())?;
        Ok(Self(Arc::new(Handle {
            registry,
            commands,
            thread: Mutex::new(Some(thread)),
            recovery,
        })))
    }

    /// The recovery report of the start.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.0.recovery
    }

    fn read<'a, T: Send + 'a>(
        &'a self,
        request: impl FnOnce(ReadResponder<T>) -> ReadRequest,
    ) -> BrokerFuture<'a, T> {
        self.try_request(|reply| DispatcherCommand::Read(request(reply)))
    }

    /// Sends a command and waits for its reply.
    fn request<'a, T: Send + 'a>(
        &'a self,
        command: impl FnOnce(oneshot::Sender<T>) -> DispatcherCommand,
    ) -> BrokerFuture<'a, T> {
        let (sender, reply) = oneshot::channel();
        let command = command(sender);
        async move {
            self.0
                .commands
                .send(command)
                .await
                .map_err(|_closed| BrokerError::Closed)?;
            reply.await.map_err(|_closed| BrokerError::Closed)
        }
        .boxed()
    }

    fn try_request<'a, T: Send + 'a>(
        &'a self,
        command: impl FnOnce(oneshot::Sender<Result<T, BrokerError>>) -> DispatcherCommand,
    ) -> BrokerFuture<'a, T> {
        self.request(command).map(|reply| reply?).boxed()
    }

    fn submit_with_key(
        &self,
        submitter: Submitter,
        tasks: Vec<NewTask>,
        key: Option<IdempotencyKey>,
    ) -> BrokerFuture<'_, Vec<Receipt>> {
        match self.validate(tasks) {
            Ok(tasks) => {
                let key = key.map(|key| submitter.scoped_key(key));
                let submit = Submission {
                    submitter,
                    tasks,
                    key,
                };
                self.try_request(|reply| DispatcherCommand::Submit(submit, reply))
            }
            Err(invalid) => futures_util::future::ready(Err(invalid)).boxed(),
        }
    }

    fn set_paused(&self, queue: Option<&str>, paused: bool) -> BrokerFuture<'_, ()> {
        if let Some(Err(why)) = queue.map(check_queue_name) {
            return rejected(why);
        }
        let queue = queue.map(str::to_owned);
        self.try_request(|reply| DispatcherCommand::Pause(queue, paused, reply))
    }

    fn validate(&self, tasks: Vec<NewTask>) -> Result<Vec<ValidatedTask>, BrokerError> {
        if tasks.len() > MAX_SUBMIT {
            return Err(LimitExceeded::Submit(tasks.len()).into());
        }
        tasks
            .into_iter()
            .map(|task| {
                let function = self.0.registry.resolve(&task)?;
                Ok(ValidatedTask::new(function, task))
            })
            .collect()
    }
}

/// The reply to a request that is over a limit.
fn rejected<'a, T: Send + 'a>(why: LimitExceeded) -> BrokerFuture<'a, T> {
    futures_util::future::ready(Err(why.into())).boxed()
}

impl Engine for Embedded {
    fn engine(&self) -> &'static str {
        "embedded"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::all()
    }
}

impl Submit for Embedded {
    fn submit(&self, tasks: Vec<NewTask>) -> BrokerFuture<'_, Vec<Receipt>> {
        self.submit_with_key(Submitter::Owner, tasks, None)
    }

    fn submit_idempotent(
        &self,
        id: IdempotencyKey,
        tasks: Vec<NewTask>,
    ) -> BrokerFuture<'_, Vec<Receipt>> {
        self.submit_with_key(Submitter::Owner, tasks, Some(id))
    }

    fn submit_for(
        &self,
        submitter: Submitter,
        key: Option<IdempotencyKey>,
        tasks: Vec<NewTask>,
    ) -> BrokerFuture<'_, Vec<Receipt>> {
        self.submit_with_key(submitter, tasks, key)
    }
}

impl Inspect for Embedded {
    fn get(&self, id: &TaskId) -> BrokerFuture<'_, Option<Task>> {
        let id = id.clone();
        self.read(|reply| ReadRequest::Get(id, reply))
    }

    fn list(&self, query: Query) -> BrokerFuture<'_, Page> {
        if let Err(why) = query.filter.check_limits() {
            return rejected(why);
        }
        self.read(|reply| ReadRequest::List(query, reply))
    }

    fn count(&self, filter: Filter) -> BrokerFuture<'_, Count> {
        if let Err(why) = filter.check_limits() {
            return rejected(why);
        }
        self.read(|reply| ReadRequest::Count(filter, reply))
    }

    fn dead_letters(&self) -> BrokerFuture<'_, Vec<FailureGroup>> {
        self.read(ReadRequest::FailureGroups)
    }

    fn stats(&self) -> BrokerFuture<'_, Stats> {
        self.request(DispatcherCommand::Stats)
    }

    fn workers(&self) -> BrokerFuture<'_, Vec<WorkerStatus>> {
        self.request(DispatcherCommand::Workers)
    }

    fn queues(&self) -> BrokerFuture<'_, Vec<QueueStatus>> {
        self.request(DispatcherCommand::Queues)
    }

    fn histograms(&self) -> BrokerFuture<'_, Vec<NameHistograms>> {
        self.request(DispatcherCommand::Histograms)
    }

    fn subscribe(&self) -> Subscription {
        let (batches, subscription) = async_channel::bounded(MAX_BATCHES);
        // Events are only for display, so nobody waits for room in the command channel.
        let subscribe = DispatcherCommand::Subscribe(batches);
        match self.0.commands.try_send(subscribe) {
            Err(async_channel::TrySendError::Full(_)) => Subscription::busy(),
            Ok(()) | Err(async_channel::TrySendError::Closed(_)) => Subscription::new(subscription),
        }
    }
}

impl Control for Embedded {
    fn cancel(&self, id: &TaskId) -> BrokerFuture<'_, CancelOutcome> {
        let id = id.clone();
        let state = self.try_request(|reply| DispatcherCommand::Cancel(id, reply));
        let outcome = |state| match state {
            State::Cancelled => CancelOutcome::Cancelled,
            _ => CancelOutcome::Requested,
        };
        state.map_ok(outcome).boxed()
    }

    fn undo_cancel(&self, id: &TaskId) -> BrokerFuture<'_, State> {
        let id = id.clone();
        self.try_request(|reply| DispatcherCommand::UndoCancel(id, reply))
    }

    fn retry(&self, id: &TaskId) -> BrokerFuture<'_, RetryOutcome> {
        let id = id.clone();
        let retried = id.clone();
        let state = self.try_request(|reply| DispatcherCommand::Retry(id, reply));
        state
            .map_ok(|state| RetryOutcome { id: retried, state })
            .boxed()
    }

    fn bulk(&self, action: BulkAction, filter: Filter) -> BrokerFuture<'_, BulkOutcome> {
        if let Err(why) = filter.check_limits() {
            return rejected(why);
        }
        self.try_request(|reply| DispatcherCommand::Bulk(action, filter, reply))
    }

    fn pause(&self, queue: Option<&str>) -> BrokerFuture<'_, ()> {
        self.set_paused(queue, true)
    }

    fn resume(&self, queue: Option<&str>) -> BrokerFuture<'_, ()> {
        self.set_paused(queue, false)
    }

    fn scale(&self, workers: usize) -> BrokerFuture<'_, usize> {
        self.request(|reply| DispatcherCommand::Scale(workers, reply))
    }
}

impl Broker for Embedded {
    fn shutdown(&self, grace: Duration) -> BrokerFuture<'_, ShutdownReport> {
        let requested = self.request(|reply| DispatcherCommand::Shutdown(grace, reply));
        async move {
            let report = requested.await?;
            self.0.commands.close();
            let thread = self
                .0
                .thread
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(thread) = thread {
                // It has replied and only has its locals left to drop.
                thread.join().ok();
            }
            Ok(report)
        }
        .boxed()
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Embedded")
    }
}

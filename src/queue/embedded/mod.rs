//! The engine inside this process: nothing to install, nothing to configure.
//!
//! One thread, the dispatcher, owns the truth about every task ([`core`](self)) and takes commands
//! and reports in batches. It hands tasks over through a short channel to workers on a runtime of
//! their own, so that a task that hogs a processor delays neither the screen nor the network. A task
//! waits at the dispatcher and never in the channel: what is in the channel can be called back, but
//! only what waits at the dispatcher is in order.
//!
//! What changes is kept before anybody hears of it: a round of commands and reports is one commit, and
//! answers wait for it.

mod bulk;
mod command;
pub(crate) mod core;
mod dispatcher;
mod recovery;

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use futures_util::FutureExt;
use tokio::sync::oneshot;

use self::{
    command::DispatcherCommand,
    core::ValidatedTask,
    dispatcher::{DispatcherParts, ThreadGuard},
};
pub use self::{core::CoreLimits, recovery::Recovery};
use super::{
    broker::{
        Broker, BrokerError, BrokerFuture, BulkAction, BulkOutcome, FailureGroup, NameHistograms,
        ShutdownReport, Stats, Subscription,
    },
    clock::Clock,
    embedded::store::{
        Durability, Memory, OpenReport, Sqlite, Store, StoreError,
        reads::{ReadRequest, ReadResponder},
    },
    query::{Filter, Page, Query},
    registry::Registry,
    task::{IdempotencyKey, NewTask, Receipt, State, Task, TaskId},
    worker::WorkerStatus,
};

/// The most workers that can be asked for.
pub const MAX_WORKERS: usize = 256;
/// Commands that wait for the dispatcher; further callers wait for room.
const MAX_COMMANDS: usize = 1_024;
/// Batches of events that wait for one subscriber; further ones are dropped and counted.
const MAX_BATCHES: usize = 256;

/// How an engine is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerConfig {
    /// Workers at the start, up to [`MAX_WORKERS`]; with none, tasks wait until some are asked for.
    pub workers: usize,
    /// How much it takes, and what it grants.
    pub limits: CoreLimits,
    /// How tasks are kept.
    pub store: store::StoreConfig,
}

impl Default for BrokerConfig {
    /// As many workers as the machine has processors, and at least two; everything in memory.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            workers: cores.clamp(2, MAX_WORKERS),
            limits: CoreLimits::default(),
            store: store::StoreConfig::default(),
        }
    }
}

impl BrokerConfig {
    /// How safely tasks are kept; without a folder that is in memory, whatever is asked for.
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

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system has no more threads.
    #[error("cannot start the broker: {0}")]
    Threads(#[from] std::io::Error),
    /// The file is not to be had.
    #[error("cannot start the broker: {0}")]
    Store(String),
}

fn unreadable(StoreError(why): StoreError) -> StartError {
    StartError::Store(why)
}

/// The embedded engine. Clones are handles to the same one; [`Broker::shutdown`] stops it.
#[derive(Clone)]
pub struct Embedded(Arc<Handle>);

struct Handle {
    registry: Registry,
    commands: async_channel::Sender<DispatcherCommand>,
    thread: Mutex<Option<JoinHandle<()>>>,
    recovery: Recovery,
}

impl Embedded {
    /// Opens what is kept, and starts the dispatcher and its workers.
    ///
    /// # Errors
    /// [`StartError`] when the system has no more threads, or the file cannot be used: another process
    /// has it, it was made by another program or a newer version, or the disk refuses.
    pub fn start(config: BrokerConfig, registry: Registry) -> Result<Self, StartError> {
        Self::start_with(config, registry, Clock::start())
    }

    /// The same with a clock of one's own.
    ///
    /// # Errors
    /// As [`Embedded::start`].
    pub fn start_with(
        config: BrokerConfig,
        registry: Registry,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let (store, opened): (Box<dyn Store>, OpenReport) = if config.survives() {
            let opened = Sqlite::open(&config.store);
            let (store, opened) = opened.map_err(|e| StartError::Store(e.to_string()))?;
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
        let (dispatcher, recovery) = ThreadGuard::new(start)?;
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

    /// The names of the tasks that it can run.
    pub fn task_names(&self) -> impl Iterator<Item = &str> {
        self.0.registry.names()
    }

    /// What the process before had left.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.0.recovery
    }

    /// How long runs waited and took, by name, since the start.
    pub fn histograms(&self) -> BrokerFuture<'_, Vec<NameHistograms>> {
        self.ask(DispatcherCommand::Histograms)
    }

    fn question<'a, T: Send + 'a>(
        &'a self,
        question: impl FnOnce(ReadResponder<T>) -> ReadRequest,
    ) -> BrokerFuture<'a, T> {
        self.try_ask(|answer| DispatcherCommand::Ask(question(answer)))
    }

    fn ask<'a, T: Send + 'a>(
        &'a self,
        command: impl FnOnce(oneshot::Sender<T>) -> DispatcherCommand,
    ) -> BrokerFuture<'a, T> {
        let (answer, reply) = oneshot::channel();
        let command = command(answer);
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

    fn try_ask<'a, T: Send + 'a>(
        &'a self,
        command: impl FnOnce(oneshot::Sender<Result<T, BrokerError>>) -> DispatcherCommand,
    ) -> BrokerFuture<'a, T> {
        self.ask(command).map(|answer| answer?).boxed()
    }

    fn take(
        &self,
        tasks: Vec<NewTask>,
        name: Option<IdempotencyKey>,
    ) -> BrokerFuture<'_, Vec<Receipt>> {
        match self.accept(tasks) {
            Ok(tasks) => self.try_ask(|answer| DispatcherCommand::Submit(tasks, name, answer)),
            Err(refused) => futures_util::future::ready(Err(refused)).boxed(),
        }
    }

    fn accept(&self, tasks: Vec<NewTask>) -> Result<Vec<ValidatedTask>, BrokerError> {
        tasks
            .into_iter()
            .map(|task| {
                let function = self.0.registry.find(&task)?;
                Ok(ValidatedTask::new(function, task))
            })
            .collect()
    }
}

impl Broker for Embedded {
    fn engine(&self) -> &'static str {
        "embedded"
    }

    fn submit(&self, tasks: Vec<NewTask>) -> BrokerFuture<'_, Vec<Receipt>> {
        self.take(tasks, None)
    }

    fn submit_idempotent(
        &self,
        id: IdempotencyKey,
        tasks: Vec<NewTask>,
    ) -> BrokerFuture<'_, Vec<Receipt>> {
        self.take(tasks, Some(id))
    }

    fn get(&self, id: TaskId) -> BrokerFuture<'_, Option<Task>> {
        self.question(|answer| ReadRequest::Get(id, answer))
    }

    fn list(&self, query: Query) -> BrokerFuture<'_, Page> {
        self.question(|answer| ReadRequest::List(query, answer))
    }

    fn count(&self, filter: Filter) -> BrokerFuture<'_, usize> {
        self.question(|answer| ReadRequest::Count(filter, answer))
    }

    fn reasons(&self) -> BrokerFuture<'_, Vec<FailureGroup>> {
        self.question(ReadRequest::Reasons)
    }

    fn cancel(&self, id: TaskId) -> BrokerFuture<'_, State> {
        self.try_ask(|answer| DispatcherCommand::Cancel(id, answer))
    }

    fn restore(&self, id: TaskId) -> BrokerFuture<'_, State> {
        self.try_ask(|answer| DispatcherCommand::Restore(id, answer))
    }

    fn retry(&self, id: TaskId) -> BrokerFuture<'_, State> {
        self.try_ask(|answer| DispatcherCommand::Retry(id, answer))
    }

    fn bulk(&self, deed: BulkAction, filter: Filter) -> BrokerFuture<'_, BulkOutcome> {
        self.try_ask(|answer| DispatcherCommand::Bulk(deed, filter, answer))
    }

    fn pause(&self, queue: Option<&str>) -> BrokerFuture<'_, ()> {
        let queue = queue.map(str::to_owned);
        self.ask(|answer| DispatcherCommand::Pause(queue, true, answer))
    }

    fn resume(&self, queue: Option<&str>) -> BrokerFuture<'_, ()> {
        let queue = queue.map(str::to_owned);
        self.ask(|answer| DispatcherCommand::Pause(queue, false, answer))
    }

    fn stats(&self) -> BrokerFuture<'_, Stats> {
        self.ask(DispatcherCommand::Stats)
    }

    fn workers(&self) -> BrokerFuture<'_, Vec<WorkerStatus>> {
        self.ask(DispatcherCommand::Workers)
    }

    fn scale(&self, workers: usize) -> BrokerFuture<'_, usize> {
        self.ask(|answer| DispatcherCommand::Scale(workers, answer))
    }

    fn subscribe(&self) -> Subscription {
        let (batches, subscription) = async_channel::bounded(MAX_BATCHES);
        // With the command queue full or the broker gone, the subscription ends at once and the
        // subscriber asks again; it is only for showing.
        self.0
            .commands
            .try_send(DispatcherCommand::Subscribe(batches))
            .ok();
        Subscription::new(subscription)
    }

    fn shutdown(&self, grace: Duration) -> BrokerFuture<'_, ShutdownReport> {
        let asked = self.ask(|answer| DispatcherCommand::Shutdown(grace, answer));
        async move {
            let drained = asked.await?;
            self.0.commands.close();
            let thread = self
                .0
                .thread
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(thread) = thread {
                // It has answered and only has its locals left to drop.
                thread.join().ok();
            }
            Ok(drained)
        }
        .boxed()
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Embedded")
    }
}
mod idempotency;
pub mod store;

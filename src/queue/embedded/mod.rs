//! The engine inside this process: nothing to install, nothing to configure.
//!
//! One thread, the dispatcher, owns the truth about every task ([`core`](self)) and takes commands
//! and reports in batches. It hands tasks over through a short channel to workers on a runtime of
//! their own, so that a task that hogs a processor delays neither the screen nor the network. A task
//! waits at the dispatcher and never in the channel: what is in the channel can be called back, but
//! only what waits at the dispatcher is in order.

mod core;
mod dispatcher;
mod pool;

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use futures_util::FutureExt;
use tokio::sync::oneshot;

pub use self::core::Limits;
use self::{
    core::Accepted,
    dispatcher::{Command, Dispatcher},
};
use super::{
    broker::{Broker, BrokerError, Drained, Reply, Stats, Subscription},
    query::{Filter, Page, Query},
    registry::Registry,
    task::{NewTask, State, Task, TaskId},
    worker::WorkerStatus,
};

/// The most workers that can be asked for.
pub const MAX_WORKERS: usize = 256;
/// Commands that wait for the dispatcher; further callers wait for room.
const MAX_COMMANDS: usize = 1_024;
/// Batches of events that wait for one subscriber; further ones are dropped and counted.
const MAX_BATCHES: usize = 256;

/// How an engine is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Workers at the start, 1 to [`MAX_WORKERS`].
    pub workers: usize,
    /// How much it holds.
    pub limits: Limits,
}

impl Default for Config {
    /// As many workers as the machine has processors, and at least two.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            workers: cores.clamp(2, MAX_WORKERS),
            limits: Limits::default(),
        }
    }
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the broker: {0}")]
pub struct StartError(#[from] std::io::Error);

/// The embedded engine. Clones are handles to the same one; [`Broker::shutdown`] stops it.
#[derive(Clone)]
pub struct Embedded(Arc<Handle>);

struct Handle {
    registry: Registry,
    commands: async_channel::Sender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Embedded {
    /// Starts the dispatcher and its workers.
    ///
    /// # Errors
    /// [`StartError`] when the system has no more threads.
    pub fn start(config: Config, registry: Registry) -> Result<Self, StartError> {
        let (commands, inbox) = async_channel::bounded(MAX_COMMANDS);
        let dispatcher = Dispatcher::new(config, inbox)?;
        let thread = std::thread::Builder::new()
            .name("broker".into())
            .spawn(move || dispatcher.run())?;
        Ok(Self(Arc::new(Handle {
            registry,
            commands,
            thread: Mutex::new(Some(thread)),
        })))
    }

    /// The names of the tasks that it can run.
    pub fn task_names(&self) -> impl Iterator<Item = &str> {
        self.0.registry.names()
    }

    fn ask<'a, T: Send + 'a>(
        &'a self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Reply<'a, T> {
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
        command: impl FnOnce(oneshot::Sender<Result<T, BrokerError>>) -> Command,
    ) -> Reply<'a, T> {
        self.ask(command).map(|answer| answer?).boxed()
    }

    fn accept(&self, tasks: Vec<NewTask>) -> Result<Vec<Accepted>, BrokerError> {
        tasks
            .into_iter()
            .map(|task| {
                let function = self.0.registry.find(&task.name, &task.args)?;
                Ok(Accepted {
                    function,
                    args: task.args.into(),
                    options: task.options,
                })
            })
            .collect()
    }
}

impl Broker for Embedded {
    fn engine(&self) -> &'static str {
        "embedded"
    }

    fn submit(&self, tasks: Vec<NewTask>) -> Reply<'_, Vec<TaskId>> {
        match self.accept(tasks) {
            Ok(tasks) => self.try_ask(|answer| Command::Submit(tasks, answer)),
            Err(refused) => futures_util::future::ready(Err(refused)).boxed(),
        }
    }

    fn get(&self, id: TaskId) -> Reply<'_, Option<Task>> {
        self.ask(|answer| Command::Get(id, answer))
    }

    fn list(&self, query: Query) -> Reply<'_, Page> {
        self.ask(|answer| Command::List(query, answer))
    }

    fn cancel(&self, id: TaskId) -> Reply<'_, State> {
        self.try_ask(|answer| Command::Cancel(id, answer))
    }

    fn retry(&self, id: TaskId) -> Reply<'_, State> {
        self.try_ask(|answer| Command::Retry(id, answer))
    }

    fn pause(&self) -> Reply<'_, ()> {
        self.ask(|answer| Command::Pause(true, answer))
    }

    fn resume(&self) -> Reply<'_, ()> {
        self.ask(|answer| Command::Pause(false, answer))
    }

    fn purge(&self, filter: Filter) -> Reply<'_, usize> {
        self.ask(|answer| Command::Purge(filter, answer))
    }

    fn stats(&self) -> Reply<'_, Stats> {
        self.ask(Command::Stats)
    }

    fn workers(&self) -> Reply<'_, Vec<WorkerStatus>> {
        self.ask(Command::Workers)
    }

    fn scale(&self, workers: usize) -> Reply<'_, usize> {
        self.ask(|answer| Command::Scale(workers, answer))
    }

    fn subscribe(&self) -> Subscription {
        let (batches, subscription) = async_channel::bounded(MAX_BATCHES);
        // With the command queue full or the broker gone, the subscription ends at once and the
        // subscriber asks again; it is only for showing.
        self.0.commands.try_send(Command::Subscribe(batches)).ok();
        Subscription {
            batches: subscription,
        }
    }

    fn shutdown(&self, grace: Duration) -> Reply<'_, Drained> {
        let asked = self.ask(|answer| Command::Shutdown(grace, answer));
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

//! Engines with tasks that the tests control.

use std::{net::SocketAddr, path::Path, sync::Arc};

use distro_tui::{
    net::{
        rpc::endpoint::Endpoint,
        trust::{identity::Identity, members::Members, peer_addr::PeerAddr, role::Role},
    },
    queue::{
        add,
        broker::{Broker, Inspect},
        capabilities::Operation,
        context::Context,
        embedded::{BrokerConfig, Embedded},
        id::TaskId,
        options::BrokerLimits,
        query::Query,
        registry::{Registry, TaskError},
        remote::{self, Remote},
        state::State,
        storage::{Recovery, StorageConfig},
        task::{NewTask, Task},
    },
};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::{runtime::Handle, sync::Semaphore};

use crate::limited::Limited;

#[derive(Deserialize)]
struct Nothing {}

/// The error of tasks named `typed`.
#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct Refusal(#[source] std::num::ParseIntError);

/// Tasks named `gate` wait until a permit is added.
pub(crate) struct Engine {
    pub(crate) broker: Embedded,
    pub(crate) gate: Arc<Semaphore>,
}

/// An engine of any kind, with the same tasks.
pub(crate) struct Subject {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) gate: Arc<Semaphore>,
}

impl Subject {
    /// Returns true if the engine supports every one of these operations.
    pub(crate) fn supports(&self, operations: &[Operation]) -> bool {
        let capabilities = self.broker.capabilities();
        let supported = |operation: &Operation| capabilities.supports(*operation);
        operations.iter().all(supported)
    }
}

/// A kind of engine.
#[derive(Default)]
pub(crate) struct Setup {
    /// The folder of the task file, for a durable engine.
    folder: Option<TempDir>,
    /// True for an engine that is used over the network.
    remote: bool,
    /// True for an engine with fewer operations.
    limited: bool,
}

impl Setup {
    pub(crate) fn in_memory() -> Self {
        Self::default()
    }

    pub(crate) fn over_the_network() -> Self {
        Self {
            remote: true,
            ..Self::default()
        }
    }

    pub(crate) fn limited() -> Self {
        Self {
            limited: true,
            ..Self::default()
        }
    }

    pub(crate) fn limited_over_the_network() -> Self {
        Self {
            remote: true,
            ..Self::limited()
        }
    }

    pub(crate) fn in_a_file() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            folder: Some(folder),
            ..Self::default()
        }
    }

    pub(crate) async fn subject(&self, workers: usize, limits: BrokerLimits) -> Subject {
        let Engine { broker, gate } = self.engine(workers, limits);
        let broker: Arc<dyn Broker> = match self.limited {
            true => Arc::new(Limited(broker)),
            false => Arc::new(broker),
        };
        let broker: Arc<dyn Broker> = match self.remote {
            true => Arc::new(served(broker).await),
            false => broker,
        };
        Subject { broker, gate }
    }

    pub(crate) fn config(&self, workers: usize, limits: BrokerLimits) -> BrokerConfig {
        BrokerConfig {
            workers,
            limits,
            store: StorageConfig {
                folder: self.folder.as_ref().map(|folder| folder.path().to_owned()),
                ..StorageConfig::default()
            },
            ..BrokerConfig::default()
        }
    }

    pub(crate) fn engine(&self, workers: usize, limits: BrokerLimits) -> Engine {
        start(self.config(workers, limits))
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().expect("it has a file").path()
    }
}

/// A broker behind a socket.
pub(crate) async fn served(broker: Arc<dyn Broker>) -> Remote {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let identity = || Identity::ephemeral().expect("random numbers");
    let (server, client) = (identity(), identity());
    let members = Members::self_only(server.public());
    members.admit(client.public(), Role::Member);
    let server = Endpoint::bind(anywhere, &server, members).expect("a free port");
    let object = remote::object(broker, Recovery::default(), 1);
    server.objects().expose(remote::NAME, Arc::new(object));
    let members = Members::self_only(client.public());
    let client = Endpoint::bind(anywhere, &client, members).expect("a free port");
    let peer = PeerAddr {
        addr: server.local_addr().expect("bound"),
        key: server.key(),
    };
    Remote::connect(Handle::current(), client.client(), peer, remote::NAME)
        .await
        .expect("it answers")
}

pub(crate) fn start(config: BrokerConfig) -> Engine {
    let (registry, gate) = registry();
    let broker = Embedded::start(config, registry).expect("starts");
    Engine { broker, gate }
}

pub(crate) fn registry() -> (Registry, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let mut registry = Registry::new();
    add::register(&mut registry);
    registry.register("panic", |_: Nothing, _: Context| async {
        if true {
            panic!("on purpose");
        }
        Ok(String::new())
    });
    registry.register("quiet-panic", |_: Nothing, _: Context| async {
        // A panic that does not call the panic hook.
        if true {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        Ok(String::new())
    });
    registry.register("fail", |_: Nothing, _: Context| async {
        Err::<String, _>(TaskError::permanent("it is broken"))
    });
    registry.register("typed", |_: Nothing, _: Context| async {
        let cause = "x".parse::<u8>().map_err(Refusal);
        cause.map_err(|refusal| match TaskError::from_error(&refusal) {
            TaskError::Retryable(failure) | TaskError::Permanent(failure) => {
                TaskError::Permanent(failure)
            }
        })?;
        Ok(String::new())
    });
    registry.register("gate", {
        let gate = Arc::clone(&gate);
        move |_: Nothing, _: Context| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.map_err(TaskError::permanent)?.forget();
                Ok("true".into())
            }
        }
    });
    registry.register("spin", |_: Nothing, _: Context| async {
        loop {
            std::hint::spin_loop();
        }
    });
    registry.register("twice", |_: Nothing, context: Context| async move {
        if context.attempt() < 3 {
            return Err(TaskError::retryable(format!(
                "attempt {} failed",
                context.attempt()
            )));
        }
        Ok("true".into())
    });
    registry.register("abort", |_: Nothing, _: Context| async {
        std::process::abort();
    });
    registry.register("overflow", |_: Nothing, _: Context| async {
        Ok(recurse(1).to_string())
    });
    registry.register("steps", {
        let gate = Arc::clone(&gate);
        move |_: Nothing, context: Context| {
            let gate = Arc::clone(&gate);
            async move {
                for step in 1..=4 {
                    context.progress(step, 4);
                    gate.acquire().await.map_err(TaskError::permanent)?.forget();
                }
                Ok("true".into())
            }
        }
    });
    registry.register("polite", |_: Nothing, context: Context| async move {
        context.stop_requested().await;
        Ok("\"in order\"".into())
    });
    registry.register("lock", |_: Nothing, _: Context| async {
        let mutex = std::sync::Mutex::new(());
        let _held = mutex.lock();
        // Blocks forever on a channel that nobody writes to.
        let (_sender, receiver) = std::sync::mpsc::channel::<()>();
        receiver.recv().map_err(TaskError::permanent)?;
        Ok(String::new())
    });
    (registry, gate)
}

/// Overflows the stack.
fn recurse(n: u64) -> u64 {
    let room = std::hint::black_box([n; 512]);
    if n == 0 { 0 } else { recurse(n + 1) + room[7] }
}

pub(crate) fn task(name: &str) -> NewTask {
    NewTask::new(name, "{}")
}

pub(crate) fn sum(x: u64, y: u64) -> NewTask {
    NewTask::new("add", format!("[{x},{y}]"))
}

pub(crate) async fn submit(broker: &dyn Broker, task: NewTask) -> TaskId {
    let receipts = broker.submit(vec![task]).await.expect("taken");
    receipts.first().expect("one").id.clone()
}

pub(crate) async fn all(broker: &dyn Broker, tasks: Vec<NewTask>) -> Vec<TaskId> {
    let receipts = broker.submit(tasks).await.expect("taken");
    receipts.into_iter().map(|receipt| receipt.id).collect()
}

/// Waits until a task is in a state. It reads the task after each event, so it depends on no time.
pub(crate) async fn until(broker: &dyn Broker, id: &TaskId, state: State) -> Task {
    let events = broker.subscribe();
    loop {
        let task = broker.get(id).await.expect("answers").expect("known");
        if task.state == state {
            return task;
        }
        assert!(
            !task.state.is_finished(),
            "{id} is {}, not {state}",
            task.state
        );
        events.next().await.expect("the broker lives");
    }
}

pub(crate) async fn count(broker: &dyn Broker, state: State) -> usize {
    broker.stats().await.expect("answers").count(state)
}

pub(crate) async fn newest(broker: &dyn Broker, limit: usize) -> Vec<Task> {
    let query = Query {
        limit,
        ..Query::default()
    };
    let page = broker.list(query).await.expect("answers");
    page.into_tasks().collect()
}

/// The sequence number of a task.
pub(crate) fn number(id: &TaskId) -> u64 {
    id.sequence().expect("a sequence number")
}

/// Waits until the task file has been checked once.
pub(crate) async fn checked(broker: &Embedded) {
    loop {
        let stats = broker.stats().await.expect("answers");
        let storage = stats.storage.expect("it has a file");
        if storage.last_check.is_some() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

//! An engine with tasks that can be watched and steered.

use std::sync::Arc;

use distro_tui::queue::{
    add,
    broker::Broker,
    embedded::{Config, Embedded, Limits},
    query::Query,
    registry::{Context, Registry, TaskError},
    task::{NewTask, State, Task, TaskId},
};
use serde::Deserialize;
use tokio::sync::Semaphore;

#[derive(Deserialize)]
struct Nothing {}

/// Tasks named `gate` wait until a permit is added.
pub(crate) struct Engine {
    pub(crate) broker: Embedded,
    pub(crate) gate: Arc<Semaphore>,
}

pub(crate) fn engine(workers: usize, limits: Limits) -> Engine {
    let gate = Arc::new(Semaphore::new(0));
    let mut registry = Registry::new();
    add::register(&mut registry);
    registry.register("panic", |_: Nothing, _: Context| async {
        if true {
            panic!("on purpose");
        }
        Ok(String::new())
    });
    registry.register("fail", |_: Nothing, _: Context| async {
        Err::<String, _>(TaskError::fatal("it is broken"))
    });
    registry.register("gate", {
        let gate = Arc::clone(&gate);
        move |_: Nothing, _: Context| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.map_err(TaskError::fatal)?.forget();
                Ok("true".into())
            }
        }
    });
    registry.register("spin", |_: Nothing, _: Context| async {
        loop {
            std::hint::spin_loop();
        }
    });
    let broker = Embedded::start(Config { workers, limits }, registry).expect("threads");
    Engine { broker, gate }
}

pub(crate) fn task(name: &str) -> NewTask {
    NewTask::new(name, "{}")
}

pub(crate) fn sum(x: u64, y: u64) -> NewTask {
    NewTask::new("add", format!("[{x},{y}]"))
}

pub(crate) async fn submit(broker: &dyn Broker, task: NewTask) -> TaskId {
    let ids = broker.submit(vec![task]).await.expect("taken");
    *ids.first().expect("one id")
}

/// Waits until a task is in a state. It asks again whenever something has happened, so it waits for
/// events and not for time.
pub(crate) async fn until(broker: &dyn Broker, id: TaskId, state: State) -> Task {
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
    broker.list(query).await.expect("answers").tasks
}

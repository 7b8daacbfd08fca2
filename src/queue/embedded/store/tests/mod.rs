//! The behaviour of a store, tested with both.

use std::time::Duration;

use tokio::sync::oneshot;

use super::{
    reads::{ReadRequest, ReadResponder},
    *,
};
use crate::health::Findings;
use crate::queue::{
    clock::Timestamp,
    error::FailureGroup,
    id::{TaskId, WorkerId, WorkerNumber},
    index::{
        row::{ColdFields, Completion, EndRow, ExecOverrides, Reschedule, Row, Run, RunningInfo},
        rows::Running,
    },
    options::{KeyPolicy, TaskKey},
    query::{Filter, Order, Page, PageStart, Query},
    state::State,
    stats::Count,
    storage::{Retention, StorageConfig},
    task::Task,
};

/// Runs every test with every store.
macro_rules! on_every_store {
    ($($test:ident),* $(,)?) => {
        mod in_memory {
            $(#[test]
            fn $test() {
                super::$test(super::Kind::Memory);
            })*
        }
        mod in_a_file {
            $(#[test]
            fn $test() {
                super::$test(super::Kind::File);
            })*
        }
    };
}

mod pages;
mod retention;
mod rows;

#[derive(Clone, Copy)]
enum Kind {
    Memory,
    File,
}

/// A store, and its folder if it has one.
struct TestStore {
    inner: Box<dyn Store>,
    _folder: Option<tempfile::TempDir>,
    running: Running,
    last_id: u64,
}

const DAY: Duration = Duration::from_secs(86_400);

fn at(ms: u64) -> Timestamp {
    Timestamp(ms * 1_000)
}

impl TestStore {
    fn new(kind: Kind) -> Self {
        Self::with(kind, Retention::default())
    }

    fn with(kind: Kind, retention: Retention) -> Self {
        let (store, folder): (Box<dyn Store>, _) = match kind {
            Kind::Memory => (Box::new(Memory::new(retention)), None),
            Kind::File => {
                let folder = tempfile::tempdir().expect("a folder");
                let config = StorageConfig {
                    folder: Some(folder.path().to_owned()),
                    retention,
                    ..StorageConfig::default()
                };
                let (store, _) = Sqlite::open(&config, &Findings::default(), None).expect("opens");
                (Box::new(store), Some(folder))
            }
        };
        Self {
            inner: store,
            _folder: folder,
            running: Running::new(),
            last_id: 0,
        }
    }

    fn commit(&mut self, changes: impl IntoIterator<Item = StoreChange>) {
        let mut changes = changes.into_iter().collect();
        self.inner.commit(&mut changes).expect("there is room");
        assert!(changes.is_empty());
    }

    fn row(&mut self) -> Row {
        self.last_id += 1;
        let mut row = Row::new(self.last_id, "add".into(), "[2,3]".into(), at(self.last_id));
        row.priority = 5;
        row.max_attempts = 5;
        row
    }

    fn insert_new(&mut self) -> u64 {
        let row = self.row();
        let id = row.id;
        self.commit([StoreChange::New(Box::new(row))]);
        id
    }

    fn complete(&mut self, id: u64, state: State, run_micros: u64, ttl: Duration) {
        let failed = state == State::Failed;
        let end = EndRow {
            finished_at: at(id),
            evict_at: at(id).after(ttl),
            last_run: Some(Run {
                started_at: at(id),
                wait_micros: 7,
                run_micros,
                worker: WorkerNumber(2),
            }),
            result: (!failed).then(|| "5".into()),
        };
        let ended = Completion {
            state,
            attempts: 1,
            crashes: 0,
            error: failed.then(|| Box::new("it is broken\nbecause".into())),
            end,
        };
        self.commit([StoreChange::Completion(id, ended)]);
    }

    fn read<T>(&mut self, request: impl FnOnce(ReadResponder<T>) -> ReadRequest) -> T {
        let (sender, reply) = oneshot::channel();
        let running = Arc::new(self.running.clone());
        self.inner.read(request(sender).begin(running));
        reply.blocking_recv().expect("answered").expect("readable")
    }

    fn list(&mut self, filter: &Filter, order: Order, from: PageStart, limit: usize) -> Page {
        let query = Query {
            filter: filter.clone(),
            order,
            from,
            limit,
        };
        self.read(|reply| ReadRequest::List(query, reply))
    }

    fn ids(&mut self, filter: &str) -> Vec<u64> {
        let filter = Filter::parse(filter).expect("reads");
        let page = self.list(&filter, Order::Oldest, PageStart::First, 1_000);
        let count = self.read(|reply| ReadRequest::Count(filter, reply));
        assert_eq!(count, Count::Exact(page.rows.len()));
        page.tasks()
            .map(|task| task.id.sequence().expect("ours"))
            .collect()
    }

    fn get(&mut self, id: u64) -> Option<Task> {
        self.read(|reply| ReadRequest::Get(TaskId::Sequence(id), reply))
    }

    /// Tasks in every state, some of them slow.
    fn mix(&mut self) {
        for n in 0..36 {
            let id = self.insert_new();
            match n % 4 {
                0 => {}
                1 => self.complete(id, State::Succeeded, (n * 7_919) % 11_000, DAY),
                2 => self.complete(id, State::Failed, n % 5, DAY),
                _ => {
                    let live = RunningInfo {
                        run: Run {
                            worker: WorkerNumber(1),
                            started_at: at(id),
                            wait_micros: 0,
                            run_micros: 0,
                        },
                        attempts: 1,
                        cancelling: false,
                        progress: None,
                    };
                    self.running.insert(id, live);
                }
            }
        }
    }
}

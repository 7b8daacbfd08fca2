//! Bulk actions while the store fails, on a paused clock.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::time::{Instant, timeout};

use super::*;
use crate::cause::Cause;
use crate::queue::{
    add,
    broker::{BulkAction, Control, Inspect, Submit},
    embedded::{
        Embedded, Handle, MAX_COMMANDS,
        bulk::PAGE_SIZE,
        store::{Memory, SubmitRow, SweepReport},
    },
    index::{
        row::Row,
        rows::{Running, StorageError},
    },
    query::{Filter, Query},
    state::State,
    stats::Percentiles,
    storage::Retention,
    task::NewTask,
};

/// The number of tasks of a bulk action: more than two pages.
const TASKS: usize = 2 * PAGE_SIZE + 1;
/// The time for which the store fails.
const OUTAGE: Duration = Duration::from_secs(10);

/// A store whose commits fail on demand.
struct FailingStore {
    inner: Memory,
    outage: Outage,
}

/// The switch of a [`FailingStore`], and the times of its failed commits.
#[derive(Clone, Default)]
struct Outage {
    on: Arc<AtomicBool>,
    failed: Arc<Mutex<Vec<Instant>>>,
}

impl Outage {
    fn begin(&self) {
        self.on.store(true, Ordering::Relaxed);
    }

    /// Ends it, and returns the times of the commits that failed.
    fn end(&self) -> Vec<Instant> {
        self.on.store(false, Ordering::Relaxed);
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *failed)
    }
}

impl Store for FailingStore {
    fn for_each_unfinished(&mut self, each: &mut dyn FnMut(Row)) -> Result<(), StorageError> {
        self.inner.for_each_unfinished(each)
    }

    fn commit(&mut self, changes: &mut Vec<StoreChange>) -> Result<(), StorageError> {
        if self.outage.on.load(Ordering::Relaxed) {
            let mut failed = self.outage.failed.lock().expect("not poisoned");
            failed.push(Instant::now());
            return Err(StorageError(Cause::from_message("the disk is full")));
        }
        self.inner.commit(changes)
    }

    fn args(&mut self, id: u64) -> Result<Arc<str>, StorageError> {
        self.inner.args(id)
    }

    fn row(&mut self, id: u64) -> Result<Option<Row>, StorageError> {
        self.inner.row(id)
    }

    fn list(&mut self, running: &Running, query: &Query) -> Result<Page, StorageError> {
        self.inner.list(running, query)
    }

    fn read(&mut self, running: &Arc<Running>, request: ReadRequest) {
        self.inner.read(running, request);
    }

    fn finished_counts(&self) -> [usize; State::COUNT] {
        self.inner.finished_counts()
    }

    fn sweep(&mut self, now: Timestamp) -> Result<SweepReport, StorageError> {
        self.inner.sweep(now)
    }

    fn is_over_retention(&self) -> bool {
        self.inner.is_over_retention()
    }

    fn usage(&mut self) -> (u64, Percentiles) {
        self.inner.usage()
    }

    fn submits(&mut self) -> Result<Vec<SubmitRow>, StorageError> {
        self.inner.submits()
    }

    fn close(&mut self) {
        self.inner.close();
    }
}

/// Runs a script against a dispatcher without workers, both on one runtime with a paused clock.
fn run<S: Future<Output = ()>>(script: impl FnOnce(Embedded, Outage) -> S) {
    let outage = Outage::default();
    let store = FailingStore {
        inner: Memory::new(Retention::default()),
        outage: outage.clone(),
    };
    let mut registry = Registry::new();
    add::register(&mut registry);
    let (commands, inbox) = async_channel::bounded(MAX_COMMANDS);
    let parts = DispatcherParts {
        config: BrokerConfig {
            workers: 0,
            ..BrokerConfig::default()
        },
        registry: registry.clone(),
        clock: Clock::start(),
        store: Box::new(store),
        opened: OpenReport::default(),
        commands: inbox,
    };
    let (thread, recovery) = DispatcherThread::new(parts).expect("starts");
    let broker = Embedded(Arc::new(Handle {
        registry,
        commands,
        thread: Mutex::new(None),
        recovery,
    }));
    let DispatcherThread {
        runtime,
        dispatcher,
    } = thread;
    let dispatcher = runtime.block_on(async {
        tokio::time::pause();
        tokio::join!(dispatcher.run(), script(broker, outage)).0
    });
    drop(runtime);
    dispatcher.end();
}

async fn submit_and_cancel(broker: &Embedded) {
    let tasks = vec![NewTask::new("add", "[1,1]"); TASKS];
    broker.submit(tasks).await.expect("accepted");
    cancel(broker).await;
}

async fn cancel(broker: &Embedded) {
    let cancelled = broker.bulk(BulkAction::Cancel, Filter::default()).await;
    assert_eq!(cancelled.expect("cancels").done, TASKS);
}

/// Applies an action while the store fails, and checks that it waits, and finishes when the store
/// has recovered.
async fn survives_an_outage(broker: &Embedded, outage: &Outage, action: BulkAction) {
    outage.begin();
    let mut bulk = broker.bulk(action, Filter::default());
    let early = timeout(OUTAGE, &mut bulk).await;
    assert!(early.is_err(), "it waits: {early:?}");
    let stats = broker.stats().await.expect("replies");
    assert_eq!(stats.evicted, 0);
    let storage = stats.storage.expect("it has a storage");
    assert!(storage.persist_error.is_some());
    assert!(storage.unpersisted <= PAGE_SIZE, "{}", storage.unpersisted);

    let failed = outage.end();
    // The last attempt is that of the round that replied with the statistics.
    let gaps = failed.windows(2).map(|pair| pair[1] - pair[0]);
    let regular: Vec<Duration> = gaps.take(failed.len().saturating_sub(2)).collect();
    assert!(regular.len() >= 5, "it is retried: {regular:?}");
    let slow = regular.iter().all(|gap| *gap >= PERSIST_RETRY);
    assert!(slow, "{regular:?}");
    assert_eq!(bulk.await.expect("finishes").done, TASKS);
}

#[test]
fn bulk_actions_wait_while_the_store_fails() {
    run(|broker, outage| async move {
        submit_and_cancel(&broker).await;
        survives_an_outage(&broker, &outage, BulkAction::Retry).await;
        let stats = broker.stats().await.expect("replies");
        assert_eq!(stats.count(State::Queued), TASKS);
        assert_eq!(stats.storage.expect("it has a storage").unpersisted, 0);
    });
}

#[test]
fn purged_tasks_are_counted_when_they_are_stored() {
    run(|broker, outage| async move {
        submit_and_cancel(&broker).await;
        let events = broker.subscribe();
        survives_an_outage(&broker, &outage, BulkAction::Purge).await;
        let stats = broker.stats().await.expect("replies");
        assert_eq!((stats.evicted, stats.unfinished()), (TASKS as u64, 0));
        let mut purged = 0;
        while purged < TASKS {
            let batch = events.next().await.expect("open");
            for event in batch.events.iter() {
                match event {
                    crate::queue::event::Event::Purged { count } => purged += count,
                    // Nothing was purged before the store had recovered.
                    crate::queue::event::Event::Persistence(true) => assert_eq!(purged, PAGE_SIZE),
                    _ => {}
                }
            }
        }
        assert_eq!(purged, TASKS);
    });
}

//! Bulk actions in steps, and while the store fails, on a paused clock.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::time::{Instant, timeout};

use super::*;
use crate::cause::Cause;
use crate::queue::{
    add,
    broker::{Broker, BulkAction, Control, Inspect, Submit},
    clock::TimeSource,
    embedded::{
        Embedded, Handle, MAX_COMMANDS,
        bulk::{MAX_BULK_ACTIONS, PAGE_SIZE},
        store::{Memory, StoreUsage, SubmitRow, SweepReport, reads::ActiveRead},
    },
    error::BrokerError,
    id::IdempotencyKey,
    index::{row::Row, rows::StorageError, step::STEP},
    query::{Filter, Query},
    state::{State, StateSet},
    storage::Retention,
    submitter::Submitter,
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

    fn finished_at(&mut self, id: u64) -> Result<Option<Timestamp>, StorageError> {
        self.inner.finished_at(id)
    }

    /// Executes a read at once: a paused clock does not wait for another thread.
    fn read(&mut self, read: Box<dyn ActiveRead>) {
        let mut rest = Some(read);
        while let Some(read) = rest {
            rest = read.step(&*self.inner.rows(), STEP);
        }
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

    fn usage(&mut self) -> StoreUsage {
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
    run_with(Clock::start(), script);
}

fn run_with<S: Future<Output = ()>>(clock: Clock, script: impl FnOnce(Embedded, Outage) -> S) {
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
        clock,
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

/// Waits until the dispatcher has cancelled some tasks, and returns their number.
async fn cancelled(broker: &Embedded) -> usize {
    loop {
        let stats = broker.stats().await.expect("replies");
        match stats.count(State::Cancelled) {
            0 => {}
            cancelled => return cancelled,
        }
    }
}

#[test]
fn a_submit_is_acknowledged_between_two_steps_of_a_bulk_action() {
    run(|broker, _| async move {
        let tasks = vec![NewTask::new("add", "[1,1]"); 10 * PAGE_SIZE];
        broker.submit(tasks).await.expect("accepted");
        let queued = Filter::default().within(StateSet::from_iter([State::Queued]));
        let bulk = broker.bulk(BulkAction::Cancel, queued);
        let submits = async {
            let before = cancelled(&broker).await;
            let submitted = broker.submit(vec![NewTask::new("add", "[2,2]")]).await;
            submitted.expect("accepted");
            let page = broker.list(Query::default()).await.expect("reads");
            assert_eq!(page.rows.len(), 1, "a page is read meanwhile, too");
            (before, cancelled(&broker).await)
        };
        let (outcome, (before, after)) = tokio::join!(bulk, submits);
        assert_eq!(outcome.expect("cancels").done, 10 * PAGE_SIZE + 1);
        assert!(
            before <= after && after < 10 * PAGE_SIZE,
            "{before}, {after}"
        );
    });
}

#[test]
fn a_round_applies_a_bulk_action_to_a_limited_number_of_tasks() {
    run(|broker, _| async move {
        let tasks = vec![NewTask::new("add", "[1,1]"); 4 * PAGE_SIZE];
        broker.submit(tasks).await.expect("accepted");
        let events = broker.subscribe();
        let cancelled = broker.bulk(BulkAction::Cancel, Filter::default()).await;
        assert_eq!(cancelled.expect("cancels").done, 4 * PAGE_SIZE);
        let mut seen = 0;
        while seen < 4 * PAGE_SIZE {
            let batch = events.next().await.expect("open");
            // The events of one round have one time.
            assert!(batch.events.len() <= PAGE_SIZE, "{}", batch.events.len());
            seen += batch.events.len();
        }
    });
}

#[test]
fn stopping_ends_a_bulk_action_between_two_steps_and_tells_what_was_done() {
    run(|broker, _| async move {
        let tasks = vec![NewTask::new("add", "[1,1]"); 10 * PAGE_SIZE];
        broker.submit(tasks).await.expect("accepted");
        let stopped = broker.clone();
        let bulk = broker.bulk(BulkAction::Cancel, Filter::default());
        let stop = async {
            let before = cancelled(&stopped).await;
            // Its reply comes when the dispatcher has ended, which is after this script.
            let stop = timeout(OUTAGE, stopped.shutdown(Duration::from_secs(1)));
            assert!(stop.await.is_err());
            before
        };
        let (outcome, before) = tokio::join!(bulk, stop);
        let Err(BrokerError::PartialBulk { done, source }) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(*source, BrokerError::Closed);
        assert_eq!(done % PAGE_SIZE, 0, "whole steps");
        assert!(done >= before && done < 10 * PAGE_SIZE, "{before}, {done}");
    });
}

#[test]
fn an_abandoned_bulk_action_ends_after_the_step_it_is_in() {
    run(|broker, _| async move {
        let tasks = vec![NewTask::new("add", "[1,1]"); 10 * PAGE_SIZE];
        broker.submit(tasks).await.expect("accepted");
        let bulk = broker.bulk(BulkAction::Cancel, Filter::default());
        let leave = timeout(OUTAGE, cancelled(&broker));
        let done = tokio::select! {
            biased;
            outcome = bulk => panic!("{outcome:?}"),
            done = leave => done.expect("in time"),
        };
        // One more step may be under way.
        let stats = broker.stats().await.expect("replies");
        let end = stats.count(State::Cancelled);
        assert!(end <= done + PAGE_SIZE, "{done}, {end}");
        for _ in 0..10 {
            let stats = broker.stats().await.expect("replies");
            assert_eq!(stats.count(State::Cancelled), end);
        }
    });
}

#[test]
fn further_bulk_actions_are_rejected_while_many_are_in_progress() {
    run(|broker, outage| async move {
        let tasks = vec![NewTask::new("add", "[1,1]"); TASKS];
        broker.submit(tasks).await.expect("accepted");
        outage.begin();
        let cancel = || broker.bulk(BulkAction::Cancel, Filter::default());
        let mut waiting: Vec<_> = (0..MAX_BULK_ACTIONS).map(|_| cancel()).collect();
        for bulk in &mut waiting {
            assert!(timeout(PERSIST_RETRY, bulk).await.is_err(), "it waits");
        }
        assert_eq!(cancel().await, Err(BrokerError::Busy));
        outage.end();
        let outcomes = futures_util::future::join_all(waiting).await;
        let done: usize = outcomes
            .into_iter()
            .map(|outcome| outcome.expect("finishes").done)
            .sum();
        assert_eq!(done, TASKS);
    });
}

/// A machine whose clocks are set by hand, in microseconds.
#[derive(Clone, Default)]
struct ManualTime {
    wall_clock: Arc<AtomicU64>,
    monotonic: Arc<AtomicU64>,
}

impl ManualTime {
    fn pass(&self, time: Duration) {
        self.set_forward(time);
        let micros = u64::try_from(time.as_micros()).expect("short");
        self.monotonic.fetch_add(micros, Ordering::Relaxed);
    }

    fn set_forward(&self, by: Duration) {
        let micros = u64::try_from(by.as_micros()).expect("short");
        self.wall_clock.fetch_add(micros, Ordering::Relaxed);
    }
}

impl TimeSource for ManualTime {
    fn wall_clock(&self) -> Timestamp {
        Timestamp(self.wall_clock.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.monotonic.load(Ordering::Relaxed))
    }
}

#[test]
fn a_clock_that_is_set_forward_does_not_purge_and_the_age_does() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let time = ManualTime::default();
    time.pass(1_000 * DAY);
    run_with(Clock::with(time.clone()), |broker, _| async move {
        submit_and_cancel(&broker).await;
        time.set_forward(365 * DAY);
        let stats = broker.stats().await.expect("replies");
        assert_eq!((stats.count(State::Cancelled), stats.evicted), (TASKS, 0));
        // The age of cancelled tasks is seven days.
        time.pass(6 * DAY);
        let stats = broker.stats().await.expect("replies");
        assert_eq!((stats.count(State::Cancelled), stats.evicted), (TASKS, 0));
        time.pass(2 * DAY);
        // One round deletes a limited number.
        while broker.stats().await.expect("replies").evicted < TASKS as u64 {}
    });
}

#[test]
fn a_key_of_a_submit_belongs_to_its_submitter() {
    run(|broker, _| async move {
        let submit = |submitter: Submitter| {
            let tasks = vec![NewTask::new("add", "[1,1]")];
            broker.submit_for(submitter, Some(IdempotencyKey(7)), tasks)
        };
        let member = |name: &str| Submitter::Member(name.into());
        let mut seen = Vec::new();
        for submitter in [Submitter::Owner, member("ada"), member("bob")] {
            let first = submit(submitter.clone()).await.expect("accepted");
            assert_eq!(submit(submitter).await, Ok(first.clone()));
            assert!(!seen.contains(&first), "it is another task");
            seen.push(first);
        }
        assert_eq!(broker.stats().await.expect("replies").submitted, 3);
    });
}

//! The behaviour of a store, tested with both.

use std::time::Duration;

use tokio::sync::oneshot;

use super::{reads::ReadResponder, *};
use crate::queue::{
    clock::Timestamp,
    error::FailureGroup,
    id::{TaskId, WorkerId, WorkerNumber},
    index::row::{
        ColdFields, Completion, EndRow, ExecOverrides, LastRun, Reschedule, Row, RunningInfo,
    },
    options::{Key, KeyPolicy},
    query::{Filter, Order, PageStart},
    state::State,
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

on_every_store![
    every_order_pages_forwards_and_backwards_through_the_same_tasks,
    a_running_task_is_shown_as_running,
    a_rare_match_among_many_tasks_is_found_in_several_calls_in_both_directions,
    every_term_of_a_filter_selects,
    a_row_keeps_every_field,
    the_oldest_are_deleted_first_and_failures_last,
    a_result_is_deleted_when_its_own_time_to_live_is_over,
    tasks_over_the_size_limit_are_deleted_before_their_time,
    a_requeued_task_is_as_it_was_before,
    a_row_with_pending_changes_is_the_row_after_their_commit,
    failures_are_grouped_by_reason,
];

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
                let config = StoreConfig {
                    folder: Some(folder.path().to_owned()),
                    retention,
                    ..StoreConfig::default()
                };
                let (store, _) = Sqlite::open(&config).expect("opens");
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
            last_run: Some(LastRun {
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
            error: failed.then(|| "it is broken\nbecause".into()),
            end,
        };
        self.commit([StoreChange::Completion(id, ended)]);
    }

    fn read<T>(&mut self, request: impl FnOnce(ReadResponder<T>) -> ReadRequest) -> T {
        let (sender, reply) = oneshot::channel();
        let running = Arc::new(self.running.clone());
        self.inner.read(&running, request(sender));
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
        assert_eq!(count, page.tasks.len());
        page.tasks
            .iter()
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
                        worker: WorkerNumber(1),
                        started_at: at(id),
                        wait_time: Duration::ZERO,
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

fn ids(page: &[Task]) -> Vec<u64> {
    page.iter()
        .map(|task| task.id.sequence().expect("ours"))
        .collect()
}

fn every_order_pages_forwards_and_backwards_through_the_same_tasks(kind: Kind) {
    let mut store = TestStore::new(kind);
    store.mix();
    for order in Order::ALL {
        for filter in ["", "state:failed", "state:failed,queued,running", "#1"] {
            let filter = Filter::parse(filter).expect("reads");
            let all = store.list(&filter, order, PageStart::First, 1_000).tasks;
            let (mut forwards, mut from) = (Vec::new(), PageStart::First);
            loop {
                let page = store.list(&filter, order, from, 4).tasks;
                let Some(last) = page.last() else { break };
                from = PageStart::After(order.cursor(last));
                forwards.extend(page);
            }
            assert_eq!(ids(&forwards), ids(&all), "{order:?} {filter:?}");
            let (mut backwards, mut from) = (Vec::new(), PageStart::Last);
            loop {
                let mut page = store.list(&filter, order, from, 4).tasks;
                let Some(first) = page.first() else { break };
                from = PageStart::Before(order.cursor(first));
                page.extend(backwards);
                backwards = page;
            }
            assert_eq!(ids(&backwards), ids(&all), "{order:?} {filter:?}");
            if let Some(middle) = all.get(all.len() / 2) {
                let page = store.list(&filter, order, PageStart::At(order.cursor(middle)), 1);
                assert_eq!(
                    ids(&page.tasks),
                    [middle.id.sequence().expect("ours")],
                    "{order:?}"
                );
            }
        }
    }
    let slowest = store.list(&Filter::default(), Order::Slowest, PageStart::First, 100);
    let key = |task: &Task| std::cmp::Reverse(Order::Slowest.cursor(task));
    assert!(slowest.tasks.is_sorted_by_key(key));
    assert_eq!(slowest.tasks.len(), 18, "finished tasks");
    let by_state = store.list(&Filter::default(), Order::State, PageStart::First, 100);
    assert!(by_state.tasks.is_sorted_by_key(|task| task.state));
    assert_eq!(by_state.tasks.len(), 36);
}

fn a_running_task_is_shown_as_running(kind: Kind) {
    let mut store = TestStore::new(kind);
    store.mix();
    assert_eq!(store.ids("state:running").len(), 9);
    assert_eq!(store.ids("state:queued").len(), 9);
    assert_eq!(store.ids("worker:w1").len(), 9);
    let task = store.get(4).expect("there");
    assert_eq!(
        (task.state, task.worker),
        (State::Running, Some(WorkerId::Local(1)))
    );
    // A task that finished meanwhile is finished.
    store.complete(4, State::Succeeded, 3, DAY);
    assert_eq!(store.get(4).expect("there").state, State::Succeeded);
    assert_eq!(store.ids("state:running").len(), 8);
    let counts = store.inner.finished_counts();
    assert_eq!(counts[State::Succeeded.index()], 10);
    assert_eq!(counts[State::Failed.index()], 9);
    assert_eq!(counts[State::Queued.index()], 0, "only finished tasks");
}

fn a_rare_match_among_many_tasks_is_found_in_several_calls_in_both_directions(kind: Kind) {
    let mut store = TestStore::new(kind);
    let rows: Vec<Row> = (0..25_000).map(|_| store.row()).collect();
    store.commit(rows.into_iter().map(|row| StoreChange::New(Box::new(row))));
    let mut calls_to_find = |id: u64, start: PageStart| {
        // No other id contains this one.
        let filter = Filter {
            contains: vec![format!("#{id}")],
            ..Filter::default()
        };
        let mut from = start.clone();
        for call in 1.. {
            let page = store.list(&filter, Order::Newest, from, 1);
            match (page.tasks.first(), page.resume_at) {
                (Some(task), _) => return (call, task.id.sequence().expect("ours")),
                (None, Some(place)) if start.is_backwards() => from = PageStart::Before(place),
                (None, Some(place)) => from = PageStart::After(place),
                (None, None) => break,
            }
        }
        panic!("#{id} was not found");
    };
    assert_eq!(calls_to_find(25_000, PageStart::First), (1, 25_000));
    assert_eq!(calls_to_find(25_000, PageStart::Last), (3, 25_000));
    assert_eq!(calls_to_find(10_000, PageStart::First), (2, 10_000));
    assert_eq!(calls_to_find(10_000, PageStart::Last), (1, 10_000));
}

fn every_term_of_a_filter_selects(kind: Kind) {
    let mut store = TestStore::new(kind);
    let mut acme = store.row();
    acme.name = "mail".into();
    acme.args = "[\"Ada\"]".into();
    acme.set_cold(ColdFields {
        queue: Some("slow".into()),
        key: Some(Box::new(Key {
            text: "acme".into(),
            policy: KeyPolicy::Serial,
        })),
        ..ColdFields::default()
    });
    store.commit([StoreChange::New(Box::new(acme))]);
    let plain = store.insert_new();
    store.complete(plain, State::Failed, 9, DAY);
    for filter in [
        "name:mail",
        "queue:slow",
        "key:acme",
        "ADA",
        "acme",
        "!broken",
        "!w2 state:queued",
    ] {
        assert_eq!(store.ids(filter), [1], "{filter}");
    }
    for filter in [
        "name:add",
        "queue:default",
        "worker:w2",
        "BECAUSE",
        "!ada",
        "state:failed",
    ] {
        assert_eq!(store.ids(filter), [2], "{filter}");
    }
    assert!(store.ids("key:ac").is_empty());
    let both = Filter::by_ids([
        TaskId::Sequence(1),
        TaskId::Sequence(2),
        TaskId::Sequence(99),
    ]);
    assert_eq!(
        store
            .list(&both, Order::Newest, PageStart::First, 9)
            .tasks
            .len(),
        2
    );
}

fn a_row_keeps_every_field(kind: Kind) {
    let mut store = TestStore::new(kind);
    let mut row = store.row();
    row.state = State::Scheduled;
    row.crashes = 1;
    row.set_cold(ColdFields {
        queue: Some("mail".into()),
        key: Some(Box::new(Key {
            text: "é'\"".into(),
            policy: KeyPolicy::Unique,
        })),
        overrides: Some(Box::new(ExecOverrides {
            limits: crate::queue::options::TimeLimits {
                soft: Some(Duration::from_millis(1_500)),
                hard: Some(DAY),
            },
            result_ttl: Some(Duration::from_secs(1)),
        })),
        due_at: Some(at(5_000)),
        wall_clock: true,
        expires_at: Some(at(9_000)),
        error: Some("before".into()),
    });
    store.commit([StoreChange::New(Box::new(row.clone()))]);
    assert_eq!(store.inner.row(1), Ok(Some(row.clone())));
    assert_eq!(store.inner.args(1).as_deref(), Ok("[2,3]"));
    let mut seen = Vec::new();
    store
        .inner
        .for_each_unfinished(&mut |row| seen.push(row))
        .expect("readable");
    // Arguments may be left out.
    row.args = seen[0].args.clone();
    assert_eq!(seen, [row]);
    let attempt = |n: u64| Attempt {
        worker: (n > 0).then_some(WorkerId::Local(3)),
        wait_time: Duration::from_micros(n),
        started_at: at(n),
        run_time: Duration::from_millis(n),
        error: format!("attempt {n}").into(),
    };
    store.commit((0..3).map(|n| StoreChange::Attempt(1, attempt(n))));
    assert_eq!(
        store.get(1).expect("there").attempts_history,
        [attempt(0), attempt(1), attempt(2)]
    );
    store.commit((3..203).map(|n| StoreChange::Attempt(1, attempt(n))));
    let log = store.get(1).expect("there").attempts_history;
    assert_eq!((log.len(), log.last()), (100, Some(&attempt(202))));
}

fn sweep(store: &mut TestStore, ms: u64) -> usize {
    let mut evicted = 0;
    loop {
        match store.inner.sweep(at(ms)).expect("readable").evicted {
            0 => return evicted,
            n => evicted += n,
        }
    }
}

fn the_oldest_are_deleted_first_and_failures_last(kind: Kind) {
    let retention = Retention {
        count: 10,
        ..Retention::default()
    };
    let mut store = TestStore::with(kind, retention);
    let failed = store.insert_new();
    store.complete(failed, State::Failed, 9, DAY * 30);
    let waiting = store.insert_new();
    for _ in 0..700 {
        let id = store.insert_new();
        store.complete(id, State::Succeeded, 9, DAY * 7);
    }
    assert!(store.inner.is_over_retention());
    while store.inner.is_over_retention() {
        store.inner.sweep(at(0)).expect("readable");
    }
    assert!(store.get(failed).is_some() && store.get(waiting).is_some());
    assert!(store.inner.finished_counts().iter().sum::<usize>() <= 10);
    let week = 7 * 86_400_000 + 5_000;
    sweep(&mut store, week);
    assert_eq!(store.ids(""), [failed, waiting]);
    sweep(&mut store, week * 5);
    assert_eq!(store.ids(""), [waiting], "what waits is never evicted");
}

fn a_result_is_deleted_when_its_own_time_to_live_is_over(kind: Kind) {
    let mut store = TestStore::new(kind);
    let (brief, long) = (store.insert_new(), store.insert_new());
    store.complete(brief, State::Succeeded, 9, Duration::from_secs(10));
    store.complete(long, State::Succeeded, 9, DAY);
    store.commit([StoreChange::Attempt(
        brief,
        Attempt {
            worker: None,
            wait_time: Duration::ZERO,
            started_at: at(1),
            run_time: Duration::ZERO,
            error: "once".into(),
        },
    )]);
    let report = store.inner.sweep(at(0)).expect("readable");
    assert_eq!(report.evicted, 0);
    let next = report.next.expect("it has a time");
    assert!((at(10_000)..at(12_000)).contains(&next), "{next:?}");
    assert_eq!(sweep(&mut store, 12_000), 1);
    assert_eq!(store.ids(""), [long]);
}

fn tasks_over_the_size_limit_are_deleted_before_their_time(kind: Kind) {
    let retention = Retention {
        bytes: 400 << 10,
        ..Retention::default()
    };
    let mut store = TestStore::with(kind, retention);
    for _ in 0..1_000 {
        let mut row = store.row();
        row.args = "1".repeat(2_000).into();
        let id = row.id;
        store.commit([StoreChange::New(Box::new(row))]);
        store.complete(id, State::Succeeded, 9, DAY);
    }
    while store.inner.is_over_retention() {
        assert!(store.inner.sweep(at(0)).expect("readable").evicted > 0);
    }
    let left = store.ids("");
    assert!(left.len() < 400, "{}", left.len());
    assert!(
        left.is_empty() || left.last() == Some(&1_000),
        "the newest remain"
    );
    assert!(store.inner.usage().0 <= 400 << 10);
}

fn a_requeued_task_is_as_it_was_before(kind: Kind) {
    let mut store = TestStore::new(kind);
    let id = store.insert_new();
    let before = store.inner.row(id).expect("readable").expect("there");
    store.complete(id, State::Cancelled, 0, DAY);
    assert_eq!(store.inner.finished_counts()[State::Cancelled.index()], 1);
    let again = Reschedule {
        id,
        state: State::Queued,
        ready_at: before.ready_at,
        due_at: None,
        wall_clock: false,
        expires_at: None,
        attempts: 0,
        crashes: 0,
        error: None,
    };
    store.commit([StoreChange::Requeue(again)]);
    assert_eq!(store.inner.row(id), Ok(Some(before)));
    assert_eq!(store.inner.finished_counts(), [0; 8]);
}

fn a_row_with_pending_changes_is_the_row_after_their_commit(kind: Kind) {
    let mut store = TestStore::new(kind);
    let (new, other) = (store.row(), store.row());
    let id = new.id;
    let later = Reschedule {
        id,
        state: State::Retrying,
        ready_at: at(7),
        due_at: Some(at(9)),
        wall_clock: false,
        expires_at: Some(at(11)),
        attempts: 2,
        crashes: 1,
        error: Some("first".into()),
    };
    let queued = Reschedule {
        state: State::Queued,
        due_at: None,
        error: None,
        ..later.clone()
    };
    let completion = |error: Option<&str>| Completion {
        state: State::Failed,
        attempts: 3,
        crashes: 1,
        error: error.map(Into::into),
        end: EndRow {
            finished_at: at(20),
            evict_at: at(30),
            last_run: None,
            result: None,
        },
    };
    let changes = || {
        [
            StoreChange::New(Box::new(new.clone())),
            StoreChange::New(Box::new(other.clone())),
            StoreChange::Reschedule(later.clone()),
            StoreChange::Delete(vec![id]),
            StoreChange::Completion(id, completion(Some("last"))),
            StoreChange::Requeue(queued.clone()),
            StoreChange::Completion(id, completion(None)),
            StoreChange::Delete(vec![id]),
        ]
    };
    for (n, change) in changes().into_iter().enumerate() {
        let mut pending = None;
        for earlier in changes().iter().take(n + 1) {
            earlier.apply_to(id, &mut pending);
        }
        store.commit([change]);
        assert_eq!(store.inner.row(id), Ok(pending), "after change {n}");
    }
}

fn failures_are_grouped_by_reason(kind: Kind) {
    let mut store = TestStore::new(kind);
    for n in 0..6 {
        let id = store.insert_new();
        let state = if n % 2 == 0 {
            State::Failed
        } else {
            State::Succeeded
        };
        store.complete(id, state, 9, DAY);
    }
    let groups: Vec<FailureGroup> = store.read(ReadRequest::FailureGroups);
    let [group] = groups.as_slice() else {
        panic!("{groups:?}");
    };
    assert_eq!(
        (group.count, &group.newest, &*group.error),
        (3, &TaskId::Sequence(5), "it is broken")
    );
}

#[test]
fn a_corrupted_row_is_not_run_and_is_shown_as_corrupted() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = StoreConfig {
        folder: Some(folder.path().to_owned()),
        ..StoreConfig::default()
    };
    let (mut store, _) = Sqlite::open(&config).expect("opens");
    let rows = (1..=2).map(|id| Row::new(id, "add".into(), "[2,3]".into(), at(1)));
    let mut changes: Vec<StoreChange> = rows.map(|row| StoreChange::New(Box::new(row))).collect();
    store.commit(&mut changes).expect("there is room");
    store.close();
    drop(store);
    let db = rusqlite::Connection::open(folder.path().join("tasks.db")).expect("opens");
    db.execute_batch("UPDATE unfinished SET args = '[2,4]' WHERE id = 2")
        .expect("done");
    drop(db);
    let (mut store, _) = Sqlite::open(&config).expect("opens");
    assert_eq!(store.args(1).as_deref(), Ok("[2,3]"));
    let refused = store.args(2).expect_err("it is corrupted");
    assert!(refused.to_string().contains("changed on disk"), "{refused}");
    let row = store.row(2).expect("readable").expect("there");
    assert!(
        row.cold()
            .error
            .as_deref()
            .expect("an error")
            .contains("changed on disk")
    );
}

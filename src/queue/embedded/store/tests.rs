//! What every store promises. Both are held to the same.

use std::time::Duration;

use tokio::sync::oneshot;

use super::{
    reads::ReadResponder,
    row::{ColdFields, ExecOverrides, LastRun, RunningInfo},
    *,
};
use crate::queue::{
    broker::FailureGroup,
    query::{Filter, From, Order},
    task::{Key, KeyPolicy, Task, TaskId, WorkerId},
};

/// Runs every promise on every store.
macro_rules! on_every_store {
    ($($promise:ident),* $(,)?) => {
        mod in_memory {
            $(#[test]
            fn $promise() {
                super::$promise(super::Kind::Memory);
            })*
        }
        mod in_a_file {
            $(#[test]
            fn $promise() {
                super::$promise(super::Kind::File);
            })*
        }
    };
}

on_every_store![
    every_order_pages_forwards_and_backwards_through_the_same_tasks,
    what_runs_is_shown_as_running_wherever_it_is_kept,
    a_rare_word_among_many_tasks_is_found_in_several_calls_in_both_directions,
    every_word_of_a_filter_chooses,
    a_row_keeps_everything_that_was_said_about_it,
    what_is_old_goes_first_and_failures_last,
    a_result_is_forgotten_when_its_own_time_is_over,
    what_is_too_large_goes_before_its_time,
    an_ended_task_comes_back_as_it_was,
    failures_are_told_by_reason,
];

#[derive(Clone, Copy)]
enum Kind {
    Memory,
    File,
}

/// A store, and its folder if it has one.
struct Shelf {
    store: Box<dyn Store>,
    _folder: Option<tempfile::TempDir>,
    running: Running,
    last_id: u64,
}

const DAY: Duration = Duration::from_secs(86_400);

fn at(ms: u64) -> Timestamp {
    Timestamp(ms * 1_000)
}

impl Shelf {
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
            store,
            _folder: folder,
            running: Running::new(),
            last_id: 0,
        }
    }

    fn commit(&mut self, changes: impl IntoIterator<Item = StoreChange>) {
        let mut changes = changes.into_iter().collect();
        self.store.commit(&mut changes).expect("there is room");
        assert!(changes.is_empty());
    }

    fn row(&mut self) -> Row {
        self.last_id += 1;
        let mut row = Row::new(self.last_id, "add".into(), "[2,3]".into(), at(self.last_id));
        row.priority = 5;
        row.max_attempts = 5;
        row
    }

    fn put(&mut self) -> u64 {
        let row = self.row();
        let id = row.id;
        self.commit([StoreChange::New(Box::new(row))]);
        id
    }

    fn end(&mut self, id: u64, state: State, ran: u64, keep: Duration) {
        let failed = state == State::Failed;
        let end = EndRow {
            finished_at: at(id),
            forget_at: at(id).after(keep),
            last: Some(LastRun {
                started_at: at(id),
                waited: 7,
                ran,
                worker: WorkerId(2),
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

    fn ask<T>(&mut self, question: impl FnOnce(ReadResponder<T>) -> ReadRequest) -> T {
        let (answer, reply) = oneshot::channel();
        let running = Arc::new(self.running.clone());
        self.store.ask(&running, question(answer));
        reply.blocking_recv().expect("answered").expect("readable")
    }

    fn list(&mut self, filter: &Filter, order: Order, from: From, limit: usize) -> Page {
        let query = Query {
            filter: filter.clone(),
            order,
            from,
            limit,
        };
        self.ask(|answer| ReadRequest::List(query, answer))
    }

    fn ids(&mut self, filter: &str) -> Vec<u128> {
        let filter = Filter::parse(filter).expect("reads");
        let page = self.list(&filter, Order::Oldest, From::First, 1_000);
        let count = self.ask(|answer| ReadRequest::Count(filter, answer));
        assert_eq!(count, page.tasks.len());
        page.tasks.iter().map(|task| task.id.0).collect()
    }

    fn get(&mut self, id: u64) -> Option<Task> {
        self.ask(|answer| ReadRequest::Get(TaskId(id.into()), answer))
    }

    /// Tasks in every state, some of them slow.
    fn mix(&mut self) {
        for n in 0..36 {
            let id = self.put();
            match n % 4 {
                0 => {}
                1 => self.end(id, State::Succeeded, (n * 7_919) % 11_000, DAY),
                2 => self.end(id, State::Failed, n % 5, DAY),
                _ => {
                    let live = RunningInfo {
                        worker: WorkerId(1),
                        started_at: at(id),
                        waited: Duration::ZERO,
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

fn ids(page: &[Task]) -> Vec<u128> {
    page.iter().map(|task| task.id.0).collect()
}

fn every_order_pages_forwards_and_backwards_through_the_same_tasks(kind: Kind) {
    let mut shelf = Shelf::new(kind);
    shelf.mix();
    for order in Order::ALL {
        for filter in ["", "state:failed", "state:failed,queued,running", "#1"] {
            let filter = Filter::parse(filter).expect("reads");
            let all = shelf.list(&filter, order, From::First, 1_000).tasks;
            let (mut forwards, mut from) = (Vec::new(), From::First);
            loop {
                let page = shelf.list(&filter, order, from, 4).tasks;
                let Some(last) = page.last() else { break };
                from = From::After(order.cursor(last));
                forwards.extend(page);
            }
            assert_eq!(ids(&forwards), ids(&all), "{order:?} {filter:?}");
            let (mut backwards, mut from) = (Vec::new(), From::Last);
            loop {
                let mut page = shelf.list(&filter, order, from, 4).tasks;
                let Some(first) = page.first() else { break };
                from = From::Before(order.cursor(first));
                page.extend(backwards);
                backwards = page;
            }
            assert_eq!(ids(&backwards), ids(&all), "{order:?} {filter:?}");
            if let Some(middle) = all.get(all.len() / 2) {
                let page = shelf.list(&filter, order, From::At(order.cursor(middle)), 1);
                assert_eq!(ids(&page.tasks), [middle.id.0], "{order:?}");
            }
        }
    }
    let slowest = shelf.list(&Filter::default(), Order::Slowest, From::First, 100);
    let key = |task: &Task| std::cmp::Reverse(Order::Slowest.cursor(task));
    assert!(slowest.tasks.is_sorted_by_key(key));
    assert_eq!(slowest.tasks.len(), 18, "what has ended");
    let by_state = shelf.list(&Filter::default(), Order::State, From::First, 100);
    assert!(by_state.tasks.is_sorted_by_key(|task| task.state));
    assert_eq!(by_state.tasks.len(), 36);
}

fn what_runs_is_shown_as_running_wherever_it_is_kept(kind: Kind) {
    let mut shelf = Shelf::new(kind);
    shelf.mix();
    assert_eq!(shelf.ids("state:running").len(), 9);
    assert_eq!(shelf.ids("state:queued").len(), 9);
    assert_eq!(shelf.ids("worker:w1").len(), 9);
    let task = shelf.get(4).expect("there");
    assert_eq!(
        (task.state, task.worker),
        (State::Running, Some(WorkerId(1)))
    );
    // What has ended meanwhile has ended.
    shelf.end(4, State::Succeeded, 3, DAY);
    assert_eq!(shelf.get(4).expect("there").state, State::Succeeded);
    assert_eq!(shelf.ids("state:running").len(), 8);
    let counts = shelf.store.ended();
    assert_eq!(counts[State::Succeeded.index()], 10);
    assert_eq!(counts[State::Failed.index()], 9);
    assert_eq!(counts[State::Queued.index()], 0, "only what has ended");
}

fn a_rare_word_among_many_tasks_is_found_in_several_calls_in_both_directions(kind: Kind) {
    let mut shelf = Shelf::new(kind);
    let rows: Vec<Row> = (0..25_000).map(|_| shelf.row()).collect();
    shelf.commit(rows.into_iter().map(|row| StoreChange::New(Box::new(row))));
    let mut calls_to_find = |id: u128, start: From| {
        // Only one task has this id and no other has it as a part of its own.
        let filter = Filter {
            has: vec![format!("#{id}")],
            ..Filter::default()
        };
        let mut from = start;
        for call in 1.. {
            let page = shelf.list(&filter, Order::Newest, from, 1);
            match (page.tasks.first(), page.more_from) {
                (Some(task), _) => return (call, task.id.0),
                (None, Some(place)) if start.is_backwards() => from = From::Before(place),
                (None, Some(place)) => from = From::After(place),
                (None, None) => break,
            }
        }
        panic!("#{id} was not found");
    };
    assert_eq!(calls_to_find(25_000, From::First), (1, 25_000));
    assert_eq!(calls_to_find(25_000, From::Last), (3, 25_000));
    assert_eq!(calls_to_find(10_000, From::First), (2, 10_000));
    assert_eq!(calls_to_find(10_000, From::Last), (1, 10_000));
}

fn every_word_of_a_filter_chooses(kind: Kind) {
    let mut shelf = Shelf::new(kind);
    let mut acme = shelf.row();
    acme.name = "mail".into();
    acme.args = "[\"Ada\"]".into();
    acme.set_rare(ColdFields {
        queue: Some("slow".into()),
        key: Some(Box::new(Key {
            text: "acme".into(),
            rule: KeyPolicy::Serial,
        })),
        ..ColdFields::default()
    });
    shelf.commit([StoreChange::New(Box::new(acme))]);
    let plain = shelf.put();
    shelf.end(plain, State::Failed, 9, DAY);
    for filter in [
        "name:mail",
        "queue:slow",
        "key:acme",
        "ADA",
        "acme",
        "!broken",
        "!w2 state:queued",
    ] {
        assert_eq!(shelf.ids(filter), [1], "{filter}");
    }
    for filter in [
        "name:add",
        "queue:default",
        "worker:w2",
        "BECAUSE",
        "!ada",
        "state:failed",
    ] {
        assert_eq!(shelf.ids(filter), [2], "{filter}");
    }
    assert!(shelf.ids("key:ac").is_empty());
    let both = Filter::of([TaskId(1), TaskId(2), TaskId(99)]);
    assert_eq!(
        shelf.list(&both, Order::Newest, From::First, 9).tasks.len(),
        2
    );
}

fn a_row_keeps_everything_that_was_said_about_it(kind: Kind) {
    let mut shelf = Shelf::new(kind);
    let mut row = shelf.row();
    row.state = State::Scheduled;
    row.crashes = 1;
    row.set_rare(ColdFields {
        queue: Some("mail".into()),
        key: Some(Box::new(Key {
            text: "é'\"".into(),
            rule: KeyPolicy::Unique,
        })),
        terms: Some(Box::new(ExecOverrides {
            limits: crate::queue::task::TimeLimits {
                soft: Some(Duration::from_millis(1_500)),
                hard: Some(DAY),
            },
            keep: Some(Duration::from_secs(1)),
        })),
        due_at: Some(at(5_000)),
        wall_clock: true,
        expires_at: Some(at(9_000)),
        error: Some("before".into()),
    });
    shelf.commit([StoreChange::New(Box::new(row.clone()))]);
    assert_eq!(shelf.store.row(1), Ok(Some(row.clone())));
    assert_eq!(shelf.store.args(1).as_deref(), Ok("[2,3]"));
    let mut seen = Vec::new();
    shelf
        .store
        .waiting(&mut |row| seen.push(row))
        .expect("readable");
    // Arguments may be left out there.
    row.args = seen[0].args.clone();
    assert_eq!(seen, [row]);
    let attempt = |n: u64| Attempt {
        worker: (n > 0).then_some(WorkerId(3)),
        waited: Duration::from_micros(n),
        started_at: at(n),
        ran: Duration::from_millis(n),
        error: format!("attempt {n}").into(),
    };
    shelf.commit((0..3).map(|n| StoreChange::Attempt(1, attempt(n))));
    assert_eq!(
        shelf.get(1).expect("there").log,
        [attempt(0), attempt(1), attempt(2)]
    );
    shelf.commit((3..203).map(|n| StoreChange::Attempt(1, attempt(n))));
    let log = shelf.get(1).expect("there").log;
    assert_eq!((log.len(), log.last()), (100, Some(&attempt(202))));
}

fn sweep(shelf: &mut Shelf, ms: u64) -> usize {
    let mut forgotten = 0;
    loop {
        match shelf.store.sweep(at(ms)).expect("readable").forgotten {
            0 => return forgotten,
            n => forgotten += n,
        }
    }
}

fn what_is_old_goes_first_and_failures_last(kind: Kind) {
    let retention = Retention {
        count: 10,
        ..Retention::default()
    };
    let mut shelf = Shelf::with(kind, retention);
    let failed = shelf.put();
    shelf.end(failed, State::Failed, 9, DAY * 30);
    let waiting = shelf.put();
    for _ in 0..700 {
        let id = shelf.put();
        shelf.end(id, State::Succeeded, 9, DAY * 7);
    }
    assert!(shelf.store.is_over());
    while shelf.store.is_over() {
        shelf.store.sweep(at(0)).expect("readable");
    }
    assert!(shelf.get(failed).is_some() && shelf.get(waiting).is_some());
    assert!(shelf.store.ended().iter().sum::<usize>() <= 10);
    let week = 7 * 86_400_000 + 5_000;
    sweep(&mut shelf, week);
    assert_eq!(shelf.ids(""), [failed.into(), u128::from(waiting)]);
    sweep(&mut shelf, week * 5);
    assert_eq!(
        shelf.ids(""),
        [u128::from(waiting)],
        "what waits is never forgotten"
    );
}

fn a_result_is_forgotten_when_its_own_time_is_over(kind: Kind) {
    let mut shelf = Shelf::new(kind);
    let (brief, long) = (shelf.put(), shelf.put());
    shelf.end(brief, State::Succeeded, 9, Duration::from_secs(10));
    shelf.end(long, State::Succeeded, 9, DAY);
    shelf.commit([StoreChange::Attempt(
        brief,
        Attempt {
            worker: None,
            waited: Duration::ZERO,
            started_at: at(1),
            ran: Duration::ZERO,
            error: "once".into(),
        },
    )]);
    let swept = shelf.store.sweep(at(0)).expect("readable");
    assert_eq!(swept.forgotten, 0);
    let next = swept.next.expect("it has a time");
    assert!((at(10_000)..at(12_000)).contains(&next), "{next:?}");
    assert_eq!(sweep(&mut shelf, 12_000), 1);
    assert_eq!(shelf.ids(""), [u128::from(long)]);
}

fn what_is_too_large_goes_before_its_time(kind: Kind) {
    let retention = Retention {
        bytes: 400 << 10,
        ..Retention::default()
    };
    let mut shelf = Shelf::with(kind, retention);
    for _ in 0..1_000 {
        let mut row = shelf.row();
        row.args = "1".repeat(2_000).into();
        let id = row.id;
        shelf.commit([StoreChange::New(Box::new(row))]);
        shelf.end(id, State::Succeeded, 9, DAY);
    }
    while shelf.store.is_over() {
        assert!(shelf.store.sweep(at(0)).expect("readable").forgotten > 0);
    }
    let left = shelf.ids("");
    assert!(left.len() < 400, "{}", left.len());
    assert!(
        left.is_empty() || left.last() == Some(&1_000),
        "the newest are left"
    );
    assert!(shelf.store.size().0 <= 400 << 10);
}

fn an_ended_task_comes_back_as_it_was(kind: Kind) {
    let mut shelf = Shelf::new(kind);
    let id = shelf.put();
    let before = shelf.store.row(id).expect("readable").expect("there");
    shelf.end(id, State::Cancelled, 0, DAY);
    assert_eq!(shelf.store.ended()[State::Cancelled.index()], 1);
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
    shelf.commit([StoreChange::Requeue(again)]);
    assert_eq!(shelf.store.row(id), Ok(Some(before)));
    assert_eq!(shelf.store.ended(), [0; 8]);
}

fn failures_are_told_by_reason(kind: Kind) {
    let mut shelf = Shelf::new(kind);
    for n in 0..6 {
        let id = shelf.put();
        let state = if n % 2 == 0 {
            State::Failed
        } else {
            State::Succeeded
        };
        shelf.end(id, state, 9, DAY);
    }
    let reasons: Vec<FailureGroup> = shelf.ask(ReadRequest::Reasons);
    let [reason] = reasons.as_slice() else {
        panic!("{reasons:?}");
    };
    assert_eq!(
        (reason.count, reason.newest, &*reason.error),
        (3, TaskId(5), "it is broken")
    );
}

#[test]
fn a_value_that_the_disk_has_changed_is_not_run_and_not_shown_as_if_it_had_not() {
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
    db.execute_batch("UPDATE waiting SET args = '[2,4]' WHERE id = 2")
        .expect("done");
    drop(db);
    let (mut store, _) = Sqlite::open(&config).expect("opens");
    assert_eq!(store.args(1).as_deref(), Ok("[2,3]"));
    let refused = store.args(2).expect_err("it is not what it was");
    assert!(refused.to_string().contains("changed on disk"), "{refused}");
    let row = store.row(2).expect("readable").expect("there");
    assert!(
        row.rare()
            .error
            .as_deref()
            .expect("told")
            .contains("changed on disk")
    );
}

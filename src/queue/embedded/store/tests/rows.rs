//! Rows and the changes to them.

use super::*;
use crate::health::Findings;
use crate::queue::task::TaskFailure;

on_every_store![
    a_row_keeps_every_field,
    a_requeued_task_is_as_it_was_before,
    a_row_with_pending_changes_is_the_row_after_their_commit,
];

fn a_row_keeps_every_field(kind: Kind) {
    let mut store = TestStore::new(kind);
    let mut row = store.row();
    row.state = State::Scheduled;
    row.crashes = 1;
    row.set_cold(ColdFields {
        queue: Some("mail".into()),
        key: Some(Box::new(TaskKey {
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
        error: Some(Box::new(TaskFailure {
            kind: Some("ValueError".into()),
            message: "before".into(),
            traceback: Some("line 1".into()),
        })),
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
        error: TaskFailure::new("ValueError", format!("attempt {n}")),
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
    assert_eq!(store.inner.finished_counts(), [0; State::COUNT]);
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
        error: Some(Box::new(TaskFailure::new("ValueError", "first"))),
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
        error: error.map(|error| Box::new(error.into())),
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

#[test]
fn a_corrupted_row_is_not_run_and_is_shown_as_corrupted() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = StorageConfig {
        folder: Some(folder.path().to_owned()),
        ..StorageConfig::default()
    };
    let (mut store, _) = Sqlite::open(&config, &Findings::default(), None).expect("opens");
    let rows = (1..=2).map(|id| Row::new(id, "add".into(), "[2,3]".into(), at(1)));
    let mut changes: Vec<StoreChange> = rows.map(|row| StoreChange::New(Box::new(row))).collect();
    store.commit(&mut changes).expect("there is room");
    store.close();
    drop(store);
    let db = rusqlite::Connection::open(folder.path().join("tasks.db")).expect("opens");
    db.execute_batch("UPDATE unfinished SET args = '[2,4]' WHERE id = 2")
        .expect("done");
    drop(db);
    let (mut store, _) = Sqlite::open(&config, &Findings::default(), None).expect("opens");
    assert_eq!(store.args(1).as_deref(), Ok("[2,3]"));
    let refused = store.args(2).expect_err("it is corrupted");
    assert!(refused.to_string().contains("changed on disk"), "{refused}");
    let row = store.row(2).expect("readable").expect("there");
    assert!(
        row.cold()
            .error
            .as_deref()
            .expect("an error")
            .message
            .contains("changed on disk")
    );
}

//! Retention of finished tasks.

use super::*;

on_every_store![
    the_oldest_are_deleted_first_and_failures_last,
    a_result_is_deleted_when_its_own_time_to_live_is_over,
    tasks_over_the_size_limit_are_deleted_before_their_time,
];

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
    assert!(store.inner.usage().bytes <= 400 << 10);
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

//! Pages, filters, and failure groups.

use super::*;
use crate::queue::query::{MIN_SORTED, PageRow};

on_every_store![
    every_order_pages_forwards_and_backwards_through_the_same_tasks,
    a_running_task_is_shown_as_running,
    a_rare_match_among_many_tasks_is_found_in_several_calls_in_both_directions,
    every_term_of_a_filter_selects,
    failures_are_grouped_by_reason,
];

fn every_order_pages_forwards_and_backwards_through_the_same_tasks(kind: Kind) {
    let mut store = TestStore::new(kind);
    store.mix();
    for order in Order::ALL {
        for filter in ["", "state:failed", "state:failed,queued,running", "#1"] {
            let filter = Filter::parse(filter).expect("reads");
            let all = store.list(&filter, order, PageStart::First, 1_000).rows;
            let (mut forwards, mut from) = (Vec::new(), PageStart::First);
            loop {
                let page = store.list(&filter, order, from, 4).rows;
                let Some(last) = page.last() else { break };
                from = PageStart::After(last.cursor);
                forwards.extend(page);
            }
            assert_eq!(ids(&forwards), ids(&all), "{order:?} {filter:?}");
            let (mut backwards, mut from) = (Vec::new(), PageStart::Last);
            loop {
                let mut page = store.list(&filter, order, from, 4).rows;
                let Some(first) = page.first() else { break };
                from = PageStart::Before(first.cursor);
                page.extend(backwards);
                backwards = page;
            }
            assert_eq!(ids(&backwards), ids(&all), "{order:?} {filter:?}");
            if let Some(middle) = all.get(all.len() / 2) {
                let page = store.list(&filter, order, PageStart::At(middle.cursor), 1);
                assert_eq!(
                    ids(&page.rows),
                    [middle.task.id.sequence().expect("ours")],
                    "{order:?}"
                );
            }
        }
    }
    let slowest = store.list(&Filter::default(), Order::Slowest, PageStart::First, 100);
    let key = |row: &PageRow| {
        let run_time = row.task.run_time.filter(|time| *time >= MIN_SORTED);
        std::cmp::Reverse((run_time, row.task.id.clone()))
    };
    assert!(slowest.rows.is_sorted_by_key(key));
    assert_eq!(slowest.rows.len(), 18, "finished tasks");
    let by_state = store.list(&Filter::default(), Order::State, PageStart::First, 100);
    assert!(by_state.rows.is_sorted_by_key(|row| row.task.state));
    assert_eq!(by_state.rows.len(), 36);
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
            match (page.tasks().next(), page.resume_at) {
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
        key: Some(Box::new(TaskKey {
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
            .rows
            .len(),
        2
    );
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
        (group.count, &group.newest, &*group.error.message),
        (3, &TaskId::Sequence(5), "it is broken")
    );
}

fn ids(page: &[PageRow]) -> Vec<u64> {
    page.iter()
        .map(|row| row.task.id.sequence().expect("ours"))
        .collect()
}

//! Inspection: pages, queues, events, ids, and the operations that an engine lists.

use distro_tui::queue::{
    broker::BulkAction,
    capabilities::Operation,
    error::BrokerError,
    event::{Event, EventBatch},
    id::{IdempotencyKey, TaskId},
    options::{BrokerLimits, DEFAULT_QUEUE},
    query::{Filter, Order, PageStart, Query},
    state::State,
    task::NewTask,
};
use futures_util::FutureExt;

use crate::support::{Setup, all, submit, sum, task, until};

on_every_engine![
    a_slow_subscriber_learns_how_many_events_it_missed,
    pages_go_on_where_they_ended_however_large_the_tasks_are,
    queues_report_their_tasks_and_consumers,
    an_id_of_another_system_names_no_task,
    every_listed_operation_is_implemented,
];

async fn a_slow_subscriber_learns_how_many_events_it_missed(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[Operation::Pause]) {
        return;
    }
    let deaf = broker.subscribe();
    for _ in 0..1_000 {
        broker.pause(None).await.expect("answers");
        broker.resume(None).await.expect("answers");
    }
    let (mut seen, mut dropped) = (0, 0);
    let mut take = |batch: EventBatch| {
        seen += batch
            .events
            .iter()
            .filter(|e| matches!(e, Event::Paused(_)))
            .count() as u64;
        dropped += batch.dropped;
        (seen, dropped)
    };
    while let Some(batch) = deaf.next().now_or_never() {
        take(batch.expect("alive"));
    }
    // The next event carries the count of what was left out before it.
    broker.pause(None).await.expect("answers");
    loop {
        let (seen, dropped) = take(deaf.next().await.expect("alive"));
        if seen + dropped == 2_001 {
            assert!(dropped > 0 && seen > 0, "{seen} seen, {dropped} dropped");
            break;
        }
    }
}

async fn pages_go_on_where_they_ended_however_large_the_tasks_are(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[Operation::List, Operation::Pause]) {
        return;
    }
    broker.pause(None).await.expect("answers");
    let large = |n: usize| {
        let long = "1".repeat(20_000);
        NewTask::new("add", format!("[{long},{long},0,{}]", n % 5))
    };
    let ids = all(broker, (0..40).map(large).collect()).await;
    for order in [Order::Oldest, Order::Newest] {
        for backwards in [false, true] {
            let from = if backwards {
                PageStart::Last
            } else {
                PageStart::First
            };
            let mut query = Query {
                order,
                from,
                limit: 15,
                ..Query::default()
            };
            let mut seen = Vec::new();
            loop {
                let page = broker.list(query.clone()).await.expect("answers");
                let Some(next) = query.next_page(&page) else {
                    break;
                };
                query.from = next;
                let ids = page.tasks().map(|task| task.id.clone());
                match backwards {
                    true => seen.extend(ids.rev()),
                    false => seen.extend(ids),
                }
            }
            if (order == Order::Newest) != backwards {
                seen.reverse();
            }
            assert_eq!(seen, ids, "{order:?}, backwards: {backwards}");
        }
    }
}

async fn queues_report_their_tasks_and_consumers(setup: Setup) {
    let engine = setup.subject(2, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[Operation::Queues, Operation::Pause]) {
        return;
    }
    let running = submit(broker, task("gate")).await;
    until(broker, &running, State::Running).await;
    broker.pause(Some("mail")).await.expect("answers");
    let mut mail = sum(1, 1);
    mail.options.queue = Some("mail".into());
    let waiting = all(broker, vec![mail; 3]).await;
    let queue = |name: &'static str| async move {
        let queues = broker.queues().await.expect("answers");
        let found = queues.into_iter().find(|queue| &*queue.name == name);
        found.expect("listed")
    };
    let (default, mail) = (queue(DEFAULT_QUEUE).await, queue("mail").await);
    assert_eq!((default.depth.known(), default.in_flight.known()), (0, 1));
    assert_eq!((mail.depth.known(), mail.in_flight.known()), (3, 0));
    assert_eq!((default.paused, mail.paused), (false, true));
    assert!(default.consumers.is_none_or(|workers| workers == 2));
    broker.resume(Some("mail")).await.expect("answers");
    for id in waiting {
        until(broker, &id, State::Succeeded).await;
    }
    let mail = queue("mail").await;
    assert_eq!((mail.depth.known(), mail.in_flight.known()), (0, 0));
    assert!(!mail.paused);
}

async fn an_id_of_another_system_names_no_task(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    let id = TaskId::External("01234567-89ab-cdef-0123-456789abcdef".into());
    if engine.supports(&[Operation::Get]) {
        assert_eq!(broker.get(&id).await, Ok(None));
    }
    let not_found = BrokerError::NotFound(id.clone());
    if engine.supports(&[Operation::Cancel]) {
        assert_eq!(broker.cancel(&id).await, Err(not_found.clone()));
    }
    if engine.supports(&[Operation::UndoCancel]) {
        assert_eq!(broker.undo_cancel(&id).await, Err(not_found.clone()));
    }
    if engine.supports(&[Operation::Retry]) {
        assert_eq!(broker.retry(&id).await, Err(not_found));
    }
}

async fn every_listed_operation_is_implemented(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    let (id, filter) = (TaskId::Sequence(9_999), Filter::default);
    for operation in Operation::ALL {
        let refused = match operation {
            Operation::Submit => broker.submit(Vec::new()).await.err(),
            Operation::SubmitIdempotent => {
                let key = IdempotencyKey(1);
                broker.submit_idempotent(key, Vec::new()).await.err()
            }
            Operation::Get => broker.get(&id).await.err(),
            Operation::List => broker.list(Query::default()).await.err(),
            Operation::Count => broker.count(filter()).await.err(),
            Operation::DeadLetters => broker.dead_letters().await.err(),
            Operation::Stats => broker.stats().await.err(),
            Operation::Workers => broker.workers().await.err(),
            Operation::Queues => broker.queues().await.err(),
            Operation::Histograms => broker.histograms().await.err(),
            Operation::Cancel => broker.cancel(&id).await.err(),
            Operation::UndoCancel => broker.undo_cancel(&id).await.err(),
            Operation::Retry => broker.retry(&id).await.err(),
            Operation::Bulk => broker.bulk(BulkAction::Purge, filter()).await.err(),
            Operation::Pause => {
                let paused = broker.pause(Some("mail")).await;
                paused.and(broker.resume(Some("mail")).await).err()
            }
            Operation::Scale => broker.scale(1).await.err(),
        };
        let unsupported = refused == Some(BrokerError::Unsupported { operation });
        assert_eq!(engine.supports(&[operation]), !unsupported, "{operation:?}");
    }
}

//! The contract of every engine, tested through the trait alone, on volatile and on durable engines. A
//! promise is skipped where an engine does not support an operation that it needs.

use std::collections::HashSet;

use distro_tui::queue::{
    broker::{BulkAction, BulkOutcome, CancelOutcome},
    capabilities::Operation,
    error::BrokerError,
    event::{Event, EventBatch},
    id::{IdempotencyKey, TaskId},
    limits::{self, LimitExceeded, MAX_NAME},
    options::{BrokerLimits, DEFAULT_QUEUE, KeyPolicy, TaskKey},
    query::{Filter, Order, PageStart, Query},
    registry::InvalidTask,
    state::State,
    stats::Count,
    task::{NewTask, TaskFailure},
    worker::WorkerState,
};
use futures_util::FutureExt;

use crate::support::{Setup, all, count, newest, submit, sum, task, until};

/// Runs every promise on every kind of engine.
macro_rules! on_every_engine {
    ($($promise:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(super::Setup::in_memory()).await;
            })*
        }
        mod over_the_network {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(super::Setup::over_the_network()).await;
            })*
        }
        mod in_a_file {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(super::Setup::in_a_file()).await;
            })*
        }
    };
}

on_every_engine![
    a_sum_is_computed_by_a_named_worker,
    a_batch_is_accepted_and_each_task_runs_once,
    an_invalid_task_is_rejected_with_a_reason_and_nothing_is_queued,
    a_queued_task_is_cancelled_and_a_running_one_stops,
    a_panic_fails_its_task_and_no_worker,
    an_error_keeps_its_kind_and_the_lines_of_its_causes,
    a_failed_task_is_retried_with_its_own_arguments,
    paused_means_that_nothing_starts,
    pausing_reclaims_tasks_that_no_worker_has_started,
    urgent_tasks_go_before_dispatched_ones,
    purging_removes_matching_finished_tasks,
    workers_grow_and_shrink_live_and_finish_what_they_run,
    a_slow_subscriber_learns_how_many_events_it_missed,
    a_submit_with_an_idempotency_key_is_accepted_once,
    pages_go_on_where_they_ended_however_large_the_tasks_are,
    matching_tasks_are_counted_cancelled_and_retried_in_bulk,
    a_request_over_a_limit_is_refused_and_names_the_limit,
    a_unique_key_gives_the_living_task_and_a_queue_pauses_alone,
    a_task_reports_its_progress_and_its_attempts,
    queues_report_their_tasks_and_consumers,
    a_name_over_its_limit_is_refused_and_readers_go_on,
    an_id_of_another_system_names_no_task,
    every_listed_operation_is_implemented,
];

async fn a_sum_is_computed_by_a_named_worker(setup: Setup) {
    let engine = setup.subject(2, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    let id = submit(broker, sum(2, 3)).await;
    let done = until(broker, &id, State::Succeeded).await;
    assert_eq!(done.result.as_deref(), Some("5"));
    assert!(done.worker.is_some() && done.run_time.is_some());
}

async fn a_batch_is_accepted_and_each_task_runs_once(setup: Setup) {
    let engine = setup.subject(4, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    let tasks = (0..2_000).map(|n| sum(n, n)).collect();
    let ids = all(broker, tasks).await;
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 2_000);
    for (n, id) in ids.iter().enumerate() {
        let done = until(broker, id, State::Succeeded).await;
        assert_eq!(done.result.as_deref(), Some((2 * n).to_string().as_str()));
        assert_eq!(done.attempts, 1);
    }
    assert_eq!(newest(broker, 10).await.len(), 10);
}

async fn an_invalid_task_is_rejected_with_a_reason_and_nothing_is_queued(setup: Setup) {
    let engine = setup
        .subject(
            1,
            BrokerLimits {
                backlog: 3,
                ..BrokerLimits::default()
            },
        )
        .await;
    let broker = &*engine.broker;
    let refused = broker.submit(vec![NewTask::new("sub", "[]")]).await;
    assert!(matches!(
        refused,
        Err(BrokerError::InvalidTask(InvalidTask::UnknownTask { .. }))
    ));
    for args in ["", "[1]", "[1,\"x\"]", "[1,2,3,4,5]", "nonsense"] {
        let refused = broker
            .submit(vec![sum(1, 1), NewTask::new("add", args)])
            .await;
        assert!(
            matches!(
                refused,
                Err(BrokerError::InvalidTask(InvalidTask::BadArguments { .. }))
            ),
            "{args}"
        );
    }
    let long = NewTask::new("add", format!("[1,{}]", "1".repeat(70_000)));
    assert!(broker.submit(vec![long]).await.is_err());
    let many = vec![task("gate"); 4];
    let refused = broker.submit(many).await;
    assert_eq!(
        refused,
        Err(BrokerError::Overloaded {
            backlog: 0,
            limit: 3
        })
    );
    assert_eq!(broker.stats().await.expect("answers").submitted, 0);
}

async fn a_queued_task_is_cancelled_and_a_running_one_stops(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[Operation::Cancel]) {
        return;
    }
    let running = submit(broker, task("gate")).await;
    until(broker, &running, State::Running).await;
    let waiting = submit(broker, sum(1, 1)).await;
    assert_eq!(broker.cancel(&waiting).await, Ok(CancelOutcome::Cancelled));
    assert_eq!(broker.cancel(&running).await, Ok(CancelOutcome::Requested));
    until(broker, &running, State::Cancelled).await;
    assert!(matches!(
        broker.cancel(&running).await,
        Err(BrokerError::InvalidTransition { .. })
    ));
    let nobody = TaskId::Sequence(9_999);
    assert_eq!(
        broker.cancel(&nobody).await,
        Err(BrokerError::NotFound(nobody.clone()))
    );
    // The worker is free again.
    let next = submit(broker, sum(1, 1)).await;
    until(broker, &next, State::Succeeded).await;
}

async fn a_panic_fails_its_task_and_no_worker(setup: Setup) {
    let engine = setup.subject(2, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    let bad = submit(broker, task("panic")).await;
    let failed = until(broker, &bad, State::Failed).await;
    assert!(
        failed.attempts_history[0]
            .error
            .message
            .contains("on purpose"),
        "{failed:?}"
    );
    assert_eq!(failed.attempts, 1, "a panic is not tried again");
    let tasks = (0..200).map(|n| if n % 2 == 0 { task("panic") } else { sum(n, 0) });
    let ids = all(broker, tasks.collect()).await;
    for (n, id) in ids.into_iter().enumerate() {
        let state = if n % 2 == 0 {
            State::Failed
        } else {
            State::Succeeded
        };
        until(broker, &id, state).await;
    }
    assert_eq!(broker.workers().await.expect("answers").len(), 2);
}

async fn an_error_keeps_its_kind_and_the_lines_of_its_causes(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    let id = submit(broker, task("typed")).await;
    let failed = until(broker, &id, State::Failed).await;
    let error = failed.error.expect("an error");
    assert_eq!(error.kind.as_deref(), Some("Refusal"));
    assert_eq!(
        &*error.message,
        "refused\ncaused by: invalid digit found in string"
    );
    assert_eq!(failed.attempts_history.len(), 1);
    assert_eq!(failed.attempts_history[0].error, error);
    let panicked = submit(broker, task("panic")).await;
    let failed = until(broker, &panicked, State::Failed).await;
    let error = failed.error.expect("an error");
    assert_eq!(error.kind.as_deref(), Some(TaskFailure::PANIC));
    if engine.supports(&[Operation::DeadLetters]) {
        let groups = broker.dead_letters().await.expect("answers");
        let texts: HashSet<_> = groups.iter().map(|group| group.error.text()).collect();
        let expected = ["Refusal: refused", "Panic: on purpose"];
        assert_eq!(texts, expected.map(Into::into).into());
    }
    if engine.supports(&[Operation::List]) {
        let found = Query {
            filter: Filter::parse("refusal").expect("reads"),
            limit: 10,
            ..Query::default()
        };
        let found = broker.list(found).await.expect("answers").rows;
        assert_eq!(found.len(), 1, "a search finds the kind of an error");
    }
}

async fn a_failed_task_is_retried_with_its_own_arguments(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[Operation::Retry]) {
        return;
    }
    let huge = "9".repeat(400);
    let id = submit(broker, NewTask::new("add", format!("[{huge},1.5]"))).await;
    let failed = until(broker, &id, State::Failed).await;
    assert_eq!(
        &*failed.attempts_history[0].error.message,
        "int too large to convert to float"
    );
    let retried = broker.retry(&id).await.expect("accepted");
    assert_eq!((retried.id, retried.state), (id.clone(), State::Queued));
    // It fails again, in a second run of its own.
    let events = broker.subscribe();
    let again = loop {
        let task = broker.get(&id).await.expect("answers").expect("kept");
        if task.attempts_history.len() == 2 && task.state == State::Failed {
            break task;
        }
        events.next().await.expect("alive");
    };
    assert!(again.payload.to_string().contains(&huge));
    let fine = submit(broker, sum(1, 1)).await;
    until(broker, &fine, State::Succeeded).await;
    assert!(
        broker.retry(&fine).await.is_err(),
        "a success is not retried"
    );
}

async fn paused_means_that_nothing_starts(setup: Setup) {
    let engine = setup.subject(2, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[Operation::Pause]) {
        return;
    }
    broker.pause(None).await.expect("answers");
    let ids = all(broker, vec![sum(1, 1); 50]).await;
    assert_eq!(count(broker, State::Queued).await, 50);
    assert!(broker.stats().await.expect("answers").paused);
    broker.resume(None).await.expect("answers");
    for id in ids {
        until(broker, &id, State::Succeeded).await;
    }
}

async fn pausing_reclaims_tasks_that_no_worker_has_started(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[Operation::Pause]) {
        return;
    }
    let first = submit(broker, task("gate")).await;
    until(broker, &first, State::Running).await;
    // These lie in the channel in front of the busy worker.
    let waiting = all(broker, vec![sum(1, 1); 5]).await;
    broker.pause(None).await.expect("answers");
    engine.gate.add_permits(1);
    until(broker, &first, State::Succeeded).await;
    assert_eq!(count(broker, State::Queued).await, 5);
    broker.resume(None).await.expect("answers");
    for id in waiting {
        until(broker, &id, State::Succeeded).await;
    }
}

async fn urgent_tasks_go_before_dispatched_ones(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    let first = submit(broker, task("gate")).await;
    until(broker, &first, State::Running).await;
    let usual = all(broker, vec![task("gate"); 5]).await;
    let mut urgent = sum(1, 1);
    urgent.options.priority = 9;
    let urgent = submit(broker, urgent).await;
    engine.gate.add_permits(1);
    until(broker, &urgent, State::Succeeded).await;
    // One of the usual may be in the worker's hands by now; none has ended.
    for id in usual {
        let task = broker.get(&id).await.expect("answers").expect("kept");
        assert!(!task.state.is_finished(), "{task:?}");
    }
}

async fn purging_removes_matching_finished_tasks(setup: Setup) {
    let engine = setup.subject(2, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[Operation::Bulk]) {
        return;
    }
    let good = submit(broker, sum(1, 1)).await;
    let bad = submit(broker, task("fail")).await;
    until(broker, &good, State::Succeeded).await;
    until(broker, &bad, State::Failed).await;
    let failed = Filter::parse("state:failed").expect("reads");
    assert_eq!(
        broker.bulk(BulkAction::Purge, failed).await,
        Ok(BulkOutcome {
            done: 1,
            ..BulkOutcome::default()
        })
    );
    assert_eq!(broker.get(&bad).await, Ok(None));
    assert!(broker.get(&good).await.expect("answers").is_some());
}

async fn workers_grow_and_shrink_live_and_finish_what_they_run(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[Operation::Scale]) {
        return;
    }
    assert_eq!(broker.scale(4).await, Ok(4));
    let ids = all(broker, vec![task("gate"); 4]).await;
    for id in &ids {
        until(broker, id, State::Running).await;
    }
    assert_eq!(broker.scale(1).await, Ok(1));
    let stopping = broker.workers().await.expect("answers");
    let leaving = stopping
        .iter()
        .filter(|w| w.state == WorkerState::Stopping)
        .count();
    assert_eq!((stopping.len(), leaving), (4, 3));
    let events = broker.subscribe();
    engine.gate.add_permits(4);
    for id in ids {
        until(broker, &id, State::Succeeded).await;
    }
    while broker.workers().await.expect("answers").len() > 1 {
        events.next().await.expect("a worker leaves");
    }
    assert_eq!(broker.scale(0).await, Ok(1), "one always stays");
}

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

async fn a_submit_with_an_idempotency_key_is_accepted_once(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[Operation::SubmitIdempotent, Operation::Pause]) {
        return;
    }
    broker.pause(None).await.expect("answers");
    let name = IdempotencyKey(7);
    let first = broker.submit_idempotent(name, vec![sum(1, 1); 3]).await;
    let again = broker.submit_idempotent(name, vec![sum(1, 1); 3]).await;
    assert_eq!(first, again);
    let other = broker
        .submit_idempotent(IdempotencyKey(8), vec![sum(1, 1)])
        .await;
    assert_ne!(first, other);
    assert_eq!(count(broker, State::Queued).await, 4);
    let refused = broker
        .submit_idempotent(IdempotencyKey(9), vec![task("nonsense")])
        .await;
    assert!(
        matches!(refused, Err(BrokerError::InvalidTask(_))),
        "{refused:?}"
    );
    let corrected = broker
        .submit_idempotent(IdempotencyKey(9), vec![sum(1, 1)])
        .await;
    assert!(corrected.is_ok(), "what was refused was not taken");
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

async fn matching_tasks_are_counted_cancelled_and_retried_in_bulk(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[
        Operation::Count,
        Operation::Bulk,
        Operation::UndoCancel,
        Operation::Pause,
    ]) {
        return;
    }
    broker.pause(None).await.expect("answers");
    let ids = all(broker, vec![sum(1, 1); 600]).await;
    assert_eq!(broker.count(Filter::default()).await, Ok(Count::Exact(600)));
    let three = Filter::by_ids(ids.iter().take(3).cloned());
    let some = broker.bulk(BulkAction::Cancel, three.clone()).await;
    assert_eq!(
        some,
        Ok(BulkOutcome {
            done: 3,
            ..BulkOutcome::default()
        })
    );
    assert_eq!(broker.undo_cancel(&ids[0]).await, Ok(State::Queued));
    assert!(
        broker.undo_cancel(&ids[9]).await.is_err(),
        "it was not cancelled"
    );
    let rest = broker.bulk(BulkAction::Cancel, Filter::default()).await;
    assert_eq!(rest.expect("answers").done, 598);
    assert_eq!(count(broker, State::Cancelled).await, 600);
    let again = broker.bulk(BulkAction::Retry, three).await;
    assert_eq!(
        again,
        Ok(BulkOutcome {
            done: 3,
            ..BulkOutcome::default()
        })
    );
    assert_eq!(count(broker, State::Queued).await, 3);
    broker.resume(None).await.expect("answers");
    for id in &ids[..3] {
        until(broker, id, State::Succeeded).await;
    }
}

async fn a_request_over_a_limit_is_refused_and_names_the_limit(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    let filter = |words: usize| Filter {
        contains: vec!["x".into(); words],
        ..Filter::default()
    };
    let query = |words: usize| Query {
        filter: filter(words),
        ..Query::default()
    };
    let most = limits::MAX_FILTER_WORDS;
    let refusal = |words| BrokerError::LimitExceeded(LimitExceeded::FilterWords(words));
    if engine.supports(&[Operation::List]) {
        assert!(broker.list(query(most)).await.is_ok());
        assert_eq!(broker.list(query(most + 1)).await, Err(refusal(most + 1)));
    }
    if engine.supports(&[Operation::Count]) {
        assert!(broker.count(filter(most)).await.is_ok());
        assert_eq!(broker.count(filter(9_999)).await, Err(refusal(9_999)));
    }
    if engine.supports(&[Operation::Bulk]) {
        let long = Filter {
            excludes: vec!["x".repeat(1_000)],
            ..Filter::default()
        };
        let refused = broker.bulk(BulkAction::Cancel, long).await;
        let why = refused.expect_err("too long").to_string();
        assert!(
            why.contains("at most 256 bytes") && why.contains("1000"),
            "{why}"
        );
        assert!(broker.bulk(BulkAction::Cancel, filter(most)).await.is_ok());
    }
}

async fn a_unique_key_gives_the_living_task_and_a_queue_pauses_alone(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[Operation::Pause]) {
        return;
    }
    broker.pause(Some("mail")).await.expect("answers");
    let mut letter = sum(1, 1);
    letter.options.queue = Some("mail".into());
    letter.options.key = Some(TaskKey {
        text: "acme".into(),
        policy: KeyPolicy::Unique,
    });
    let first = submit(broker, letter.clone()).await;
    let again = broker.submit(vec![letter]).await.expect("answers");
    assert_eq!((&again[0].id, again[0].deduplicated), (&first, true));
    let other = submit(broker, sum(2, 2)).await;
    until(broker, &other, State::Succeeded).await;
    assert_eq!(count(broker, State::Queued).await, 1);
    broker.resume(Some("mail")).await.expect("answers");
    until(broker, &first, State::Succeeded).await;
}

async fn a_task_reports_its_progress_and_its_attempts(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    let id = submit(broker, task("steps")).await;
    until(broker, &id, State::Running).await;
    loop {
        // Progress is not an event; the task reports it before it waits for its gate.
        let task = broker.get(&id).await.expect("answers").expect("there");
        if task.progress.is_some_and(|p| (p.done, p.total) == (1, 4)) {
            break;
        }
        tokio::task::yield_now().await;
    }
    engine.gate.add_permits(4);
    let done = until(broker, &id, State::Succeeded).await;
    assert_eq!(done.progress, None);
    let id = submit(broker, task("twice")).await;
    let events = broker.subscribe();
    loop {
        let task = broker.get(&id).await.expect("answers").expect("there");
        if task.state == State::Succeeded {
            assert_eq!((task.attempts, task.attempts_history.len()), (3, 2));
            assert_eq!(&*task.attempts_history[1].error.message, "attempt 2 failed");
            break;
        }
        events.next().await.expect("alive");
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

async fn a_name_over_its_limit_is_refused_and_readers_go_on(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    for (name, long) in [(MAX_NAME, false), (MAX_NAME + 1, true), (900_000, true)] {
        let name = "q".repeat(name);
        let mut in_queue = sum(1, 1);
        in_queue.options.queue = Some(name.as_str().into());
        let mut with_key = sum(1, 1);
        with_key.options.key = Some(TaskKey {
            text: name.as_str().into(),
            policy: KeyPolicy::Tag,
        });
        for task in [in_queue, with_key, NewTask::new(name.clone(), "{}")] {
            let known = task.name == "add";
            let answer = broker.submit(vec![task]).await;
            let refused = matches!(answer, Err(BrokerError::InvalidTask(_)));
            assert_eq!(refused, long || !known, "{answer:?}");
        }
        if engine.supports(&[Operation::Pause]) {
            let refused = LimitExceeded::QueueName(name.len()).into();
            let expected = if long { Err(refused) } else { Ok(()) };
            assert_eq!(broker.pause(Some(&name)).await, expected);
        }
    }
    if engine.supports(&[Operation::Pause, Operation::Queues]) {
        assert!(broker.pause(Some("")).await.is_err(), "an empty name");
        for n in 0.. {
            let name = format!("{n:0MAX_NAME$}");
            match broker.pause(Some(&name)).await {
                Ok(()) => {}
                Err(why) => {
                    assert_eq!(why, LimitExceeded::Queues.into());
                    break;
                }
            }
        }
        let queues = broker.queues().await.expect("answers");
        assert!(queues.iter().any(|queue| queue.name.len() == MAX_NAME));
    }
    if engine.supports(&[Operation::Stats]) {
        broker.stats().await.expect("answers");
    }
    if engine.supports(&[Operation::Histograms]) {
        broker.histograms().await.expect("answers");
    }
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

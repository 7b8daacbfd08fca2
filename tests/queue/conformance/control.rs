//! Control of tasks, queues and workers.

use distro_tui::queue::{
    broker::{BulkAction, BulkOutcome, CancelOutcome},
    bulk::apply_to_each,
    capabilities::Operation,
    error::BrokerError,
    id::TaskId,
    options::BrokerLimits,
    query::Filter,
    state::State,
    stats::Count,
    task::NewTask,
    worker::WorkerState,
};

use crate::support::{Setup, all, count, submit, sum, task, until};

on_every_engine![
    a_queued_task_is_cancelled_and_a_running_one_stops,
    a_failed_task_is_retried_with_its_own_arguments,
    a_task_whose_arguments_are_not_known_completely_is_not_retried,
    paused_means_that_nothing_starts,
    pausing_reclaims_tasks_that_no_worker_has_started,
    purging_removes_matching_finished_tasks,
    workers_grow_and_shrink_live_and_finish_what_they_run,
    matching_tasks_are_counted_cancelled_and_retried_in_bulk,
];

async fn a_queued_task_is_cancelled_and_a_running_one_stops(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[Operation::Cancel]) {
        return;
    }
    let running = submit(broker, task("gate")).await;
    until(broker, &running, State::Running).await;
    let waiting = submit(broker, sum(1, 1)).await;
    // An engine that can only request says so.
    let outcome = broker.cancel(&waiting).await.expect("accepted");
    let task = broker.get(&waiting).await.expect("answers").expect("kept");
    assert!(outcome == CancelOutcome::Requested || task.state == State::Cancelled);
    until(broker, &waiting, State::Cancelled).await;
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
    assert_eq!(retried.state, State::Queued);
    if retried.id != id {
        // It is a task of its own, and the first one stays as it was.
        let again = until(broker, &retried.id, State::Failed).await;
        assert_eq!(again.attempts_history.len(), 1);
        assert!(again.payload.to_string().contains(&huge));
        until(broker, &id, State::Failed).await;
        return;
    }
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

async fn a_task_whose_arguments_are_not_known_completely_is_not_retried(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[Operation::Retry, Operation::List]) {
        return;
    }
    let long = "9".repeat(3_000);
    let id = submit(broker, NewTask::new("add", format!("[{long},1.5]"))).await;
    let failed = until(broker, &id, State::Failed).await;
    let other = submit(broker, task("fail")).await;
    until(broker, &other, State::Failed).await;
    if failed.payload.is_complete() {
        assert!(broker.retry(&id).await.is_ok());
        return;
    }
    let refused = BrokerError::IncompletePayload(id.clone());
    assert_eq!(broker.retry(&id).await, Err(refused.clone()));
    let failures = Filter::parse("state:failed").expect("reads");
    let outcome = apply_to_each(broker, BulkAction::Retry, failures).await;
    let expected = BulkOutcome {
        done: 1,
        skipped: 1,
        reasons: vec![refused],
    };
    assert_eq!(outcome, Ok(expected));
}

//! The contract of the embedded engine alone: tasks that block a thread delay nothing else.

use std::time::Duration;

use distro_tui::queue::{
    broker::{Broker, BulkAction, CancelOutcome, Control, Inspect, Submit},
    capabilities::Operation,
    error::BrokerError,
    event::Event,
    options::BrokerLimits,
    options::TaskOptions,
    query::Filter,
    state::State,
};

use crate::support::{Setup, all, count, submit, sum, task, until};

#[tokio::test]
async fn a_task_that_never_waits_holds_up_neither_the_dispatcher_nor_the_quit() {
    let engine = Setup::in_memory().engine(2, BrokerLimits::default());
    let broker = &engine.broker;
    let spinning = submit(broker, task("spin")).await;
    until(broker, &spinning, State::Running).await;
    assert_eq!(broker.cancel(&spinning).await, Ok(CancelOutcome::Requested));
    let seen = broker
        .get(&spinning)
        .await
        .expect("answers")
        .expect("there");
    assert!(
        seen.cancelling && seen.state == State::Running,
        "it cannot be stopped, and is marked so"
    );
    let drained = broker
        .shutdown(Duration::from_millis(10))
        .await
        .expect("drained");
    assert_eq!(drained.abandoned, 1);
}

#[tokio::test]
async fn a_queued_task_is_cancelled_at_once_and_a_retried_one_keeps_its_id() {
    let engine = Setup::in_memory().engine(1, BrokerLimits::default());
    let broker = &engine.broker;
    broker.pause(None).await.expect("answers");
    let waiting = submit(broker, sum(1, 1)).await;
    assert_eq!(broker.cancel(&waiting).await, Ok(CancelOutcome::Cancelled));
    let retried = broker.retry(&waiting).await.expect("accepted");
    assert_eq!((retried.id, retried.state), (waiting, State::Queued));
}

#[tokio::test]
async fn a_delayed_task_runs_when_its_time_has_come() {
    let engine = Setup::in_memory().engine(1, BrokerLimits::default());
    let broker = &engine.broker;
    let mut delayed = sum(1, 2);
    delayed.options = TaskOptions {
        delay: Some(Duration::from_millis(30)),
        ..TaskOptions::default()
    };
    let id = submit(broker, delayed).await;
    let done = until(broker, &id, State::Succeeded).await;
    let waited = done.started_at.expect("ran").since(done.submitted_at);
    assert!(waited >= Duration::from_millis(30), "{waited:?}");
}

#[tokio::test]
async fn shutdown_waits_for_running_tasks_and_counts_the_rest() {
    let setup = Setup::in_a_file();
    let engine = setup.engine(1, BrokerLimits::default());
    let broker = &engine.broker;
    let running = submit(broker, task("gate")).await;
    until(broker, &running, State::Running).await;
    all(broker, vec![sum(1, 1); 7]).await;
    let events = broker.subscribe();
    let stopping = tokio::spawn({
        let broker = broker.clone();
        async move { broker.shutdown(Duration::from_secs(60)).await }
    });
    while !events
        .next()
        .await
        .expect("alive")
        .events
        .contains(&Event::Paused(true))
    {}
    engine.gate.add_permits(1);
    let drained = stopping.await.expect("no panic").expect("drained");
    assert_eq!((drained.abandoned, drained.unstarted), (0, 7));
    assert_eq!(
        broker.submit(vec![sum(1, 1)]).await,
        Err(BrokerError::Closed)
    );
    assert_eq!(broker.stats().await, Err(BrokerError::Closed));
}

#[tokio::test]
async fn shutdown_abandons_tasks_that_do_not_end() {
    let setup = Setup::in_a_file();
    let engine = setup.engine(2, BrokerLimits::default());
    let broker = &engine.broker;
    let stuck = submit(broker, task("gate")).await;
    until(broker, &stuck, State::Running).await;
    let drained = broker
        .shutdown(Duration::from_millis(20))
        .await
        .expect("drained");
    assert_eq!(drained.abandoned, 1);
}

#[tokio::test]
async fn every_operation_is_supported() {
    let subject = Setup::over_the_network()
        .subject(1, BrokerLimits::default())
        .await;
    let missing = |operation: &Operation| !subject.broker.capabilities().supports(*operation);
    let missing: Vec<Operation> = Operation::ALL.into_iter().filter(missing).collect();
    assert_eq!(missing, []);
}

#[tokio::test]
async fn a_stop_during_a_bulk_action_keeps_exactly_what_it_reports() {
    const TASKS: usize = 20_000;
    let setup = Setup::in_a_file();
    let engine = setup.engine(1, BrokerLimits::default());
    let broker = &engine.broker;
    broker.pause(None).await.expect("answers");
    all(broker, vec![sum(1, 1); TASKS]).await;
    let bulk = broker.bulk(BulkAction::Cancel, Filter::default());
    let stop = async {
        while count(broker, State::Cancelled).await == 0 {}
        broker.shutdown(Duration::from_secs(1)).await
    };
    let (outcome, report) = tokio::join!(bulk, stop);
    let done = match outcome {
        Ok(outcome) => outcome.done,
        Err(BrokerError::PartialBulk { done, source }) => {
            assert_eq!(*source, BrokerError::Closed);
            done
        }
        Err(other) => panic!("{other}"),
    };
    assert_eq!(report.expect("stops").unstarted, TASKS - done);
    drop(engine);

    let engine = setup.engine(0, BrokerLimits::default());
    assert_eq!(count(&engine.broker, State::Cancelled).await, done);
    assert_eq!(count(&engine.broker, State::Queued).await, TASKS - done);
}

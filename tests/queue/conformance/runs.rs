//! Runs: results, errors, progress, attempts.

use std::collections::HashSet;

use distro_tui::queue::{
    capabilities::Operation,
    options::BrokerLimits,
    query::{Filter, Query},
    state::State,
    task::TaskFailure,
};

use crate::support::{Setup, all, newest, submit, sum, task, until};

on_every_engine![
    a_sum_is_computed_by_a_named_worker,
    a_batch_is_accepted_and_each_task_runs_once,
    a_panic_fails_its_task_and_no_worker,
    an_error_keeps_its_kind_and_the_lines_of_its_causes,
    a_task_reports_its_progress_and_its_attempts,
    urgent_tasks_go_before_dispatched_ones,
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

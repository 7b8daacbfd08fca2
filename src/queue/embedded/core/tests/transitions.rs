use super::{super::backoff::MIN_BACKOFF, *};
use crate::queue::state::Transition;

#[test]
fn a_task_is_queued_started_and_succeeds_with_its_worker_and_times() {
    let mut world = World::new();
    world.now = 1;
    let id = world.submit(TaskOptions::default());
    assert_eq!(world.state(id), State::Queued);
    world.now = 3;
    let run = world.start();
    assert_eq!(world.state(id), State::Running);
    world.now = 10;
    world.end(run, succeeded());
    let task = world.task(id).expect("stored");
    assert_eq!(
        (task.state, task.result.as_deref()),
        (State::Succeeded, Some("5"))
    );
    assert_eq!(
        (task.worker, task.run_time, task.wait_time),
        (
            Some(W.into()),
            Some(Duration::from_millis(7)),
            Some(Duration::from_millis(2))
        )
    );
    let stats = world.core.stats(at(10));
    assert_eq!(
        (stats.unfinished(), stats.finished[State::Succeeded.index()]),
        (0, 1)
    );
    assert_eq!(stats.wait.max.as_millis(), 2);
    assert_eq!(stats.names.first().map(|name| name.succeeded), Some(1));
}

#[test]
fn a_stale_report_is_counted_and_changes_nothing() {
    let mut world = World::new();
    let id = world.submit(TaskOptions::default());
    let run = world.start();
    world.end(run, succeeded());
    world.end(run, failed(false));
    world.end((99, 99), succeeded());
    assert_eq!(world.state(id), State::Succeeded);
    assert_eq!(world.core.stats(at(2)).stale_reports, 2);
}

#[test]
fn a_retryable_failure_is_retried_and_the_last_one_keeps_every_error() {
    let mut world = World::new();
    let id = world.submit(TaskOptions {
        max_attempts: 3,
        ..TaskOptions::default()
    });
    for attempt in 1..=3 {
        let run = world.start();
        world.end(run, failed(true));
        let task = world.task(id).expect("stored");
        assert_eq!(task.attempts, attempt);
        if attempt < 3 {
            assert_eq!(task.state, State::Retrying);
            let wait = world
                .core
                .next_deadline()
                .expect("a retry")
                .since(world.at());
            assert!(wait <= MIN_BACKOFF * 2u32.pow(u32::from(attempt) - 1));
            world.pass(wait + Duration::from_millis(1));
            assert_eq!(world.state(id), State::Queued);
        }
    }
    assert_eq!(world.state(id), State::Failed);
    assert_eq!(world.task(id).expect("stored").attempts_history.len(), 3);
    assert_eq!(world.core.next_deadline(), None);
    // A retry by hand starts over, and earlier errors are kept.
    assert_eq!(world.requeue(id, Transition::Retry), Ok(State::Queued));
    let run = world.start();
    world.end(run, succeeded());
    let task = world.task(id).expect("stored");
    assert_eq!(
        (task.state, task.attempts, task.attempts_history.len()),
        (State::Succeeded, 1, 3)
    );
}

#[test]
fn a_waiting_task_is_cancelled_at_once_and_a_running_one_is_signalled() {
    let mut world = World::new();
    let waiting = world.submit(TaskOptions::default());
    assert_eq!(world.cancel(waiting), Some(State::Cancelled));
    assert!(world.core.next_job().is_none(), "it left the queue");

    let running = world.submit(TaskOptions::default());
    let run = world.start();
    assert_eq!(world.cancel(running), Some(State::Running));
    let signal = Signal::Stop {
        worker: W,
        run: run.1,
        reason: StopReason::Cancelled,
    };
    assert_eq!(world.core.take_signals(), [signal]);
    assert!(world.task(running).expect("there").cancelling);
    world.end(run, RunOutcome::Cancelled);
    assert_eq!(world.state(running), State::Cancelled);
    assert_eq!(world.cancel(running), None, "it is finished");
}

#[test]
fn a_cancel_between_dispatch_and_start_stops_the_task_when_it_starts() {
    let mut world = World::new();
    let id = world.submit(TaskOptions::default());
    let job = world.core.next_job().expect("ready");
    assert_eq!(world.cancel(id), Some(State::Running));
    assert_eq!(world.core.take_signals(), []);
    world.started(&job);
    let signal = Signal::Stop {
        worker: W,
        run: job.run,
        reason: StopReason::Cancelled,
    };
    assert_eq!(world.core.take_signals(), [signal]);
}

#[test]
fn undoing_a_cancellation_restores_the_old_place() {
    let mut world = World::new();
    let first = world.submit(TaskOptions::default());
    let second = world.submit(TaskOptions::default());
    let later = world.submit(TaskOptions {
        delay: Some(MINUTE),
        ..TaskOptions::default()
    });
    world.cancel(first);
    world.cancel(later);
    world.now = 5_000;
    assert_eq!(
        world.requeue(first, Transition::UndoCancel),
        Ok(State::Queued)
    );
    assert_eq!(
        world.requeue(later, Transition::UndoCancel),
        Ok(State::Scheduled)
    );
    assert_eq!(
        world.start().0,
        first,
        "it has its old place, before #{second}"
    );
    world.pass(MINUTE);
    assert_eq!(world.state(later), State::Queued);
    let refused = world.requeue(second, Transition::UndoCancel);
    assert!(matches!(
        refused,
        Err(BrokerError::InvalidTransition { .. })
    ));
}

#[test]
fn a_delayed_task_waits_for_its_time_and_a_late_one_expires() {
    let mut world = World::new();
    let delayed = world.submit(TaskOptions {
        delay: Some(MINUTE),
        ..TaskOptions::default()
    });
    let expiring = world.submit(TaskOptions {
        expires: Some(MINUTE),
        ..TaskOptions::default()
    });
    world.core.set_paused(None, true).expect("room");
    assert_eq!(world.state(delayed), State::Scheduled);
    world.pass(Duration::from_millis(59_999));
    assert_eq!(world.state(delayed), State::Scheduled);
    world.pass(Duration::from_millis(1));
    assert_eq!(
        (world.state(delayed), world.state(expiring)),
        (State::Queued, State::Expired)
    );
    assert!(world.core.next_job().is_none(), "paused");
    world.core.set_paused(None, false).expect("room");
    assert_eq!(
        world.core.next_job().map(|job| number(&job.id)),
        Some(delayed)
    );
}

#[test]
fn a_task_that_started_in_time_does_not_expire() {
    let mut world = World::new();
    let id = world.submit(TaskOptions {
        expires: Some(Duration::from_secs(1)),
        ..TaskOptions::default()
    });
    let run = world.start();
    world.pass(Duration::from_secs(5));
    assert_eq!(world.state(id), State::Running);
    world.end(run, succeeded());
    assert_eq!(world.state(id), State::Succeeded);
}

#[test]
fn the_backlog_is_bounded_and_accepts_all_or_none() {
    let mut world = World::new();
    let many = |n| vec![validated(TaskOptions::default()); n];
    world
        .core
        .submit(at(0), &Submitter::Owner, many(99))
        .expect("room");
    let refused = world.core.submit(at(0), &Submitter::Owner, many(2));
    let full = BrokerError::Overloaded {
        backlog: 99,
        limit: 100,
    };
    assert_eq!(refused, Err(full));
    assert_eq!(world.core.unfinished(), 99);
    world
        .core
        .submit(at(0), &Submitter::Owner, many(1))
        .expect("room for one");
}

#[test]
fn a_task_that_could_not_be_stored_is_rolled_back() {
    let mut world = World::new();
    let kept = world.submit(TaskOptions::default());
    let run = world.start();
    // Before one commit a task ends, two are submitted, and one of those is cancelled; then the disk
    // is full.
    world.core.run_ended(
        W,
        RunEnded {
            id: task_id(run.0),
            run: run.1,
            at: at(1),
            run_time: MINUTE,
            outcome: succeeded(),
        },
    );
    let new = vec![
        validated(key("acme", KeyPolicy::Unique)),
        validated(TaskOptions::default()),
    ];
    let new = world
        .core
        .submit(at(1), &Submitter::Owner, new)
        .expect("room");
    world.core.cancel(at(1), number(&new[1].id));
    let mut changes = Vec::new();
    world.core.drain_changes(&mut changes);
    assert_eq!(world.core.rollback_new(&mut changes), 2);
    world.store.commit(&mut changes).expect("accepted");
    assert_eq!(world.state(kept), State::Succeeded);
    assert_eq!(world.task(number(&new[0].id)), None);
    assert_eq!(world.core.unfinished(), 0);
    // Its unique key is free again.
    let again = world.core.submit(
        at(2),
        &Submitter::Owner,
        vec![validated(key("acme", KeyPolicy::Unique))],
    );
    assert!(!again.expect("room")[0].deduplicated);
}

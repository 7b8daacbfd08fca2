use super::*;
use crate::queue::executor::job::JobExpired;

fn limited(soft: u64, hard: u64) -> TaskOptions {
    TaskOptions {
        limits: TimeLimits {
            soft: Some(Duration::from_secs(soft)),
            hard: Some(Duration::from_secs(hard)),
        },
        ..TaskOptions::default()
    }
}

fn stop_signals(reason: StopReason, run: u64) -> Vec<Signal> {
    vec![Signal::Stop {
        worker: W,
        run,
        reason,
    }]
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_run_over_its_limits_is_signalled_then_stopped_and_retried() {
    let mut world = World::new();
    let id = world.submit(limited(2, 5));
    let run = world.start();
    assert_eq!(world.core.next_deadline(), Some(at(2_000)));
    world.pass(SECOND * 2);
    assert_eq!(
        world.core.take_signals(),
        stop_signals(StopReason::SoftLimit, run.1)
    );
    assert_eq!(world.core.next_deadline(), Some(at(5_000)));
    world.pass(SECOND * 3);
    assert_eq!(
        world.core.take_signals(),
        stop_signals(StopReason::HardLimit, run.1)
    );
    world.end(run, RunOutcome::TimedOut);
    let task = world.task(id).expect("stored");
    assert_eq!(task.state, State::Retrying);
    assert_eq!(
        task.error.as_ref().map(|error| &*error.message),
        Some("ran longer than its time limit of 5s")
    );
}

#[test]
fn a_run_that_does_not_stop_is_abandoned_with_its_worker() {
    let mut world = World::new();
    let id = world.submit(limited(60, 5));
    let run = world.start();
    world.pass(SECOND * 5);
    world.core.take_signals();
    world.pass(SECOND * 10);
    assert_eq!(world.core.take_signals(), [Signal::Abandon { worker: W }]);
    let task = world.task(id).expect("stored");
    assert_eq!(task.state, State::Failed);
    assert!(
        task.error
            .expect("an error")
            .message
            .contains("did not stop")
    );
    let stuck = Event::Stuck {
        id: task_id(id),
        worker: W.into(),
    };
    assert!(world.core.take_events().contains(&stuck));
    assert_eq!(
        (world.core.in_flight(), world.core.next_deadline()),
        (0, None)
    );
    // Its later report is stale.
    world.end(run, succeeded());
    assert_eq!(world.state(id), State::Failed);
    assert_eq!(world.core.stats(at(0)).stale_reports, 1);
}

#[test]
fn a_cancelled_run_that_does_not_stop_is_cancelled_anyway() {
    let mut world = World::new();
    let id = world.submit(TaskOptions::default());
    world.start();
    world.cancel(id);
    world.core.take_signals();
    world.pass(SECOND * 9);
    assert_eq!(world.state(id), State::Running);
    world.pass(SECOND);
    assert_eq!(world.state(id), State::Cancelled);
    assert_eq!(world.core.take_signals(), [Signal::Abandon { worker: W }]);
}

#[test]
fn setting_the_clock_changes_no_span_of_time() {
    for step in [
        ClockStep::Back(MINUTE * 60),
        ClockStep::Forward(MINUTE * 60 * 24),
    ] {
        let mut world = World::new();
        world.now = 1_000_000_000;
        let countdown = world.submit(TaskOptions {
            delay: Some(MINUTE),
            ..TaskOptions::default()
        });
        let expiring = world.submit(TaskOptions {
            expires: Some(MINUTE),
            delay: Some(MINUTE * 2),
            ..TaskOptions::default()
        });
        let running = world.submit(limited(2, 5));
        let run = world.start();
        world.now = step.apply(at(world.now)).0 / 1_000;
        world.core.apply_clock_step(step);
        world.pass(Duration::from_millis(1));
        assert_eq!(world.core.take_signals(), [], "{step:?}");
        assert_eq!(world.state(countdown), State::Scheduled, "{step:?}");
        world.pass(SECOND * 5);
        assert!(!world.core.take_signals().is_empty(), "{step:?}");
        world.end(run, succeeded());
        assert_eq!(world.state(running), State::Succeeded);
        world.pass(SECOND * 55);
        assert_eq!(world.state(countdown), State::Queued, "{step:?}");
        assert_eq!(world.state(expiring), State::Expired, "{step:?}");
    }
}

#[test]
fn a_time_of_day_does_not_move_with_the_clock() {
    let mut world = World::new();
    world.now = 1_000_000_000;
    let hour = MINUTE * 60;
    let id = world.submit(TaskOptions {
        eta: Some(world.at().after(hour)),
        ..TaskOptions::default()
    });
    world.now += 7_200_000;
    world.core.apply_clock_step(ClockStep::Forward(hour * 2));
    world.core.advance(world.at());
    world.commit();
    assert_eq!(world.state(id), State::Queued, "its time had come");
}

#[test]
fn waiting_tasks_keep_their_order_when_the_clock_is_set_back() {
    let mut world = World::new();
    world.now = 1_000_000_000;
    let old = world.submit(TaskOptions::default());
    let back = ClockStep::Back(MINUTE * 60);
    world.now = back.apply(at(world.now)).0 / 1_000;
    world.core.apply_clock_step(back);
    world.now += 1;
    let new = world.submit(TaskOptions::default());
    assert_eq!((world.start().0, world.start().0), (old, new));
}

#[test]
fn a_task_that_reaches_its_worker_too_late_expires() {
    let mut world = World::new();
    let options = TaskOptions {
        expires: Some(Duration::from_secs(2)),
        ..TaskOptions::default()
    };
    let id = world.submit(options);
    let job = world.core.next_job().expect("ready");
    assert_eq!(job.expires_at, Some(at(2_000)));
    // The core cannot know whether a worker has received the job.
    world.pass(Duration::from_secs(3));
    assert_eq!(world.state(id), State::Queued);
    let mut expired = JobExpired {
        id: job.id.clone(),
        run: job.run + 1,
        at: world.at(),
    };
    world.core.job_expired(&expired);
    world.commit();
    assert_eq!(world.state(id), State::Queued, "the report of another run");
    expired.run = job.run;
    world.core.job_expired(&expired);
    world.commit();
    let task = world.task(id).expect("stored");
    assert_eq!((task.state, task.attempts), (State::Expired, 0));
    assert_eq!(world.core.in_flight(), 0);
}

#[test]
fn a_task_that_no_worker_has_received_expires_in_time() {
    let mut world = World::new();
    let options = TaskOptions {
        expires: Some(Duration::from_secs(2)),
        ..TaskOptions::default()
    };
    let id = world.submit(options);
    let job = world.core.next_job().expect("ready");
    assert!(!world.core.has_expired(at(1_999)));
    assert!(world.core.has_expired(at(2_000)));
    world.core.reclaim_job(&job);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.state(id), State::Expired);
    assert!(!world.core.has_expired(at(2_000)));
}

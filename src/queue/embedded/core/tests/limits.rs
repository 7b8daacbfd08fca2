use super::*;

fn limited(soft: u64, hard: u64) -> TaskOptions {
    TaskOptions {
        limits: TimeLimits {
            soft: Some(Duration::from_secs(soft)),
            hard: Some(Duration::from_secs(hard)),
        },
        ..TaskOptions::default()
    }
}

fn asks(how: Stop, run: u64) -> Vec<Signal> {
    vec![Signal::Ask {
        worker: W,
        run,
        how,
    }]
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_run_is_first_told_then_ended_and_tried_again() {
    let mut world = World::new();
    let id = world.submit(limited(2, 5));
    let run = world.start();
    assert_eq!(world.core.next_deadline(), Some(at(2_000)));
    world.pass(SECOND * 2);
    assert_eq!(world.core.take_signals(), asks(Stop::Softly, run.1));
    assert_eq!(world.core.next_deadline(), Some(at(5_000)));
    world.pass(SECOND * 3);
    assert_eq!(world.core.take_signals(), asks(Stop::Overdue, run.1));
    world.end(run, RunOutcome::Overdue);
    let task = world.task(id).expect("kept");
    assert_eq!(task.state, State::Retrying);
    assert_eq!(
        task.error.as_deref(),
        Some("ran longer than its time limit of 5s")
    );
}

#[test]
fn a_run_that_does_not_stop_is_given_up_with_its_worker() {
    let mut world = World::new();
    let id = world.submit(limited(60, 5));
    let run = world.start();
    world.pass(SECOND * 5);
    world.core.take_signals();
    world.pass(SECOND * 10);
    assert_eq!(world.core.take_signals(), [Signal::GiveUp { worker: W }]);
    let task = world.task(id).expect("kept");
    assert_eq!(task.state, State::Failed);
    assert!(task.error.expect("told").contains("did not stop"));
    let stuck = Event::Stuck {
        id: task_id(id),
        worker: W,
    };
    assert!(world.core.take_events().contains(&stuck));
    assert_eq!(
        (world.core.in_hands(), world.core.next_deadline()),
        (0, None)
    );
    // What it comes to in the end is late.
    world.end(run, good());
    assert_eq!(world.state(id), State::Failed);
    assert_eq!(world.core.stats(at(0)).late, 1);
}

#[test]
fn a_cancelled_run_that_does_not_stop_is_cancelled_all_the_same() {
    let mut world = World::new();
    let id = world.submit(TaskOptions::default());
    world.start();
    world.cancel(id);
    world.core.take_signals();
    world.pass(SECOND * 9);
    assert_eq!(world.state(id), State::Running);
    world.pass(SECOND);
    assert_eq!(world.state(id), State::Cancelled);
    assert_eq!(world.core.take_signals(), [Signal::GiveUp { worker: W }]);
}

#[test]
fn a_clock_that_is_set_changes_no_span_of_time() {
    for jump in [
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
        world.now = jump.apply(at(world.now)).0 / 1_000;
        world.core.jump(jump);
        world.pass(Duration::from_millis(1));
        assert_eq!(world.core.take_signals(), [], "{jump:?}");
        assert_eq!(world.state(countdown), State::Scheduled, "{jump:?}");
        world.pass(SECOND * 5);
        assert!(!world.core.take_signals().is_empty(), "{jump:?}");
        world.end(run, good());
        assert_eq!(world.state(running), State::Succeeded);
        world.pass(SECOND * 55);
        assert_eq!(world.state(countdown), State::Queued, "{jump:?}");
        assert_eq!(world.state(expiring), State::Expired, "{jump:?}");
    }
}

#[test]
fn a_time_of_day_is_kept_whatever_is_done_to_the_clock() {
    let mut world = World::new();
    world.now = 1_000_000_000;
    let hour = MINUTE * 60;
    let id = world.submit(TaskOptions {
        eta: Some(world.at().after(hour)),
        ..TaskOptions::default()
    });
    world.now += 7_200_000;
    world.core.jump(ClockStep::Forward(hour * 2));
    world.core.advance(world.at());
    world.settle();
    assert_eq!(world.state(id), State::Queued, "its time had come");
}

#[test]
fn what_waits_keeps_its_order_when_the_clock_is_set_back() {
    let mut world = World::new();
    world.now = 1_000_000_000;
    let old = world.submit(TaskOptions::default());
    let back = ClockStep::Back(MINUTE * 60);
    world.now = back.apply(at(world.now)).0 / 1_000;
    world.core.jump(back);
    world.now += 1;
    let new = world.submit(TaskOptions::default());
    assert_eq!((world.start().0, world.start().0), (old, new));
}

use super::*;

fn order(world: &mut World) -> Vec<u64> {
    std::iter::from_fn(|| world.core.next_job())
        .map(|job| job.id)
        .collect()
}

fn priority(priority: u8) -> TaskOptions {
    TaskOptions {
        priority,
        ..TaskOptions::default()
    }
}

fn queue(name: &str) -> TaskOptions {
    TaskOptions {
        queue: Some(name.into()),
        ..TaskOptions::default()
    }
}

#[test]
fn a_job_that_is_called_back_waits_in_its_old_place() {
    let mut world = World::new();
    let first = world.submit(TaskOptions::default());
    world.now = 1;
    let second = world.submit(TaskOptions::default());
    let job = world.core.next_job().expect("ready");
    world.core.take_back(&job);
    assert_eq!(world.core.in_hands(), 0);
    assert_eq!(order(&mut world), [first, second]);
}

#[test]
fn a_higher_priority_goes_first_and_waiting_makes_up_for_it() {
    let mut world = World::new();
    let old = world.submit(priority(0));
    world.now = 1;
    let high = world.submit(priority(9));
    world.now = 90_001;
    let late = world.submit(priority(9));
    assert_eq!(order(&mut world), [high, old, late]);
}

#[test]
fn a_paused_queue_waits_and_the_others_go_on() {
    let mut world = World::new();
    let letter = world.submit(queue("mail"));
    let other = world.submit(TaskOptions::default());
    world.core.pause(Some("mail"), true);
    assert_eq!(order(&mut world), [other]);
    assert_eq!(world.core.stats(at(0)).paused_queues, ["mail".into()]);
    world.core.pause(Some("mail"), false);
    assert_eq!(order(&mut world), [letter]);
    // The default queue has a name too.
    let usual = world.submit(TaskOptions::default());
    world.core.pause(Some("default"), true);
    assert!(order(&mut world).is_empty());
    world.core.pause(Some("default"), false);
    assert_eq!(order(&mut world), [usual]);
}

#[test]
fn queues_are_bounded() {
    let mut world = World::new();
    for n in 0..queues::MOST {
        world.submit(queue(&format!("q{n}")));
    }
    let refused = world.core.submit(at(0), vec![accepted(queue("one-more"))]);
    let refused = refused.expect_err("too many").to_string();
    assert!(refused.contains("64 queues already"), "{refused}");
    world.submit(queue("q7"));
    world.submit(TaskOptions::default());
}

#[test]
fn a_unique_key_gives_the_id_of_the_living() {
    let mut world = World::new();
    let first = world.submit(key("acme", KeyPolicy::Unique));
    let again = |world: &mut World| {
        let receipts = world
            .core
            .submit(at(0), vec![accepted(key("acme", KeyPolicy::Unique))]);
        world.settle();
        receipts.expect("room")[0]
    };
    let receipt = again(&mut world);
    assert_eq!((number(receipt.id), receipt.deduplicated), (first, true));
    let run = world.start();
    assert!(again(&mut world).deduplicated, "it runs");
    world.end(run, fails(true));
    assert!(again(&mut world).deduplicated, "it will be tried again");
    world.cancel(first);
    let second = again(&mut world);
    assert!(!second.deduplicated && number(second.id) != first);
    assert_eq!(world.core.stats(at(0)).duplicates, 3);
    // The first cannot come back while the second lives.
    let refused = world.bring_back(first, crate::queue::task::Transition::Retry);
    assert!(
        matches!(refused, Err(BrokerError::DuplicateKey { .. })),
        "{refused:?}"
    );
    // A label is no lock.
    world.submit(key("acme", KeyPolicy::Tag));
}

#[test]
fn of_a_serial_key_one_runs_at_a_time_in_order() {
    let mut world = World::new();
    let acme: Vec<u64> = (0..3)
        .map(|_| world.submit(key("acme", KeyPolicy::Serial)))
        .collect();
    let other = world.submit(key("other", KeyPolicy::Serial));
    let first = world.start();
    assert_eq!(first.0, acme[0]);
    assert_eq!(world.start().0, other, "another key does not wait");
    assert!(world.core.next_job().is_none());
    world.end(first, good());
    let second = world.start();
    assert_eq!(second.0, acme[1]);
    // While it waits for its next attempt, the next one goes.
    world.end(second, fails(true));
    let third = world.start();
    assert_eq!(third.0, acme[2]);
    world.pass(MINUTE);
    assert_eq!(world.state(acme[1]), State::Queued);
    assert!(world.core.next_job().is_none(), "the third one runs");
    world.end(third, good());
    assert_eq!(world.start().0, acme[1]);
}

#[test]
fn a_cancelled_task_leaves_its_lane_to_the_next() {
    let mut world = World::new();
    let acme: Vec<u64> = (0..3)
        .map(|_| world.submit(key("acme", KeyPolicy::Serial)))
        .collect();
    world.cancel(acme[1]);
    world.cancel(acme[0]);
    assert_eq!(order(&mut world), [acme[2]]);
}

use super::*;
use crate::queue::limits::{LimitExceeded, MAX_QUEUES};

fn order(world: &mut World) -> Vec<u64> {
    std::iter::from_fn(|| world.core.next_job())
        .map(|job| number(&job.id))
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
fn a_reclaimed_job_waits_in_its_old_place() {
    let mut world = World::new();
    let first = world.submit(TaskOptions::default());
    world.now = 1;
    let second = world.submit(TaskOptions::default());
    let job = world.core.next_job().expect("ready");
    world.core.reclaim_job(&job);
    assert_eq!(world.core.in_flight(), 0);
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
fn a_paused_queue_waits_and_the_others_continue() {
    let mut world = World::new();
    let letter = world.submit(queue("mail"));
    let other = world.submit(TaskOptions::default());
    world.core.set_paused(Some("mail"), true).expect("room");
    assert_eq!(order(&mut world), [other]);
    assert_eq!(world.core.stats(at(0)).paused_queues, ["mail".into()]);
    world.core.set_paused(Some("mail"), false).expect("room");
    assert_eq!(order(&mut world), [letter]);
    // The default queue has a name too.
    let age = world.submit(TaskOptions::default());
    world.core.set_paused(Some("default"), true).expect("room");
    assert!(order(&mut world).is_empty());
    world.core.set_paused(Some("default"), false).expect("room");
    assert_eq!(order(&mut world), [age]);
}

#[test]
fn queues_are_bounded() {
    let mut world = World::new();
    for n in 0..MAX_QUEUES {
        world.submit(queue(&format!("q{n}")));
    }
    let refused = world
        .core
        .submit(at(0), &Submitter::Owner, vec![validated(queue("one-more"))]);
    let refused = refused.expect_err("too many").to_string();
    assert!(refused.contains("64 queues already"), "{refused}");
    assert_eq!(
        world.core.set_paused(Some("one-more"), true),
        Err(LimitExceeded::Queues),
        "a pause that has no effect is not acknowledged"
    );
    assert_eq!(world.core.set_paused(Some("one-more"), false), Ok(()));
    world.submit(queue("q7"));
    world.submit(TaskOptions::default());
}

#[test]
fn a_unique_key_returns_the_id_of_the_unfinished_task() {
    let mut world = World::new();
    let first = world.submit(key("acme", KeyPolicy::Unique));
    let again = |world: &mut World| {
        let receipts = world.core.submit(
            at(0),
            &Submitter::Owner,
            vec![validated(key("acme", KeyPolicy::Unique))],
        );
        world.commit();
        receipts.expect("room")[0].clone()
    };
    let receipt = again(&mut world);
    assert_eq!((number(&receipt.id), receipt.deduplicated), (first, true));
    let run = world.start();
    assert!(again(&mut world).deduplicated, "it runs");
    world.end(run, failed(true));
    assert!(again(&mut world).deduplicated, "it will be retried");
    world.cancel(first);
    let second = again(&mut world);
    assert!(!second.deduplicated && number(&second.id) != first);
    assert_eq!(world.core.stats(at(0)).duplicates, 3);
    // The first cannot be retried while the second is unfinished.
    let refused = world.requeue(first, crate::queue::state::Transition::Retry);
    assert!(
        matches!(refused, Err(BrokerError::DuplicateKey { .. })),
        "{refused:?}"
    );
    // A tag does not deduplicate.
    world.submit(key("acme", KeyPolicy::Tag));
}

#[test]
fn tasks_with_a_serial_key_run_one_at_a_time_in_order() {
    let mut world = World::new();
    let acme: Vec<u64> = (0..3)
        .map(|_| world.submit(key("acme", KeyPolicy::Serial)))
        .collect();
    let other = world.submit(key("other", KeyPolicy::Serial));
    let first = world.start();
    assert_eq!(first.0, acme[0]);
    assert_eq!(world.start().0, other, "another key does not wait");
    assert!(world.core.next_job().is_none());
    world.end(first, succeeded());
    let second = world.start();
    assert_eq!(second.0, acme[1]);
    // While it waits for its next attempt, the next one runs.
    world.end(second, failed(true));
    let third = world.start();
    assert_eq!(third.0, acme[2]);
    world.pass(MINUTE);
    assert_eq!(world.state(acme[1]), State::Queued);
    assert!(world.core.next_job().is_none(), "the third one runs");
    world.end(third, succeeded());
    assert_eq!(world.start().0, acme[1]);
}

#[test]
fn a_cancelled_task_releases_its_serial_group() {
    let mut world = World::new();
    let acme: Vec<u64> = (0..3)
        .map(|_| world.submit(key("acme", KeyPolicy::Serial)))
        .collect();
    world.cancel(acme[1]);
    world.cancel(acme[0]);
    assert_eq!(order(&mut world), [acme[2]]);
}

use std::collections::BTreeSet;

use super::*;

#[test]
fn unfinished_tasks_keep_their_order_after_a_restart() {
    let mut world = World::new();
    let first = world.submit(TaskOptions::default());
    world.now = 1;
    let urgent = world.submit(TaskOptions {
        priority: 9,
        ..TaskOptions::default()
    });
    let serial: Vec<u64> = (0..2)
        .map(|_| world.submit(key("acme", KeyPolicy::Serial)))
        .collect();
    let unique = world.submit(key("acme", KeyPolicy::Unique));
    let later = world.submit(TaskOptions {
        delay: Some(MINUTE),
        ..TaskOptions::default()
    });
    world.restart();
    assert_eq!(world.start().0, urgent);
    assert_eq!(world.start().0, first);
    assert_eq!(world.start().0, serial[0]);
    assert_eq!(world.start().0, unique);
    assert!(world.core.next_job().is_none(), "its serial group is held");
    world.pass(MINUTE);
    assert_eq!(world.start().0, later);
    let again = world.core.submit(
        at(world.now),
        &Submitter::Owner,
        vec![validated(key("acme", KeyPolicy::Unique))],
    );
    assert_eq!(number(&again.expect("room")[0].id), unique);
}

#[test]
fn a_delay_is_not_longer_after_a_restart_with_another_clock() {
    let mut world = World::new();
    world.now = 1_000_000_000;
    let id = world.submit(TaskOptions {
        delay: Some(MINUTE),
        ..TaskOptions::default()
    });
    // The clock had been a day ahead, and was corrected while no process was running.
    world.now -= 86_400_000;
    world.restart();
    world.pass(MINUTE);
    assert_eq!(world.state(id), State::Queued);
}

#[test]
fn a_task_that_crashed_three_times_fails_and_the_others_run_on() {
    let mut world = World::new();
    let poison = world.submit(TaskOptions::default());
    let innocent = world.submit(TaskOptions::default());
    for crash in 1..=3 {
        world.start();
        world.restart();
        let verdicts = world
            .core
            .attribute_crash(at(world.now), &BTreeSet::from([poison, 777]));
        world.commit();
        let task = world.task(poison).expect("stored");
        if crash < 3 {
            assert_eq!(verdicts, [CrashVerdict::Requeue(task_id(poison))]);
            assert_eq!((task.state, task.crashes), (State::Queued, crash));
        } else {
            assert_eq!(verdicts, [CrashVerdict::Fail(task_id(poison))]);
            assert_eq!(task.state, State::Failed);
            let why = "crashed the process 3 times while it ran";
            assert_eq!(task.error.map(|error| error.message), Some(why.into()));
        }
    }
    assert_eq!(world.start().0, innocent);
    // It can be retried by hand.
    let retried = world.requeue(poison, crate::queue::state::Transition::Retry);
    assert_eq!(retried, Ok(State::Queued));
}

#[test]
fn an_unknown_task_fails_with_that_reason() {
    let mut world = World::new();
    let id = world.submit(TaskOptions::default());
    let mut core = Core::new(limits(), ages(), 1_000, 1);
    world
        .store
        .for_each_unfinished(&mut |row| core.recover(at(1), row, None))
        .expect("readable");
    world.core = core;
    assert!(world.core.next_job().is_none());
    world.commit();
    let error = world.task(id).expect("stored").error.expect("an error");
    assert_eq!(
        &*error.message,
        "there is no task named `add` in this program"
    );
}

use proptest::prelude::*;

use super::{life::FIRST_RETRY, *};
use crate::queue::{
    add,
    query::{From, Order, Query},
    registry::Registry,
    worker::{Ended, Outcome, Started},
};

fn at(ms: u64) -> Timestamp {
    Timestamp(ms * 1_000)
}

fn accepted(options: Options) -> Accepted {
    let mut registry = Registry::new();
    add::register(&mut registry);
    Accepted {
        function: registry.find("add", "[2,3]").expect("registered"),
        args: "[2,3]".into(),
        options,
    }
}

fn core() -> Core {
    let mut core = Core::new(
        Limits {
            backlog: 100,
            retained: 10,
        },
        1,
    );
    core.listen(true);
    core
}

fn submit(core: &mut Core, now: u64, options: Options) -> TaskId {
    let ids = core.submit(at(now), vec![accepted(options)]).expect("room");
    *ids.first().expect("one")
}

fn state(core: &Core, id: TaskId) -> State {
    core.get(id).expect("there").state
}

const W: WorkerId = WorkerId(1);

fn start(core: &mut Core, now: u64) -> (u64, u64) {
    let job = core.next_job().expect("ready");
    let started = Started {
        id: job.id,
        run: job.run,
        at: at(now),
    };
    assert_eq!(core.started(W, started), None);
    (job.id, job.run)
}

fn end(core: &mut Core, now: u64, (id, run): (u64, u64), outcome: Outcome) {
    core.ended(
        W,
        Ended {
            id,
            run,
            at: at(now),
            outcome,
        },
    );
}

fn fails(again: bool) -> Outcome {
    Outcome::Failed {
        error: "no".into(),
        again,
    }
}

fn good() -> Outcome {
    Outcome::Succeeded("5".into())
}

#[test]
fn a_task_is_queued_started_and_succeeds_with_its_worker_and_times() {
    let mut core = core();
    let id = submit(&mut core, 1, Options::default());
    assert_eq!(state(&core, id), State::Queued);
    let run = start(&mut core, 3);
    assert_eq!(state(&core, id), State::Running);
    end(&mut core, 10, run, good());
    let task = core.get(id).expect("kept");
    assert_eq!(
        (task.state, task.result.as_deref()),
        (State::Succeeded, Some("5"))
    );
    assert_eq!(
        (task.worker, task.duration()),
        (Some(W), Some(Duration::from_millis(7)))
    );
    let stats = core.stats(at(10));
    assert_eq!((stats.count(State::Succeeded), stats.total()), (1, 1));
    assert_eq!(stats.wait.max.as_millis(), 2);
}

#[test]
fn a_late_report_is_counted_and_changes_nothing() {
    let mut core = core();
    let id = submit(&mut core, 0, Options::default());
    let run = start(&mut core, 0);
    end(&mut core, 1, run, good());
    end(&mut core, 2, run, fails(false));
    end(&mut core, 2, (99, 99), good());
    assert_eq!(state(&core, id), State::Succeeded);
    assert_eq!(core.stats(at(2)).late, 2);
}

#[test]
fn a_passing_failure_is_tried_again_and_the_last_one_keeps_every_error() {
    let mut core = core();
    let id = submit(
        &mut core,
        0,
        Options {
            max_attempts: 3,
            ..Options::default()
        },
    );
    let mut now = 0;
    for attempt in 1..=3 {
        let run = start(&mut core, now);
        end(&mut core, now, run, fails(true));
        let task = core.get(id).expect("kept");
        assert_eq!(task.attempts, attempt);
        if attempt < 3 {
            assert_eq!(task.state, State::Retrying);
            let due = core.next_deadline().expect("a retry");
            assert!(due.since(at(now)) <= FIRST_RETRY * 2u32.pow(u32::from(attempt) - 1));
            core.advance(due);
            now = due.0 / 1_000 + 1;
            assert_eq!(state(&core, id), State::Queued);
        }
    }
    assert_eq!(state(&core, id), State::Failed);
    assert_eq!(core.get(id).expect("kept").errors.len(), 3);
    assert_eq!(core.next_deadline(), None);
    // By hand it starts over, and what went wrong before is still told.
    assert_eq!(core.retry(at(now), id), Ok(State::Queued));
    let run = start(&mut core, now);
    end(&mut core, now, run, good());
    let task = core.get(id).expect("kept");
    assert_eq!(
        (task.state, task.attempts, task.errors.len()),
        (State::Succeeded, 1, 3)
    );
}

#[test]
fn what_waits_is_cancelled_at_once_and_what_runs_is_signalled() {
    let mut core = core();
    let waiting = submit(&mut core, 0, Options::default());
    assert_eq!(core.cancel(at(0), waiting), Ok((State::Cancelled, None)));
    assert!(core.next_job().is_none(), "it left the queue");

    let running = submit(&mut core, 0, Options::default());
    let (id, run) = start(&mut core, 0);
    let signal = Signal { worker: W, run };
    assert_eq!(
        core.cancel(at(1), running),
        Ok((State::Running, Some(signal)))
    );
    assert!(core.get(running).expect("there").cancelling);
    end(&mut core, 2, (id, run), Outcome::Cancelled);
    assert_eq!(state(&core, running), State::Cancelled);

    let again = core.cancel(at(3), running);
    assert!(matches!(again, Err(BrokerError::Illegal { .. })));
    assert_eq!(
        core.cancel(at(3), TaskId(77)),
        Err(BrokerError::NotFound(TaskId(77)))
    );
}

#[test]
fn a_cancel_that_meets_a_task_between_channel_and_start_stops_it_when_it_starts() {
    let mut core = core();
    let id = submit(&mut core, 0, Options::default());
    let job = core.next_job().expect("ready");
    assert_eq!(core.cancel(at(0), id), Ok((State::Running, None)));
    let started = Started {
        id: job.id,
        run: job.run,
        at: at(1),
    };
    let signal = Signal {
        worker: W,
        run: job.run,
    };
    assert_eq!(core.started(W, started), Some(signal));
}

#[test]
fn a_job_that_is_called_back_waits_in_its_old_place() {
    let mut core = core();
    let first = submit(&mut core, 0, Options::default());
    let second = submit(&mut core, 1, Options::default());
    let job = core.next_job().expect("ready");
    core.take_back(&job);
    assert_eq!(core.in_hands(), 0);
    let order: Vec<_> = std::iter::from_fn(|| core.next_job())
        .map(|job| task_id(job.id))
        .collect();
    assert_eq!(order, [first, second]);
}

#[test]
fn a_higher_priority_goes_first_and_waiting_makes_up_for_it() {
    let mut core = core();
    let low = |p| Options {
        priority: p,
        ..Options::default()
    };
    let old = submit(&mut core, 0, low(0));
    let high = submit(&mut core, 1, low(9));
    let late = submit(&mut core, 90_001, low(9));
    let order: Vec<_> = std::iter::from_fn(|| core.next_job())
        .map(|job| task_id(job.id))
        .collect();
    assert_eq!(order, [high, old, late]);
}

#[test]
fn a_delayed_task_waits_for_its_time_and_an_old_one_expires() {
    let mut core = core();
    let minute = Some(Duration::from_secs(60));
    let delayed = submit(
        &mut core,
        0,
        Options {
            delay: minute,
            ..Options::default()
        },
    );
    let expiring = submit(
        &mut core,
        0,
        Options {
            expires: minute,
            ..Options::default()
        },
    );
    core.pause(true);
    assert_eq!(state(&core, delayed), State::Scheduled);
    core.advance(at(59_999));
    assert_eq!(state(&core, delayed), State::Scheduled);
    core.advance(at(60_000));
    assert_eq!(
        (state(&core, delayed), state(&core, expiring)),
        (State::Queued, State::Expired)
    );
    assert!(core.next_job().is_none(), "paused");
    core.pause(false);
    assert_eq!(core.next_job().map(|job| task_id(job.id)), Some(delayed));
}

#[test]
fn a_task_that_started_in_time_does_not_expire() {
    let mut core = core();
    let expires = Some(Duration::from_secs(1));
    let id = submit(
        &mut core,
        0,
        Options {
            expires,
            ..Options::default()
        },
    );
    let run = start(&mut core, 10);
    core.advance(at(5_000));
    assert_eq!(state(&core, id), State::Running);
    end(&mut core, 5_000, run, good());
    assert_eq!(state(&core, id), State::Succeeded);
}

#[test]
fn the_backlog_is_bounded_and_takes_all_or_none() {
    let mut core = core();
    let many = |n| vec![accepted(Options::default()); n];
    core.submit(at(0), many(99)).expect("room");
    let refused = core.submit(at(0), many(2));
    assert_eq!(
        refused,
        Err(BrokerError::Overloaded {
            backlog: 99,
            limit: 100
        })
    );
    assert_eq!(core.stats(at(0)).total(), 99);
    core.submit(at(0), many(1)).expect("room for one");
}

#[test]
fn the_finished_are_bounded_and_failures_are_kept_longest() {
    let mut core = core();
    let failed = submit(&mut core, 0, Options::default());
    let run = start(&mut core, 0);
    end(&mut core, 0, run, fails(false));
    for n in 0..50 {
        submit(&mut core, n, Options::default());
        let run = start(&mut core, n);
        end(&mut core, n, run, good());
    }
    let stats = core.stats(at(60));
    assert_eq!((stats.total(), stats.forgotten), (10, 41));
    assert_eq!(state(&core, failed), State::Failed);
}

#[test]
fn purging_spares_what_is_not_finished() {
    let mut core = core();
    for n in 0..4 {
        submit(&mut core, n, Options::default());
    }
    let (run, other) = (start(&mut core, 9), start(&mut core, 9));
    end(&mut core, 9, run, good());
    end(&mut core, 9, other, fails(false));
    assert_eq!(
        core.purge(&Filter::parse("state:failed").expect("reads")),
        1
    );
    assert_eq!(core.purge(&Filter::default()), 1);
    assert_eq!(core.stats(at(9)).total(), 2);
}

fn finished_mix() -> Core {
    let mut core = Core::new(Limits::default(), 1);
    for n in 0..30u64 {
        submit(&mut core, n, Options::default());
        match n % 3 {
            0 => {}
            1 => {
                let run = start(&mut core, n);
                end(&mut core, n + (n * 7) % 11, run, good());
            }
            _ => {
                let run = start(&mut core, n);
                end(&mut core, n + n % 5, run, fails(false));
            }
        }
    }
    core
}

fn ids(page: &[Task]) -> Vec<u128> {
    page.iter().map(|task| task.id.0).collect()
}

#[test]
fn every_order_pages_forwards_and_backwards_through_the_same_tasks() {
    let core = finished_mix();
    for order in Order::ALL {
        for filter in ["", "state:failed", "state:failed,queued", "#1"] {
            let filter = Filter::parse(filter).expect("reads");
            let ask = |from, limit| {
                core.list(&Query {
                    filter: filter.clone(),
                    order,
                    from,
                    limit,
                })
                .tasks
            };
            let all = ask(From::First, 1_000);
            let (mut forwards, mut from) = (Vec::new(), From::First);
            loop {
                let page = ask(from, 4);
                let Some(last) = page.last() else { break };
                from = From::After(order.cursor(last));
                forwards.extend(page);
            }
            assert_eq!(ids(&forwards), ids(&all), "{order:?} {filter:?}");
            let (mut backwards, mut from) = (Vec::new(), From::Last);
            loop {
                let mut page = ask(from, 4);
                let Some(first) = page.first() else { break };
                from = From::Before(order.cursor(first));
                page.extend(backwards);
                backwards = page;
            }
            assert_eq!(ids(&backwards), ids(&all), "{order:?} {filter:?}");
            if let Some(middle) = all.get(all.len() / 2) {
                let page = ask(From::At(order.cursor(middle)), 1);
                assert_eq!(page.first().map(|t| t.id), Some(middle.id), "{order:?}");
            }
        }
    }
    let slowest = core
        .list(&Query {
            order: Order::Slowest,
            limit: 1_000,
            ..Query::default()
        })
        .tasks;
    assert!(slowest.is_sorted_by_key(|t| std::cmp::Reverse(t.duration())));
    let by_state = core
        .list(&Query {
            order: Order::State,
            limit: 1_000,
            ..Query::default()
        })
        .tasks;
    assert!(by_state.is_sorted_by_key(|t| t.state));
}

#[test]
fn a_rare_word_among_many_tasks_is_found_in_several_calls_in_both_directions() {
    let mut core = Core::new(Limits::default(), 1);
    core.submit(at(0), vec![accepted(Options::default()); 50_000])
        .expect("room");
    let calls_to_find = |id: u128, from: From| {
        // Only one task has this id and no other has it as a part of its own.
        let filter = Filter {
            has: vec![format!("#{id}")],
            ..Filter::default()
        };
        let mut query = Query {
            filter,
            from,
            limit: 1,
            ..Query::default()
        };
        for call in 1.. {
            let page = core.list(&query);
            match (page.tasks.first(), page.more_from) {
                (Some(task), _) => return (call, task.id.0),
                (None, Some(place)) if from.is_backwards() => query.from = From::Before(place),
                (None, Some(place)) => query.from = From::After(place),
                (None, None) => break,
            }
        }
        panic!("#{id} was not found");
    };
    assert_eq!(calls_to_find(50_000, From::First), (1, 50_000));
    assert_eq!(calls_to_find(50_000, From::Last), (3, 50_000));
    assert_eq!(calls_to_find(10_000, From::First), (3, 10_000));
    assert_eq!(calls_to_find(10_000, From::Last), (1, 10_000));
}

#[derive(Debug, Clone)]
enum Move {
    Submit(u8, u64, u64),
    Hand,
    Back,
    Start,
    End(u8),
    Cancel(u64),
    Retry(u64),
    Wait(u64),
    Pause(bool),
    Purge,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        3 => (0u8..10, 0u64..3, 0u64..3).prop_map(|(p, d, e)| Move::Submit(p, d, e)),
        3 => Just(Move::Hand),
        1 => Just(Move::Back),
        3 => Just(Move::Start),
        3 => (0u8..4).prop_map(Move::End),
        1 => (1u64..20).prop_map(Move::Cancel),
        1 => (1u64..20).prop_map(Move::Retry),
        1 => (0u64..30_000).prop_map(Move::Wait),
        1 => any::<bool>().prop_map(Move::Pause),
        1 => Just(Move::Purge),
    ];
    proptest::collection::vec(one, 0..120)
}

proptest! {
    /// Whatever happens in whatever order: every task is in exactly one place, the counts add up,
    /// nothing runs twice at once, and every legal move moves.
    #[test]
    fn no_order_of_events_loses_or_doubles_a_task(moves in moves()) {
        let mut core = core();
        let (mut now, mut channel, mut hands) = (0u64, Vec::new(), Vec::new());
        for step in moves {
            match step {
                Move::Submit(priority, delay, expires) => {
                    let seconds = |n: u64| (n > 0).then(|| Duration::from_secs(n));
                    submit(&mut core, now, Options {
                        priority, delay: seconds(delay), expires: seconds(expires * 5), max_attempts: 2,
                    });
                }
                Move::Hand => channel.extend(core.next_job()),
                Move::Back => while let Some(job) = channel.pop() { core.take_back(&job); },
                Move::Start => if let Some(job) = channel.pop() {
                    core.started(W, Started { id: job.id, run: job.run, at: at(now) });
                    hands.push((job.id, job.run));
                },
                Move::End(kind) => if let Some(run) = hands.pop() {
                    let outcome = match kind {
                        0 => good(),
                        1 => fails(true),
                        2 => fails(false),
                        _ => Outcome::Cancelled,
                    };
                    end(&mut core, now, run, outcome);
                },
                Move::Cancel(id) => {
                    // As the dispatcher does: first everything comes out of the channel.
                    while let Some(job) = channel.pop() { core.take_back(&job); }
                    let _ = core.cancel(at(now), task_id(id));
                }
                Move::Retry(id) => { let _ = core.retry(at(now), task_id(id)); }
                Move::Wait(ms) => { now += ms; core.advance(at(now)); }
                Move::Pause(paused) => core.pause(paused),
                Move::Purge => { core.purge(&Filter::default()); }
            }
            let stats = core.stats(at(now));
            prop_assert_eq!(stats.total(), core.tasks.len());
            prop_assert_eq!(stats.submitted, stats.total() as u64 + stats.forgotten);
            prop_assert_eq!(core.in_hands(), channel.len() + hands.len());
            prop_assert_eq!(stats.count(State::Running), hands.len());
            let waiting = stats.count(State::Queued);
            prop_assert_eq!(waiting, core.ready.len() + channel.len());
            prop_assert!(core.index.finished() <= 10);
            prop_assert_eq!(stats.late, 0);
            let all = core.list(&Query { limit: 1_000, ..Query::default() }).tasks;
            prop_assert_eq!(all.len(), stats.total());
        }
    }
}

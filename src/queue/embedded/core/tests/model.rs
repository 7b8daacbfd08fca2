//! Random sequences of events, compared with a model that knows only the state of each task.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::queue::{broker::BulkAction, query::Filter, state::Transition};

#[derive(Debug, Clone)]
enum Move {
    Submit {
        priority: u8,
        delay: u64,
        expires: u64,
        key: Option<(u8, KeyPolicy)>,
        hard: bool,
    },
    Dispatch,
    Reclaim,
    Start,
    End(u8),
    Cancel(u64),
    Retry(u64),
    UndoCancel(u64),
    Wait(u64),
    Pause(bool),
    Purge,
    ClockStep(bool),
    Crash,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let rule = prop_oneof![
        Just(KeyPolicy::Tag),
        Just(KeyPolicy::Unique),
        Just(KeyPolicy::Serial)
    ];
    let key = proptest::option::of((0u8..3, rule));
    let submit = (0u8..10, 0u64..3, 0u64..3, key, any::<bool>());
    let one = prop_oneof![
        5 => submit.prop_map(|(priority, delay, expires, key, hard)| Move::Submit {
            priority, delay, expires, key, hard,
        }),
        4 => Just(Move::Dispatch),
        1 => Just(Move::Reclaim),
        4 => Just(Move::Start),
        4 => (0u8..5).prop_map(Move::End),
        1 => (1u64..20).prop_map(Move::Cancel),
        1 => (1u64..20).prop_map(Move::Retry),
        1 => (1u64..20).prop_map(Move::UndoCancel),
        2 => (0u64..30_000).prop_map(Move::Wait),
        1 => any::<bool>().prop_map(Move::Pause),
        1 => Just(Move::Purge),
        1 => any::<bool>().prop_map(Move::ClockStep),
        1 => Just(Move::Crash),
    ];
    proptest::collection::vec(one, 0..120)
}

/// The state of each task by the rules of `State::apply` and nothing else.
#[derive(Default)]
struct Model {
    states: BTreeMap<u64, State>,
    keys: BTreeMap<u64, (u8, KeyPolicy)>,
    dispatched: Vec<Job>,
    running: Vec<(u64, u64)>,
}

impl Model {
    fn step(&mut self, id: u64, step: Transition) {
        let state = self.states[&id].apply(step).expect("valid");
        self.states.insert(id, state);
    }

    fn find_unfinished(&self, wanted: (u8, KeyPolicy)) -> Option<u64> {
        let has = |(id, key): (&u64, &(u8, KeyPolicy))| {
            (*key == wanted && self.states.get(id).is_some_and(|s| !s.is_finished())).then_some(*id)
        };
        self.keys.iter().find_map(has)
    }
}

fn options(one: &Move) -> TaskOptions {
    let Move::Submit {
        priority,
        delay,
        expires,
        key,
        hard,
    } = one
    else {
        return TaskOptions::default();
    };
    let seconds = |n: u64| (n > 0).then(|| Duration::from_secs(n));
    TaskOptions {
        priority: *priority,
        delay: seconds(*delay),
        expires: seconds(*expires * 5),
        max_attempts: 2,
        key: key.map(|(text, rule)| TaskKey {
            text: text.to_string().into(),
            policy: rule,
        }),
        limits: TimeLimits {
            soft: None,
            hard: hard.then(|| Duration::from_secs(3)),
        },
        ..TaskOptions::default()
    }
}

fn play(world: &mut World, model: &mut Model, one: &Move) {
    match one {
        Move::Submit { key, delay, .. } => {
            let there = key
                .filter(|(_, rule)| *rule == KeyPolicy::Unique)
                .and_then(|key| model.find_unfinished(key));
            let receipts = world
                .core
                .submit(world.at(), &Submitter::Owner, vec![validated(options(one))])
                .expect("room");
            let receipt = &receipts[0];
            assert_eq!(there, receipt.deduplicated.then(|| number(&receipt.id)));
            if there.is_none() {
                let state = if *delay > 0 {
                    State::Scheduled
                } else {
                    State::Queued
                };
                model.states.insert(number(&receipt.id), state);
                if let Some(key) = key {
                    model.keys.insert(number(&receipt.id), *key);
                }
            }
        }
        Move::Dispatch => model.dispatched.extend(world.core.next_job()),
        Move::Reclaim => reclaim(world, model),
        Move::Start => {
            if let Some(job) = model.dispatched.pop() {
                world.started(&job);
                model.step(number(&job.id), Transition::Start);
                model.running.push((number(&job.id), job.run));
            }
        }
        Move::End(kind) => {
            if let Some(run) = model.running.pop() {
                end(world, model, run, *kind);
            }
        }
        Move::Cancel(id) => {
            reclaim(world, model);
            match world.cancel(*id) {
                Some(State::Cancelled) => model.step(*id, Transition::Cancel),
                Some(_) => assert_eq!(model.states[id], State::Running),
                None => assert!(model.states.get(id).is_none_or(|s| s.is_finished())),
            }
        }
        Move::Retry(id) => requeue(world, model, *id, Transition::Retry),
        Move::UndoCancel(id) => requeue(world, model, *id, Transition::UndoCancel),
        Move::Wait(ms) => {
            world.pass(Duration::from_millis(*ms));
            time_passed(world, model);
        }
        Move::Pause(paused) => world.core.set_paused(None, *paused).expect("room"),
        Move::Purge => {
            let filter = Filter::default().within(BulkAction::Purge.applies_to());
            let page = world.page(Query {
                filter,
                limit: 1_000,
                ..Query::default()
            });
            let ids: Vec<u64> = page.tasks().map(|task| number(&task.id)).collect();
            for id in &ids {
                let state = model.states.remove(id).expect("known");
                assert!(state.is_finished());
            }
            world
                .store
                .commit(&mut vec![StoreChange::Delete(ids)])
                .expect("memory");
        }
        Move::ClockStep(forward) => {
            let step = if *forward {
                ClockStep::Forward(MINUTE)
            } else {
                ClockStep::Back(MINUTE)
            };
            world.now = step.apply(at(world.now)).0 / 1_000;
            world.core.apply_clock_step(step);
        }
        Move::Crash => {
            model.dispatched.clear();
            for (id, _) in model.running.drain(..) {
                // The store has it as it was before it ran.
                model.states.insert(id, State::Queued);
            }
            // The store has the highest id, so that none is used twice.
            let last_id = world.core.last_id;
            world.restart();
            world.core.last_id = last_id;
        }
    }
}

fn reclaim(world: &mut World, model: &mut Model) {
    while let Some(job) = model.dispatched.pop() {
        world.core.reclaim_job(&job);
    }
}

fn end(world: &mut World, model: &mut Model, run: (u64, u64), kind: u8) {
    let cancelling = world.task(run.0).expect("stored").cancelling;
    let attempts = world.task(run.0).expect("stored").attempts;
    let (outcome, retryable) = match kind {
        0 => (succeeded(), None),
        1 => (failed(true), Some(true)),
        2 => (failed(false), Some(false)),
        3 => (RunOutcome::TimedOut, Some(true)),
        _ => (RunOutcome::Cancelled, None),
    };
    let step = match (retryable, &outcome) {
        (Some(retryable), _) if retryable && attempts < 2 && !cancelling => {
            Transition::FailRetryable
        }
        (Some(_), _) => Transition::FailPermanent,
        (None, RunOutcome::Cancelled) => Transition::Cancel,
        (None, _) => Transition::Succeed,
    };
    world.end(run, outcome);
    model.step(run.0, step);
}

fn requeue(world: &mut World, model: &mut Model, id: u64, step: Transition) {
    if world.core.state(id).is_some() {
        return;
    }
    let taken = model
        .keys
        .get(&id)
        .filter(|(_, rule)| *rule == KeyPolicy::Unique);
    let taken = taken.and_then(|key| model.find_unfinished(*key));
    match world.requeue(id, step) {
        Ok(State::Scheduled) => model.step(id, Transition::UndoCancelScheduled),
        Ok(_) => model.step(id, step),
        Err(BrokerError::DuplicateKey { holder: by, .. }) => assert_eq!(Some(number(&by)), taken),
        Err(BrokerError::NotFound(_)) => assert!(!model.states.contains_key(&id)),
        Err(_) => assert!(model.states[&id].apply(step).is_err()),
    }
}

/// Copies what the passing of time has changed, and checks that time can change it that way.
fn time_passed(world: &mut World, model: &mut Model) {
    let mut stuck = Vec::new();
    for (id, state) in &mut model.states {
        let now = world.state(*id);
        if now == *state {
            continue;
        }
        let by = match now {
            State::Queued => vec![Transition::Due],
            State::Expired => vec![Transition::Expire],
            // Due and expired at once.
            State::Failed => vec![Transition::FailPermanent],
            State::Cancelled => vec![Transition::Cancel],
            other => panic!("time made #{id} {other}"),
        };
        assert!(
            by.into_iter().any(|step| state.apply(step) == Ok(now)),
            "{state} to {now}"
        );
        if *state == State::Running {
            stuck.push(*id);
        }
        *state = now;
    }
    model.running.retain(|(id, _)| !stuck.contains(id));
}

fn check(world: &mut World, model: &Model) {
    let page = world.page(Query {
        limit: 1_000,
        ..Query::default()
    });
    let seen: BTreeMap<u64, State> = page
        .tasks()
        .map(|task| (number(&task.id), task.state))
        .collect();
    assert_eq!(seen, model.states);
    let stats = world.core.stats(world.at());
    let of = |wanted: State| {
        model
            .states
            .values()
            .filter(|state| **state == wanted)
            .count()
    };
    for state in State::ALL.into_iter().filter(|state| !state.is_finished()) {
        assert_eq!(stats.count(state), of(state), "{state}");
    }
    assert_eq!(
        world.core.in_flight(),
        model.dispatched.len() + model.running.len()
    );
    assert_eq!(
        of(State::Queued),
        world.core.queues.len() + model.dispatched.len()
    );
    // At most one task of a serial key is running or dispatched.
    for text in 0..3u8 {
        let active = model
            .running
            .iter()
            .map(|(id, _)| *id)
            .chain(model.dispatched.iter().map(|job| number(&job.id)));
        let active = active.filter(|id| model.keys.get(id) == Some(&(text, KeyPolicy::Serial)));
        assert!(active.count() <= 1, "key {text}");
    }
}

proptest! {
    /// Every task is where the rules message, in exactly one place; the counts add up; nothing runs twice
    /// at once; every valid event has its effect; a crash loses nothing.
    #[test]
    fn no_order_of_events_loses_or_duplicates_a_task(moves in moves()) {
        let mut world = World::with(BrokerLimits { backlog: 1_000, ..limits() });
        world.store = Memory::new(Retention::default());
        world.now = 1_000_000_000;
        let mut model = Model::default();
        for one in &moves {
            play(&mut world, &mut model, one);
            world.commit();
            check(&mut world, &model);
        }
    }
}

//! Whatever happens in whatever order, beside a model that only knows which state each task is in.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::queue::{broker::BulkAction, query::Filter, task::Transition};

#[derive(Debug, Clone)]
enum Move {
    Submit {
        priority: u8,
        delay: u64,
        expires: u64,
        key: Option<(u8, KeyPolicy)>,
        hard: bool,
    },
    Hand,
    Back,
    Start,
    End(u8),
    Cancel(u64),
    Retry(u64),
    Restore(u64),
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
        4 => Just(Move::Hand),
        1 => Just(Move::Back),
        4 => Just(Move::Start),
        4 => (0u8..5).prop_map(Move::End),
        1 => (1u64..20).prop_map(Move::Cancel),
        1 => (1u64..20).prop_map(Move::Retry),
        1 => (1u64..20).prop_map(Move::Restore),
        2 => (0u64..30_000).prop_map(Move::Wait),
        1 => any::<bool>().prop_map(Move::Pause),
        1 => Just(Move::Purge),
        1 => any::<bool>().prop_map(Move::ClockStep),
        1 => Just(Move::Crash),
    ];
    proptest::collection::vec(one, 0..120)
}

/// Where each task is, as the rules of `State::after` have it and nothing else.
#[derive(Default)]
struct Model {
    states: BTreeMap<u64, State>,
    keys: BTreeMap<u64, (u8, KeyPolicy)>,
    handed: Vec<Job>,
    hands: Vec<(u64, u64)>,
}

impl Model {
    fn step(&mut self, id: u64, step: Transition) {
        let state = self.states[&id].apply(step).expect("legal");
        self.states.insert(id, state);
    }

    fn alive(&self, wanted: (u8, KeyPolicy)) -> Option<u64> {
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
        key: key.map(|(text, rule)| Key {
            text: text.to_string().into(),
            rule,
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
                .and_then(|key| model.alive(key));
            let receipt = world
                .core
                .submit(world.at(), vec![accepted(options(one))])
                .expect("room")[0];
            assert_eq!(there, receipt.deduplicated.then(|| number(receipt.id)));
            if there.is_none() {
                let state = if *delay > 0 {
                    State::Scheduled
                } else {
                    State::Queued
                };
                model.states.insert(number(receipt.id), state);
                if let Some(key) = key {
                    model.keys.insert(number(receipt.id), *key);
                }
            }
        }
        Move::Hand => model.handed.extend(world.core.next_job()),
        Move::Back => call_back(world, model),
        Move::Start => {
            if let Some(job) = model.handed.pop() {
                world.started(&job);
                model.step(job.id, Transition::Start);
                model.hands.push((job.id, job.run));
            }
        }
        Move::End(kind) => {
            if let Some(run) = model.hands.pop() {
                end(world, model, run, *kind);
            }
        }
        Move::Cancel(id) => {
            call_back(world, model);
            match world.cancel(*id) {
                Some(State::Cancelled) => model.step(*id, Transition::Cancel),
                Some(_) => assert_eq!(model.states[id], State::Running),
                None => assert!(model.states.get(id).is_none_or(|s| s.is_finished())),
            }
        }
        Move::Retry(id) => bring_back(world, model, *id, Transition::Retry),
        Move::Restore(id) => bring_back(world, model, *id, Transition::Restore),
        Move::Wait(ms) => {
            world.pass(Duration::from_millis(*ms));
            time_passed(world, model);
        }
        Move::Pause(paused) => world.core.pause(None, *paused),
        Move::Purge => {
            let filter = Filter::default().within(BulkAction::Purge.applies_to());
            let page = world.page(Query {
                filter,
                limit: 1_000,
                ..Query::default()
            });
            let ids: Vec<u64> = page.tasks.iter().map(|task| number(task.id)).collect();
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
            let jump = if *forward {
                ClockStep::Forward(MINUTE)
            } else {
                ClockStep::Back(MINUTE)
            };
            world.now = jump.apply(at(world.now)).0 / 1_000;
            world.core.jump(jump);
        }
        Move::Crash => {
            model.handed.clear();
            for (id, _) in model.hands.drain(..) {
                // It is kept as it was before it ran.
                model.states.insert(id, State::Queued);
            }
            // The store remembers the highest id, so that none is ever given twice.
            let last_id = world.core.last_id;
            world.restart();
            world.core.last_id = last_id;
        }
    }
}

fn call_back(world: &mut World, model: &mut Model) {
    while let Some(job) = model.handed.pop() {
        world.core.take_back(&job);
    }
}

fn end(world: &mut World, model: &mut Model, run: (u64, u64), kind: u8) {
    let cancelling = world.task(run.0).expect("kept").cancelling;
    let attempts = world.task(run.0).expect("kept").attempts;
    let (outcome, again) = match kind {
        0 => (good(), None),
        1 => (fails(true), Some(true)),
        2 => (fails(false), Some(false)),
        3 => (RunOutcome::Overdue, Some(true)),
        _ => (RunOutcome::Cancelled, None),
    };
    let step = match (again, &outcome) {
        (Some(again), _) if again && attempts < 2 && !cancelling => Transition::FailRetryable,
        (Some(_), _) => Transition::FailPermanent,
        (None, RunOutcome::Cancelled) => Transition::Cancel,
        (None, _) => Transition::Succeed,
    };
    world.end(run, outcome);
    model.step(run.0, step);
}

fn bring_back(world: &mut World, model: &mut Model, id: u64, step: Transition) {
    if world.core.state(id).is_some() {
        return;
    }
    let taken = model
        .keys
        .get(&id)
        .filter(|(_, rule)| *rule == KeyPolicy::Unique);
    let taken = taken.and_then(|key| model.alive(*key));
    match world.bring_back(id, step) {
        Ok(State::Scheduled) => model.step(id, Transition::Postpone),
        Ok(_) => model.step(id, step),
        Err(BrokerError::DuplicateKey { by, .. }) => assert_eq!(Some(number(by)), taken),
        Err(BrokerError::NotFound(_)) => assert!(!model.states.contains_key(&id)),
        Err(_) => assert!(model.states[&id].apply(step).is_err()),
    }
}

/// What time has done is taken over from the world, and must be something that time can do.
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
            // Due and expired in one go.
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
    model.hands.retain(|(id, _)| !stuck.contains(id));
}

fn check(world: &mut World, model: &Model) {
    let page = world.page(Query {
        limit: 1_000,
        ..Query::default()
    });
    let seen: BTreeMap<u64, State> = page
        .tasks
        .iter()
        .map(|task| (number(task.id), task.state))
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
        world.core.in_hands(),
        model.handed.len() + model.hands.len()
    );
    assert_eq!(
        of(State::Queued),
        world.core.queues.len() + model.handed.len()
    );
    // Of a serial key one runs, or is about to.
    for text in 0..3u8 {
        let active = model
            .hands
            .iter()
            .map(|(id, _)| *id)
            .chain(model.handed.iter().map(|job| job.id));
        let active = active.filter(|id| model.keys.get(id) == Some(&(text, KeyPolicy::Serial)));
        assert!(active.count() <= 1, "key {text}");
    }
}

proptest! {
    /// Every task is where the rules say, in exactly one place; the counts add up; nothing runs twice
    /// at once; every legal move moves; a crash loses nothing.
    #[test]
    fn no_order_of_events_loses_or_doubles_a_task(moves in moves()) {
        let mut world = World::with(CoreLimits { backlog: 1_000, ..limits() });
        world.store = Memory::new(Retention::default());
        world.now = 1_000_000_000;
        let mut model = Model::default();
        for one in &moves {
            play(&mut world, &mut model, one);
            world.settle();
            check(&mut world, &model);
        }
    }
}

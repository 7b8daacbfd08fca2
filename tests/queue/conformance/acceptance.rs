//! Acceptance: what a submit accepts, rejects and deduplicates.

use distro_tui::queue::{
    broker::BulkAction,
    capabilities::Operation,
    error::BrokerError,
    id::IdempotencyKey,
    limits::{self, LimitExceeded, MAX_NAME},
    options::{BrokerLimits, KeyPolicy, TaskKey},
    query::{Filter, Query},
    registry::InvalidTask,
    state::State,
    task::NewTask,
};

use crate::support::{Setup, count, submit, sum, task, until};

on_every_engine![
    an_invalid_task_is_rejected_with_a_reason_and_nothing_is_queued,
    a_submit_with_an_idempotency_key_is_accepted_once,
    a_unique_key_gives_the_living_task_and_a_queue_pauses_alone,
    a_request_over_a_limit_is_refused_and_names_the_limit,
    a_name_over_its_limit_is_refused_and_readers_go_on,
];

async fn an_invalid_task_is_rejected_with_a_reason_and_nothing_is_queued(setup: Setup) {
    let engine = setup
        .subject(
            1,
            BrokerLimits {
                backlog: 3,
                ..BrokerLimits::default()
            },
        )
        .await;
    let broker = &*engine.broker;
    let refused = broker.submit(vec![NewTask::new("sub", "[]")]).await;
    assert!(matches!(
        refused,
        Err(BrokerError::InvalidTask(InvalidTask::UnknownTask { .. }))
    ));
    for args in ["", "[1]", "[1,\"x\"]", "[1,2,3,4,5]", "nonsense"] {
        let refused = broker
            .submit(vec![sum(1, 1), NewTask::new("add", args)])
            .await;
        assert!(
            matches!(
                refused,
                Err(BrokerError::InvalidTask(InvalidTask::BadArguments { .. }))
            ),
            "{args}"
        );
    }
    let long = NewTask::new("add", format!("[1,{}]", "1".repeat(70_000)));
    assert!(broker.submit(vec![long]).await.is_err());
    let many = vec![task("gate"); 4];
    let refused = broker.submit(many).await;
    assert_eq!(
        refused,
        Err(BrokerError::Overloaded {
            backlog: 0,
            limit: 3
        })
    );
    assert_eq!(broker.stats().await.expect("answers").submitted, 0);
}

async fn a_submit_with_an_idempotency_key_is_accepted_once(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[Operation::SubmitIdempotent, Operation::Pause]) {
        return;
    }
    broker.pause(None).await.expect("answers");
    let name = IdempotencyKey(7);
    let first = broker.submit_idempotent(name, vec![sum(1, 1); 3]).await;
    let again = broker.submit_idempotent(name, vec![sum(1, 1); 3]).await;
    assert_eq!(first, again);
    let other = broker
        .submit_idempotent(IdempotencyKey(8), vec![sum(1, 1)])
        .await;
    assert_ne!(first, other);
    assert_eq!(count(broker, State::Queued).await, 4);
    let refused = broker
        .submit_idempotent(IdempotencyKey(9), vec![task("nonsense")])
        .await;
    assert!(
        matches!(refused, Err(BrokerError::InvalidTask(_))),
        "{refused:?}"
    );
    let corrected = broker
        .submit_idempotent(IdempotencyKey(9), vec![sum(1, 1)])
        .await;
    assert!(corrected.is_ok(), "what was refused was not taken");
}

async fn a_request_over_a_limit_is_refused_and_names_the_limit(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    let filter = |words: usize| Filter {
        contains: vec!["x".into(); words],
        ..Filter::default()
    };
    let query = |words: usize| Query {
        filter: filter(words),
        ..Query::default()
    };
    let most = limits::MAX_FILTER_WORDS;
    let refusal = |words| BrokerError::LimitExceeded(LimitExceeded::FilterWords(words));
    if engine.supports(&[Operation::List]) {
        assert!(broker.list(query(most)).await.is_ok());
        assert_eq!(broker.list(query(most + 1)).await, Err(refusal(most + 1)));
    }
    if engine.supports(&[Operation::Count]) {
        assert!(broker.count(filter(most)).await.is_ok());
        assert_eq!(broker.count(filter(9_999)).await, Err(refusal(9_999)));
    }
    if engine.supports(&[Operation::Bulk]) {
        let long = Filter {
            excludes: vec!["x".repeat(1_000)],
            ..Filter::default()
        };
        let refused = broker.bulk(BulkAction::Cancel, long).await;
        let why = refused.expect_err("too long").to_string();
        assert!(
            why.contains("at most 256 bytes") && why.contains("1000"),
            "{why}"
        );
        assert!(broker.bulk(BulkAction::Cancel, filter(most)).await.is_ok());
    }
}

async fn a_unique_key_gives_the_living_task_and_a_queue_pauses_alone(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    if !engine.supports(&[Operation::Pause]) {
        return;
    }
    broker.pause(Some("mail")).await.expect("answers");
    let mut letter = sum(1, 1);
    letter.options.queue = Some("mail".into());
    letter.options.key = Some(TaskKey {
        text: "acme".into(),
        policy: KeyPolicy::Unique,
    });
    let first = submit(broker, letter.clone()).await;
    let again = broker.submit(vec![letter]).await.expect("answers");
    assert_eq!((&again[0].id, again[0].deduplicated), (&first, true));
    let other = submit(broker, sum(2, 2)).await;
    until(broker, &other, State::Succeeded).await;
    assert_eq!(count(broker, State::Queued).await, 1);
    broker.resume(Some("mail")).await.expect("answers");
    until(broker, &first, State::Succeeded).await;
}

async fn a_name_over_its_limit_is_refused_and_readers_go_on(setup: Setup) {
    let engine = setup.subject(1, BrokerLimits::default()).await;
    let broker = &*engine.broker;
    for (name, long) in [(MAX_NAME, false), (MAX_NAME + 1, true), (900_000, true)] {
        let name = "q".repeat(name);
        let mut in_queue = sum(1, 1);
        in_queue.options.queue = Some(name.as_str().into());
        let mut with_key = sum(1, 1);
        with_key.options.key = Some(TaskKey {
            text: name.as_str().into(),
            policy: KeyPolicy::Tag,
        });
        for task in [in_queue, with_key, NewTask::new(name.clone(), "{}")] {
            let known = task.name == "add";
            let answer = broker.submit(vec![task]).await;
            let refused = matches!(answer, Err(BrokerError::InvalidTask(_)));
            assert_eq!(refused, long || !known, "{answer:?}");
        }
        if engine.supports(&[Operation::Pause]) {
            let refused = LimitExceeded::QueueName(name.len()).into();
            let expected = if long { Err(refused) } else { Ok(()) };
            assert_eq!(broker.pause(Some(&name)).await, expected);
        }
    }
    if engine.supports(&[Operation::Pause, Operation::Queues]) {
        assert!(broker.pause(Some("")).await.is_err(), "an empty name");
        for n in 0.. {
            let name = format!("{n:0MAX_NAME$}");
            match broker.pause(Some(&name)).await {
                Ok(()) => {}
                Err(why) => {
                    assert_eq!(why, LimitExceeded::Queues.into());
                    break;
                }
            }
        }
        let queues = broker.queues().await.expect("answers");
        assert!(queues.iter().any(|queue| queue.name.len() == MAX_NAME));
    }
    if engine.supports(&[Operation::Stats]) {
        broker.stats().await.expect("answers");
    }
    if engine.supports(&[Operation::Histograms]) {
        broker.histograms().await.expect("answers");
    }
}

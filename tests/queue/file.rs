//! The SQL in the guide to tasks works on the task file.

use std::fs;

use distro_tui::queue::{broker::Broker, options::BrokerLimits, state::State};
use rusqlite::{Connection, types::Value};

use crate::support::{Setup, submit, sum, task, until};

/// The SQL queries in the guide.
fn queries() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/tasks.md");
    let guide = fs::read_to_string(path).expect("a guide");
    let blocks = guide.split("```sql\n").skip(1);
    blocks
        .filter_map(|block| Some(block.split_once("```")?.0.to_owned()))
        .collect()
}

fn select(db: &Connection, query: &str) -> Vec<Vec<Value>> {
    let mut statement = db.prepare(query).expect("it is SQL");
    let columns = statement.column_count();
    let rows = statement.query_map((), |row| (0..columns).map(|i| row.get(i)).collect());
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

#[tokio::test]
async fn the_documented_queries_work_while_the_engine_runs() {
    let setup = Setup::in_a_file();
    let engine = setup.engine(2, BrokerLimits::default());
    let broker: &dyn Broker = &engine.broker;
    for n in 0..3 {
        let id = submit(broker, sum(n, 1)).await;
        until(broker, &id, State::Succeeded).await;
    }
    for _ in 0..12 {
        let id = submit(broker, task("fail")).await;
        until(broker, &id, State::Failed).await;
    }
    broker.pause(None).await.expect("answers");
    submit(broker, sum(9, 9)).await;

    let db = Connection::open(setup.folder().join("tasks.db")).expect("it opens");
    let queries = queries();
    let [states, failures, attempts] = queries.as_slice() else {
        panic!("the guide has {} queries", queries.len());
    };
    let text = |text: &str| Value::Text(text.into());
    let states = select(&db, states);
    for (state, count) in [("failed", 12), ("queued", 1), ("succeeded", 3)] {
        let row = vec![text(state), Value::Integer(count)];
        assert!(states.contains(&row), "{states:?}");
    }
    let failures = select(&db, failures);
    assert_eq!(failures.len(), 10);
    let newest = failures.first().expect("ten");
    assert_eq!(newest.first(), Some(&Value::Integer(15)));
    assert_eq!(newest.last(), Some(&text("it is broken")));
    let attempts = select(&db, attempts);
    assert_eq!(attempts.len(), 12);
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt.last() == Some(&text("it is broken")))
    );
}

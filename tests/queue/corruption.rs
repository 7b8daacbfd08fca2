//! A task file with bytes cut off or turned: it is never taken for an empty one, nothing that has
//! changed is run or shown as if it had not, and what is whole goes on.

use std::{collections::BTreeMap, fs, path::Path};

use distro_tui::queue::{
    broker::Broker,
    embedded::{Embedded, Limits},
    query::{Order, Query},
    task::{State, Task},
};
use proptest::prelude::*;

use crate::support::{Setup, all, registry, submit, sum, until};

const WAITING: usize = 400;
const ENDED: u64 = 400;

/// The files of an engine that did not end in order: some tasks have ended, the rest waits.
struct Source {
    files: BTreeMap<&'static str, Vec<u8>>,
    last_id: u64,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn source() -> Source {
    let setup = Setup::in_a_file();
    let engine = setup.engine(2, Limits::default());
    let broker: &dyn Broker = &engine.broker;
    runtime().block_on(async {
        for n in 0..ENDED {
            let id = submit(broker, sum(n, 7)).await;
            until(broker, id, State::Succeeded).await;
        }
        broker.pause(None).await.expect("answers");
        let tasks = (0..WAITING as u64).map(|n| sum(ENDED + n, 7));
        for chunk in tasks.collect::<Vec<_>>().chunks(50) {
            all(broker, chunk.to_vec()).await;
        }
    });
    let names = ["tasks.db", "tasks.db-wal", "tasks.slots"];
    let read = |name: &'static str| (name, fs::read(setup.folder().join(name)).expect("there"));
    Source {
        files: names.into_iter().map(read).collect(),
        last_id: ENDED + WAITING as u64,
    }
}

/// What is done to a file.
#[derive(Debug, Clone)]
enum Harm {
    Cut(f64),
    Turn(Vec<(f64, u8)>),
    Overwrite(f64, usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        (0.0..1.0).prop_map(Harm::Cut),
        prop::collection::vec((0.0..1.0, 0u8..8), 1..8).prop_map(Harm::Turn),
        (0.0..1.0, 1usize..20_000).prop_map(|(at, length)| Harm::Overwrite(at, length)),
    ]
}

fn do_harm(bytes: &mut Vec<u8>, harm: &Harm) {
    let place = |bytes: &Vec<u8>, at: f64| (bytes.len() as f64 * at) as usize;
    match harm {
        Harm::Cut(at) => bytes.truncate(place(bytes, *at)),
        Harm::Turn(bits) => {
            for (at, bit) in bits {
                let place = place(bytes, *at);
                bytes[place] ^= 1 << bit;
            }
        }
        Harm::Overwrite(at, length) => {
            let from = place(bytes, *at);
            let to = (from + length).min(bytes.len());
            bytes[from..to].fill(0xa5);
        }
    }
}

/// Every task that is shown, or nothing when the file says that it cannot be read.
async fn shown(broker: &Embedded) -> Option<Vec<Task>> {
    let mut tasks = Vec::new();
    let mut query = Query {
        limit: 500,
        order: Order::Oldest,
        ..Query::default()
    };
    loop {
        let page = broker.list(query.clone()).await.ok()?;
        let Some(last) = page.tasks.last() else {
            return Some(tasks);
        };
        query.from = distro_tui::queue::query::From::After(Order::Oldest.cursor(last));
        tasks.extend(page.tasks);
    }
}

fn check(source: &Source, folder: &Path) -> Result<(), TestCaseError> {
    let mut setup = Setup::in_a_file().config(1, Limits::default());
    setup.store.folder = Some(folder.to_owned());
    let broker = match Embedded::start(setup, registry().0) {
        Ok(broker) => broker,
        Err(refused) => {
            // Then it says so, and nothing has been thrown away.
            let said = refused.to_string();
            prop_assert!(said.contains("tasks.db"), "{said}");
            return Ok(());
        }
    };
    let recovery = broker.recovery().clone();
    runtime().block_on(async {
        let Some(tasks) = shown(&broker).await else {
            return Ok(());
        };
        let told = recovery.missing.is_some() || recovery.damage.is_some();
        let newest = tasks.last().map_or(0, |task| task.id.0);
        prop_assert!(
            told || newest == u128::from(source.last_id),
            "it is silent about #{newest}"
        );
        for task in &tasks {
            let expected = format!("[{},7]", task.id.0 - 1);
            let changed = task
                .error
                .as_deref()
                .is_some_and(|e| e.contains("changed on disk"));
            prop_assert!(changed || *task.args == *expected, "{task:?}");
            let sum = (task.id.0 + 6).to_string();
            let result = task.result.as_deref();
            prop_assert!(
                changed || result.is_none_or(|result| result == sum),
                "{task:?}"
            );
        }
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn a_damaged_file_is_never_taken_for_a_whole_one(
        (harm, in_log) in (harm(), any::<bool>()),
    ) {
        use std::sync::OnceLock;
        static SOURCE: OnceLock<Source> = OnceLock::new();
        let source = SOURCE.get_or_init(source);
        let folder = tempfile::tempdir().expect("a folder");
        let harmed = if in_log { "tasks.db-wal" } else { "tasks.db" };
        for (name, bytes) in &source.files {
            let mut bytes = bytes.clone();
            if *name == harmed {
                do_harm(&mut bytes, &harm);
            }
            fs::write(folder.path().join(name), bytes).expect("written");
        }
        check(source, folder.path())?;
    }
}

#[test]
fn what_is_no_database_is_put_aside_and_told() {
    let setup = Setup::in_a_file();
    fs::write(
        setup.folder().join("tasks.db"),
        "my precious notes\n".repeat(500),
    )
    .expect("written");
    let engine = setup.engine(1, Limits::default());
    let damage = engine.broker.recovery().damage.clone().expect("told");
    let kept = fs::read_to_string(damage.kept_at).expect("kept");
    assert!(kept.starts_with("my precious notes"));
    assert_eq!((damage.salvaged, damage.lost), (0, 0));
}

#[test]
fn another_programs_file_is_left_alone() {
    let setup = Setup::in_a_file();
    let path = setup.folder().join("tasks.db");
    let db = rusqlite::Connection::open(&path).expect("opens");
    db.execute_batch("CREATE TABLE recipes (title TEXT); PRAGMA user_version = 7;")
        .expect("made");
    drop(db);
    let refused = Embedded::start(setup.config(1, Limits::default()), registry().0);
    let refused = refused.expect_err("it is not ours").to_string();
    assert!(
        refused.contains("made by another program") && refused.contains("--data-dir"),
        "{refused}"
    );
}

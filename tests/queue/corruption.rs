//! A truncated or corrupted task file: it is never treated as an empty one, no corrupted task is run or
//! shown as intact, and intact tasks go on.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use distro_tui::health::{FindingKind, Findings};
use distro_tui::queue::{
    broker::{Broker, Inspect},
    embedded::Embedded,
    options::BrokerLimits,
    query::{Order, Query},
    state::State,
    task::Task,
};
use proptest::prelude::*;

use crate::support::{Setup, all, checked, number, registry, submit, sum, until};

const WAITING: usize = 400;
const ENDED: u64 = 400;

/// The files of an engine that was not shut down: some tasks have ended, the rest are queued.
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
    let engine = setup.engine(2, BrokerLimits::default());
    let broker: &dyn Broker = &engine.broker;
    runtime().block_on(async {
        for n in 0..ENDED {
            let id = submit(broker, sum(n, 7)).await;
            until(broker, &id, State::Succeeded).await;
        }
        broker.pause(None).await.expect("answers");
        let tasks = (0..WAITING as u64).map(|n| sum(ENDED + n, 7));
        for chunk in tasks.collect::<Vec<_>>().chunks(50) {
            all(broker, chunk.to_vec()).await;
        }
    });
    let names = ["tasks.db", "tasks.db-wal", "tasks.in-flight"];
    let read = |name: &'static str| (name, fs::read(setup.folder().join(name)).expect("there"));
    Source {
        files: names.into_iter().map(read).collect(),
        last_id: ENDED + WAITING as u64,
    }
}

/// A change to a file.
#[derive(Debug, Clone)]
enum Corruption {
    Truncate(f64),
    Flip(Vec<(f64, u8)>),
    Overwrite(f64, usize),
}

fn corruption() -> impl Strategy<Value = Corruption> {
    prop_oneof![
        (0.0..1.0).prop_map(Corruption::Truncate),
        prop::collection::vec((0.0..1.0, 0u8..8), 1..8).prop_map(Corruption::Flip),
        (0.0..1.0, 1usize..20_000).prop_map(|(at, length)| Corruption::Overwrite(at, length)),
    ]
}

fn corrupt(bytes: &mut Vec<u8>, corruption: &Corruption) {
    let offset = |bytes: &Vec<u8>, at: f64| (bytes.len() as f64 * at) as usize;
    match corruption {
        Corruption::Truncate(at) => bytes.truncate(offset(bytes, *at)),
        Corruption::Flip(bits) => {
            for (at, bit) in bits {
                let offset = offset(bytes, *at);
                bytes[offset] ^= 1 << bit;
            }
        }
        Corruption::Overwrite(at, length) => {
            let from = offset(bytes, *at);
            let to = (from + length).min(bytes.len());
            bytes[from..to].fill(0xa5);
        }
    }
}

/// Every listed task, or nothing if the file cannot be read.
async fn shown(broker: &Embedded) -> Option<Vec<Task>> {
    let mut tasks = Vec::new();
    let mut query = Query {
        limit: 500,
        order: Order::Oldest,
        ..Query::default()
    };
    loop {
        let page = broker.list(query.clone()).await.ok()?;
        let Some(next) = query.next_page(&page) else {
            return Some(tasks);
        };
        query.from = next;
        tasks.extend(page.into_tasks());
    }
}

/// Starts twice: the first start may find the damage while it runs, the second lists what is left.
fn check(source: &Source, folder: &Path) -> Result<(), TestCaseError> {
    let first = start(source, folder, 1)?;
    let second = start(source, folder, 2)?;
    let same = first.is_none_or(|first| Some(first) == second);
    prop_assert!(same, "both starts show the same tasks");
    Ok(())
}

/// Starts an engine and returns the ids of the tasks, or nothing if they cannot be listed.
fn start(
    source: &Source,
    folder: &Path,
    number_of_start: u32,
) -> Result<Option<Vec<u64>>, TestCaseError> {
    let mut setup = Setup::in_a_file().config(0, BrokerLimits::default());
    setup.store.folder = Some(folder.to_owned());
    setup.findings = Findings::open(folder);
    let findings = setup.findings.clone();
    let broker = Embedded::start(setup, registry().0);
    let broker = broker.map_err(|refused| TestCaseError::fail(refused.to_string()))?;
    runtime().block_on(async {
        checked(&broker).await;
        let tasks = shown(&broker).await;
        let reported = findings.list();
        broker.shutdown(Duration::ZERO).await.expect("it stops");
        let Some(tasks) = tasks else {
            prop_assert!(number_of_start == 1 && !reported.is_empty());
            return Ok(None);
        };
        let newest = tasks.last().map_or(0, |task| number(&task.id));
        prop_assert!(
            !reported.is_empty() || newest == source.last_id,
            "no report about #{newest}"
        );
        for task in &tasks {
            let expected = format!("[{},7]", number(&task.id) - 1);
            let changed = task
                .error
                .as_ref()
                .is_some_and(|e| e.message.contains("changed on disk"));
            prop_assert!(changed || task.payload.to_string() == expected, "{task:?}");
            let sum = (number(&task.id) + 6).to_string();
            let result = task.result.as_deref();
            prop_assert!(
                changed || result.is_none_or(|result| result == sum),
                "{task:?}"
            );
        }
        Ok(Some(tasks.iter().map(|task| number(&task.id)).collect()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn a_corrupted_file_is_never_treated_as_intact(
        (corruption, in_log) in (corruption(), any::<bool>()),
    ) {
        use std::sync::OnceLock;
        static SOURCE: OnceLock<Source> = OnceLock::new();
        let source = SOURCE.get_or_init(source);
        let folder = tempfile::tempdir().expect("a folder");
        let corrupted = if in_log { "tasks.db-wal" } else { "tasks.db" };
        for (name, bytes) in &source.files {
            let mut bytes = bytes.clone();
            if *name == corrupted {
                corrupt(&mut bytes, &corruption);
            }
            fs::write(folder.path().join(name), bytes).expect("written");
        }
        check(source, folder.path())?;
    }
}

#[test]
fn a_file_that_is_not_a_database_is_moved_aside_and_reported() {
    let setup = Setup::in_a_file();
    fs::write(
        setup.folder().join("tasks.db"),
        "my precious notes\n".repeat(500),
    )
    .expect("written");
    let mut config = setup.config(1, BrokerLimits::default());
    config.findings = Findings::open(setup.folder());
    let findings = config.findings.clone();
    let engine = crate::support::start(config);
    let damage = engine.broker.recovery().damage.clone().expect("reported");
    let kept = fs::read_to_string(damage.moved_to).expect("kept");
    assert!(kept.starts_with("my precious notes"));
    assert_eq!((damage.salvaged, damage.lost), (0, 0));
    let kinds = |findings: &Findings| -> Vec<_> {
        findings.list().iter().map(|found| found.kind).collect()
    };
    assert_eq!(kinds(&findings), [FindingKind::TasksSalvaged]);
    runtime()
        .block_on(engine.broker.shutdown(Duration::ZERO))
        .expect("it stops");
    // The next start says so, too, until somebody has acknowledged it.
    let findings = Findings::open(setup.folder());
    assert_eq!(kinds(&findings), [FindingKind::TasksSalvaged]);
    assert_eq!(findings.acknowledge().expect("stored"), 1);
    assert_eq!(kinds(&Findings::open(setup.folder())), []);
}

#[test]
fn another_programs_file_is_left_alone() {
    let setup = Setup::in_a_file();
    let path = setup.folder().join("tasks.db");
    let db = rusqlite::Connection::open(&path).expect("opens");
    db.execute_batch("CREATE TABLE recipes (title TEXT); PRAGMA user_version = 7;")
        .expect("made");
    drop(db);
    let refused = Embedded::start(setup.config(1, BrokerLimits::default()), registry().0);
    let refused = refused.expect_err("it is not ours").to_string();
    assert!(
        refused.contains("belongs to another program") && refused.contains("--data-dir"),
        "{refused}"
    );
}

//! Every page of a task file, damaged: all tasks that are not on that page are there after the next start
//! and the one after it, and what is lost is reported both times, until it is acknowledged.
//!
//! A few pages of each file by default; all of them with `DISTRO_TUI_ALL_PAGES=1`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use distro_tui::{
    health::{FindingKind, Findings},
    queue::{
        broker::{Broker, Inspect},
        embedded::Embedded,
        options::BrokerLimits,
        query::{Order, Query},
        state::State,
        task::{NewTask, Task},
    },
};
use rusqlite::Connection;

use crate::support::{Setup, all, checked, number, registry, submit, sum, until};

const FILES: [&str; 3] = ["tasks.db", "tasks.db-wal", "tasks.in-flight"];
/// The bytes of a page, and of a log's header and of the header of each page in it.
const PAGE: usize = 4_096;
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The files of an engine, and where each task is in them.
struct Source {
    files: BTreeMap<&'static str, Vec<u8>>,
    tasks: BTreeMap<u64, Stored>,
    /// The tasks with data on each page.
    pages: BTreeMap<usize, BTreeSet<u64>>,
}

/// The part of a task that must not change.
#[derive(Debug, Clone, PartialEq)]
struct Stored {
    payload: String,
    state: State,
    result: Option<String>,
    attempts: usize,
}

/// A change to a file.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Zeroed,
    Flipped,
    CutOff,
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(work)
}

/// An engine with finished tasks, then a failed one, then waiting ones, as it leaves its files when it is
/// shut down, or when it is killed.
fn source(finished: Vec<NewTask>, waiting: Vec<NewTask>, shut_down: bool) -> Source {
    let setup = Setup::in_a_file();
    let engine = setup.engine(2, BrokerLimits::default());
    let broker: &dyn Broker = &engine.broker;
    engine.gate.add_permits(finished.len());
    let tasks = block_on(async {
        let ids = all(broker, finished).await;
        for id in &ids {
            until(broker, id, State::Succeeded).await;
        }
        let failed = submit(broker, NewTask::new("fail", "{}")).await;
        until(broker, &failed, State::Failed).await;
        broker.pause(None).await.expect("answers");
        for chunk in waiting.chunks(50) {
            all(broker, chunk.to_vec()).await;
        }
        let tasks = listed(&engine.broker).await.expect("it is intact");
        if shut_down {
            let grace = std::time::Duration::ZERO;
            broker.shutdown(grace).await.expect("stops");
        }
        tasks
    });
    let read = |name: &'static str| {
        let content = fs::read(setup.folder().join(name)).unwrap_or_default();
        (name, content)
    };
    let files = FILES.into_iter().map(read).collect();
    let pages = tasks_by_page(&setup.folder().join("tasks.db"));
    Source {
        files,
        tasks,
        pages,
    }
}

/// The tasks with data on each page, as SQLite counts them.
fn tasks_by_page(path: &Path) -> BTreeMap<usize, BTreeSet<u64>> {
    let db = Connection::open(path).expect("opens");
    let mut pages: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    for table in ["unfinished", "finished"] {
        let mut statement = db
            .prepare(&format!("SELECT id FROM {table} ORDER BY id"))
            .expect("valid");
        let ids = statement.query_map((), |row| row.get::<_, i64>(0));
        let mut ids = ids
            .expect("rows")
            .map(|id| id.expect("a number").unsigned_abs());
        let mut statement = db
            .prepare(
                "SELECT pageno, pagetype, ncell, path FROM dbstat WHERE name = ?1 ORDER BY path",
            )
            .expect("valid");
        let rows = statement.query_map([table], |row| {
            let page: i64 = row.get(0)?;
            let cells: i64 = row.get(2)?;
            let kind: String = row.get(1)?;
            let path: String = row.get(3)?;
            Ok((page as usize, kind, cells as usize, path))
        });
        let mut rows: Vec<_> = rows.expect("rows").map(|row| row.expect("a row")).collect();
        // The overflow pages of a leaf have its path and the number of the cell, in hexadecimal.
        rows.sort_by_key(|(_, kind, _, path)| (kind == "overflow", path.clone()));
        let mut leaves: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (page, kind, cells, path) in rows {
            let here: Vec<u64> = match kind.as_str() {
                "leaf" => {
                    let here: Vec<u64> = ids.by_ref().take(cells).collect();
                    leaves.insert(path, here.clone());
                    here
                }
                "overflow" => {
                    let (leaf, rest) = path.rsplit_once('/').expect("a path");
                    let (cell, _) = rest.split_once('+').expect("a cell");
                    let cell = usize::from_str_radix(cell, 16).expect("a number");
                    let leaf = leaves.get(&format!("{leaf}/")).or(leaves.get(leaf));
                    leaf.expect("its leaf")
                        .get(cell)
                        .copied()
                        .into_iter()
                        .collect()
                }
                _ => Vec::new(),
            };
            pages.entry(page).or_default().extend(here);
        }
    }
    pages
}

/// Every task, by id; the error if they cannot be listed.
async fn listed(broker: &Embedded) -> Result<BTreeMap<u64, Stored>, String> {
    let mut tasks = BTreeMap::new();
    let mut query = Query {
        limit: 500,
        order: Order::Oldest,
        ..Query::default()
    };
    loop {
        let page = broker.list(query.clone()).await;
        let page = page.map_err(|error| error.to_string())?;
        let Some(next) = query.next_page(&page) else {
            return Ok(tasks);
        };
        query.from = next;
        tasks.extend(page.tasks().filter_map(stored));
    }
}

/// `None` for a task that is shown as changed on disk.
fn stored(task: &Task) -> Option<(u64, Stored)> {
    let changed = task
        .error
        .as_ref()
        .is_some_and(|error| error.message.contains("changed on disk"));
    let stored = Stored {
        payload: task.payload.to_string(),
        state: task.state,
        result: task.result.as_deref().map(ToString::to_string),
        attempts: usize::from(task.attempts),
    };
    (!changed).then(|| (number(&task.id), stored))
}

/// The outcome of a start: the tasks, or the error of listing them, and whether anything was reported.
struct Outcome {
    tasks: Result<BTreeMap<u64, Stored>, String>,
    reported: Vec<FindingKind>,
    texts: Vec<String>,
}

/// Starts an engine without workers, waits until the file has been checked, and lists the tasks.
fn start(folder: &Path) -> Outcome {
    let mut config = Setup::in_a_file().config(0, BrokerLimits::default());
    config.store.folder = Some(folder.to_owned());
    config.findings = Findings::open(folder);
    let findings = config.findings.clone();
    let broker = Embedded::start(config, registry().0).expect("it starts, whatever is damaged");
    block_on(async {
        checked(&broker).await;
        let tasks = listed(&broker).await;
        let found = findings.list();
        let outcome = Outcome {
            tasks,
            reported: found.iter().map(|finding| finding.kind).collect(),
            texts: found.into_iter().map(|finding| finding.text).collect(),
        };
        let grace = std::time::Duration::ZERO;
        broker.shutdown(grace).await.expect("stops");
        outcome
    })
}

/// Two starts on damaged files, of which every task but those of `touched` is intact.
fn check(source: &Source, files: &BTreeMap<&str, Vec<u8>>, touched: &BTreeSet<u64>, case: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("written");
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    }
    let first = start(folder.path());
    let second = start(folder.path());
    let is_reported = |outcome: &Outcome| {
        let kinds = [
            FindingKind::TasksSalvaged,
            FindingKind::TasksLost,
            FindingKind::TaskFileDamaged,
        ];
        outcome.reported.iter().any(|kind| kinds.contains(kind))
    };
    let case = format!(
        "{case}; reported: {:?}, then {:?}",
        first.texts, second.texts
    );
    for (number, outcome) in [(1, &first), (2, &second)] {
        let tasks = match &outcome.tasks {
            Ok(tasks) => tasks,
            // The first start may have found the damage while it ran, and said so.
            Err(error) => {
                assert!(
                    number == 1 && is_reported(outcome),
                    "start {number}: {error}; {case}"
                );
                continue;
            }
        };
        for (id, task) in &source.tasks {
            let found = tasks.get(id);
            if !touched.contains(id) {
                assert_eq!(found, Some(task), "#{id} at start {number}; {case}");
            } else if let Some(found) = found {
                // A checksum covers these.
                assert_eq!(
                    found.payload, task.payload,
                    "#{id} at start {number}; {case}"
                );
            }
            assert!(
                found.is_some() || is_reported(outcome),
                "#{id} is lost silently at start {number}; {case}"
            );
        }
        let unknown = tasks.keys().find(|id| !source.tasks.contains_key(id));
        assert_eq!(unknown, None, "start {number}; {case}");
    }
    let (Ok(second), first) = (&second.tasks, &first.tasks) else {
        panic!("the second start lists the tasks; {case}");
    };
    if let Ok(first) = first {
        assert_eq!(first.len(), second.len(), "start 1 and 2; {case}");
    }
}

/// Damages every page of the task file, or some of them.
fn each_page(source: &Source) {
    let name = "tasks.db";
    let original = &source.files[name];
    let count = original.len() / PAGE;
    for page in some_of(count) {
        for damage in [Damage::Zeroed, Damage::Flipped, Damage::CutOff] {
            let mut files = source.files.clone();
            let bytes = files.get_mut(name).expect("there");
            damage_page(bytes, page * PAGE, PAGE, damage);
            // Page 1 is the first one.
            let on = |page: usize| source.pages.get(&page).cloned().unwrap_or_default();
            let touched: BTreeSet<u64> = match damage {
                Damage::CutOff => (page..count).flat_map(|page| on(page + 1)).collect(),
                _ => on(page + 1),
            };
            check(
                source,
                &files,
                &touched,
                &format!("page {} {damage:?}", page + 1),
            );
        }
    }
}

fn damage_page(bytes: &mut Vec<u8>, at: usize, size: usize, damage: Damage) {
    match damage {
        Damage::Zeroed => bytes[at..at + size].fill(0),
        // A different place of each page.
        Damage::Flipped => bytes[at + (at / size * 7_919) % size] ^= 1 << (at / size % 8),
        Damage::CutOff => bytes.truncate(at),
    }
}

/// Every number below `count` in the full campaign, by default the first ones and a few others.
fn some_of(count: usize) -> Vec<usize> {
    let step = match std::env::var_os("DISTRO_TUI_ALL_PAGES") {
        Some(_) => 1,
        None => (count / 6).max(1),
    };
    (0..count).filter(|n| *n < 3 || n % step == 0).collect()
}

/// A task whose arguments take this many bytes.
fn fat(n: u64, bytes: usize) -> NewTask {
    let args = format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(bytes));
    NewTask::new("gate", args)
}

#[test]
fn a_damaged_page_costs_only_the_tasks_on_it() {
    let sums = |range: std::ops::Range<u64>| range.map(|n| sum(n, 7)).collect();
    each_page(&source(sums(0..300), sums(300..700), true));
}

#[test]
fn a_damaged_page_of_a_large_task_costs_only_that_task() {
    let large = |range: std::ops::Range<u64>| range.map(|n| fat(n, 6_000)).collect();
    each_page(&source(large(0..10), large(10..20), true));
}

#[test]
fn a_damaged_page_of_a_deep_tree_costs_only_the_tasks_below_it() {
    let waiting = (0..600).map(|n| fat(n, 3_000)).collect();
    each_page(&source(vec![sum(1, 1)], waiting, true));
}

#[test]
fn a_damaged_page_costs_no_more_when_the_log_is_in_use() {
    let sums = |range: std::ops::Range<u64>| range.map(|n| sum(n, 7)).collect();
    let source = source(sums(0..100), sums(100..300), false);
    each_page(&source);
    let name = "tasks.db-wal";
    let log = &source.files[name];
    let frame = FRAME_HEADER + PAGE;
    let count = (log.len() - LOG_HEADER) / frame;
    for number in some_of(count) {
        let at = LOG_HEADER + number * frame;
        let page = log[at..]
            .first_chunk()
            .map(|page| u32::from_be_bytes(*page));
        let page = page.expect("a page") as usize;
        let touched = source.pages.get(&page).cloned().unwrap_or_default();
        for damage in [Damage::Zeroed, Damage::Flipped] {
            let mut files = source.files.clone();
            let log = files.get_mut(name).expect("there");
            match damage {
                Damage::Zeroed => log[at..at + frame].fill(0),
                _ => log[at + (number * 7_919) % frame] ^= 1 << (number % 8),
            }
            check(
                &source,
                &files,
                &touched,
                &format!("log page {number} {damage:?}"),
            );
        }
    }
}

/// Tasks of the large file, a half of them finished.
const MANY: u64 = 310_000;
/// Pages of it that are damaged, evenly spaced.
const LARGE_PAGES: usize = 104;

/// The ids in the file, and the time that a start took.
fn start_large(folder: &Path) -> (BTreeSet<u64>, Vec<FindingKind>, std::time::Duration) {
    let mut config = Setup::in_a_file().config(0, BrokerLimits::default());
    config.store.folder = Some(folder.to_owned());
    config.findings = Findings::open(folder);
    let findings = config.findings.clone();
    let since = std::time::Instant::now();
    let broker = Embedded::start(config, registry().0).expect("it starts, whatever is damaged");
    let took = since.elapsed();
    block_on(async {
        checked(&broker).await;
        let grace = std::time::Duration::ZERO;
        broker.shutdown(grace).await.expect("stops");
    });
    let db = Connection::open(folder.join("tasks.db")).expect("opens");
    let mut ids = BTreeSet::new();
    for table in ["unfinished", "finished"] {
        let mut statement = db
            .prepare(&format!("SELECT id FROM {table}"))
            .expect("valid");
        let rows = statement.query_map((), |row| row.get::<_, i64>(0));
        ids.extend(rows.expect("rows").flatten().map(i64::unsigned_abs));
    }
    let kinds = findings.list().iter().map(|found| found.kind).collect();
    (ids, kinds, took)
}

#[test]
#[ignore = "takes long; prints what is left of a file with 310,000 tasks for each damaged page"]
fn damaged_pages_of_a_large_file() {
    let half = |from: u64| {
        (from..from + MANY / 2)
            .map(|n| sum(n, 7))
            .collect::<Vec<_>>()
    };
    let setup = Setup::in_a_file();
    let limits = BrokerLimits {
        backlog: usize::try_from(MANY).expect("fits"),
        ..BrokerLimits::default()
    };
    let engine = setup.engine(2, limits);
    let broker: &dyn Broker = &engine.broker;
    block_on(async {
        for chunk in half(0).chunks(20_000) {
            all(broker, chunk.to_vec()).await;
        }
        while broker.stats().await.expect("answers").unfinished() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        broker.pause(None).await.expect("answers");
        for chunk in half(MANY / 2).chunks(20_000) {
            all(broker, chunk.to_vec()).await;
        }
        let grace = std::time::Duration::ZERO;
        broker.shutdown(grace).await.expect("stops");
    });
    let original = fs::read(setup.folder().join("tasks.db")).expect("there");
    let on_pages = tasks_by_page(&setup.folder().join("tasks.db"));
    let count = original.len() / PAGE;
    println!("{count} pages");
    let all_ids: BTreeSet<u64> = (1..=MANY).collect();
    for n in 0..LARGE_PAGES {
        // A different order, so that a part of the campaign is spread over the file, too.
        let page = 1 + (n * 41 % LARGE_PAGES) * (count - 1) / LARGE_PAGES;
        for damage in [Damage::Zeroed, Damage::Flipped] {
            let folder = tempfile::tempdir().expect("a folder");
            let mut bytes = original.clone();
            damage_page(&mut bytes, (page - 1) * PAGE, PAGE, damage);
            let path = folder.path().join("tasks.db");
            fs::write(&path, bytes).expect("written");
            fs::copy(
                setup.folder().join("tasks.in-flight"),
                folder.path().join("tasks.in-flight"),
            )
            .expect("copied");
            let on_page = on_pages.get(&page).cloned().unwrap_or_default();
            let expected: BTreeSet<u64> = all_ids.difference(&on_page).copied().collect();
            let (first, reported, took) = start_large(folder.path());
            let (second, again, _) = start_large(folder.path());
            println!(
                "page {page} {damage:?}: on it {}; start 1 {} tasks in {took:?}, {reported:?}; start 2 {} tasks, {again:?}; others missing {}",
                on_page.len(),
                first.len(),
                second.len(),
                expected.difference(&second).count(),
            );
        }
    }
}

//! Full disks, clock steps, and tasks that hang, panic or crash the process.

use std::{
    error::Error,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use distro_tui::{
    node::NodeError,
    queue::{
        broker::{Broker, BulkAction, Control, Inspect},
        clock::{Clock, TimeSource, Timestamp},
        embedded::{BrokerConfig, Embedded},
        error::BrokerError,
        event::Event,
        id::TaskId,
        options::{BrokerLimits, TaskOptions, TimeLimits},
        query::Filter,
        state::State,
        storage::StorageConfig,
        task::NewTask,
        worker::WorkerState,
    },
};

use crate::support::{Setup, all, count, registry, start, submit, sum, task, until};

/// A task with large arguments.
fn heavy() -> NewTask {
    NewTask::new("add", format!("[{},1]", "7".repeat(4_000)))
}

/// Submits tasks one by one until one is rejected; returns the accepted ones and the reason.
async fn fill(broker: &dyn Broker) -> (Vec<TaskId>, String) {
    let mut taken = Vec::new();
    loop {
        match broker.submit(vec![heavy()]).await {
            Ok(receipts) => taken.push(receipts[0].id.clone()),
            Err(BrokerError::NotPersisted(why)) => return (taken, why.to_string()),
            Err(other) => panic!("{other}"),
        }
        assert!(taken.len() < 100_000, "it is never full");
    }
}

async fn all_there(broker: &dyn Broker, taken: &[TaskId]) {
    for id in taken {
        assert!(broker.get(id).await.expect("reads go on").is_some(), "{id}");
    }
}

#[tokio::test]
async fn a_full_file_rejects_with_the_reason_loses_nothing_and_recovers() {
    let setup = Setup::in_a_file();
    let mut config = setup.config(2, BrokerLimits::default());
    config.store.max_file_bytes = Some(1 << 20);
    let engine = start(config.clone());
    let broker: &dyn Broker = &engine.broker;
    broker.pause(None).await.expect("answers");
    let (taken, why) = fill(broker).await;
    assert!(
        why.contains("`max-file-size`, which is 1 MiB") && taken.len() > 50,
        "{why}"
    );
    let stats = broker.stats().await.expect("answers");
    assert!(stats.persist_error().expect("shown").contains("full"));
    assert_eq!(
        stats.unfinished(),
        taken.len(),
        "a refused task was never there"
    );
    all_there(broker, &taken).await;
    // Work goes on, and purging old tasks makes room.
    broker.resume(None).await.expect("answers");
    let events = broker.subscribe();
    while broker.stats().await.expect("answers").unfinished() > 0 {
        events.next().await.expect("alive");
    }
    let finished = broker.bulk(BulkAction::Purge, Filter::default()).await;
    assert_eq!(finished.expect("there is room to purge").done, taken.len());
    let id = submit(broker, sum(1, 1)).await;
    until(broker, &id, State::Succeeded).await;
    let stats = broker.stats().await.expect("answers");
    assert_eq!(stats.persist_error(), None);
}

/// Mounts a small disk in a namespace of its own. Skipped without the right to mount one; the test
/// above covers the rest.
#[test]
fn a_full_disk_rejects_with_the_reason_loses_nothing_and_recovers() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = "mount -t tmpfs -o size=6m none \"$0\" && exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(folder.path())
        .arg(std::env::current_exe().expect("this program"))
        .args([
            "--ignored",
            "--exact",
            "faults::on_a_small_disk",
            "--nocapture",
        ])
        .env("SMALL_DISK", folder.path())
        .stderr(Stdio::piped())
        .output();
    let said = match &output {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) => error.to_string(),
    };
    if !said.contains("on the small disk") {
        println!("skipped: no permission to mount a disk ({said})");
        return;
    }
    let output = output.expect("it ran");
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{wrong}");
}

#[tokio::test]
#[ignore = "started on a disk of its own"]
async fn on_a_small_disk() {
    println!("on the small disk");
    let folder = std::env::var_os("SMALL_DISK").expect("started by the test");
    let ballast = Path::new(&folder).join("ballast");
    std::fs::write(&ballast, vec![0; 2 << 20]).expect("there is room");
    let config = BrokerConfig {
        workers: 2,
        store: StorageConfig {
            folder: Some(folder.into()),
            ..StorageConfig::default()
        },
        ..BrokerConfig::default()
    };
    let engine = start(config.clone());
    engine.broker.pause(None).await.expect("answers");
    let (mut taken, why) = fill(&engine.broker).await;
    assert!(why.contains("disk"), "{why}");
    all_there(&engine.broker, &taken).await;
    std::fs::remove_file(&ballast).expect("it is there");
    taken.push(submit(&engine.broker, sum(1, 1)).await);
    let stats = engine.broker.stats().await.expect("answers");
    assert_eq!(stats.persist_error(), None);
    engine.broker.shutdown(Duration::ZERO).await.expect("ends");
    let again = start(config);
    all_there(&again.broker, &taken).await;
}

/// A clock that the test sets.
#[derive(Clone)]
struct ManualClock(Arc<Mutex<(Timestamp, Duration)>>);

impl TimeSource for ManualClock {
    fn wall_clock(&self) -> Timestamp {
        self.0.lock().expect("whole").0
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().expect("whole").1
    }
}

#[tokio::test]
async fn what_is_due_while_the_machine_sleeps_runs_when_it_wakes() {
    let start = Timestamp(1_800_000_000_000_000);
    let clock = ManualClock(Arc::new(Mutex::new((start, Duration::from_secs(100)))));
    let (registry, _) = registry();
    let broker = Embedded::start_with(
        BrokerConfig::default(),
        registry,
        Clock::with(clock.clone()),
    );
    let broker = broker.expect("starts");
    let hour = Duration::from_secs(3_600);
    let mut later = sum(1, 1);
    later.options.delay = Some(hour);
    let later = submit(&broker, later).await;
    let mut at_night = sum(2, 2);
    at_night.options.eta = Some(start.after(hour * 7));
    let at_night = submit(&broker, at_night).await;
    assert_eq!(count(&broker, State::Scheduled).await, 2);
    // Eight hours of sleep: both clocks go on, and no timer has fired.
    let eight = hour * 8;
    *clock.0.lock().expect("whole") = (start.after(eight), Duration::from_secs(100) + eight);
    for id in [later, at_night] {
        let done = until(&broker, &id, State::Succeeded).await;
        assert_eq!(done.attempts, 1, "once");
    }
}

#[tokio::test]
async fn panics_fail_their_tasks_and_no_worker() {
    let setup = Setup::in_memory();
    let engine = setup.engine(3, BrokerLimits::default());
    let broker: &dyn Broker = &engine.broker;
    let tasks = (0..10_000).map(|n| {
        if n % 10 == 0 {
            task("quiet-panic")
        } else {
            sum(n, 1)
        }
    });
    let ids = all(broker, tasks.collect()).await;
    for (n, id) in ids.into_iter().enumerate() {
        let state = if n % 10 == 0 {
            State::Failed
        } else {
            State::Succeeded
        };
        until(broker, &id, state).await;
    }
    let workers = broker.workers().await.expect("answers");
    assert_eq!(workers.len(), 3);
    let failed: u64 = workers.iter().map(|worker| worker.failed).sum();
    assert_eq!(failed, 1_000);
    let dead_letters = broker.dead_letters().await.expect("answers");
    assert_eq!((dead_letters.len(), dead_letters[0].count), (1, 1_000));
}

#[tokio::test]
async fn hung_tasks_meet_their_limit_and_their_workers_are_replaced() {
    let limits = BrokerLimits {
        stop_grace: Duration::from_millis(30),
        ..BrokerLimits::default()
    };
    let engine = Setup::in_memory().engine(2, limits);
    let broker: &dyn Broker = &engine.broker;
    let events = broker.subscribe();
    let hung = |name: &str| {
        let mut hung = task(name);
        hung.options.limits = TimeLimits {
            soft: None,
            hard: Some(Duration::from_millis(30)),
        };
        hung
    };
    // More than there are threads to run them on.
    let threads = std::thread::available_parallelism().expect("known").get();
    let hung: Vec<NewTask> = ["spin", "lock"]
        .into_iter()
        .cycle()
        .take(threads + 1)
        .map(hung)
        .collect();
    let ids = all(broker, hung).await;
    for id in &ids {
        let failed = until(broker, id, State::Failed).await;
        assert!(
            failed
                .error
                .expect("an error")
                .message
                .contains("did not stop"),
            "{id}"
        );
    }
    let stats = broker.stats().await.expect("answers");
    assert_eq!((stats.stuck, stats.desired_workers), (ids.len(), 2));
    let workers = broker.workers().await.expect("answers");
    let stuck = workers
        .iter()
        .filter(|worker| worker.state == WorkerState::Stuck);
    assert_eq!(stuck.count(), ids.len());
    let mut reported = 0;
    while let Some(batch) = events.try_next() {
        reported += batch
            .events
            .iter()
            .filter(|event| matches!(event, Event::Stuck { .. }))
            .count();
    }
    assert_eq!(reported, ids.len());
    // The others work on, and the end comes.
    for id in all(broker, vec![sum(1, 1); 20]).await {
        until(broker, &id, State::Succeeded).await;
    }
    let drained = engine
        .broker
        .shutdown(Duration::from_secs(60))
        .await
        .expect("ends");
    assert_eq!(drained.abandoned, 0, "stuck runs are abandoned already");
}

#[tokio::test]
async fn a_cooperative_run_ends_cleanly_at_its_soft_limit() {
    let engine = Setup::in_memory().engine(1, BrokerLimits::default());
    let mut polite = task("polite");
    polite.options.limits.soft = Some(Duration::from_millis(20));
    let id = submit(&engine.broker, polite).await;
    let done = until(&engine.broker, &id, State::Succeeded).await;
    assert_eq!(done.result.as_deref(), Some("\"in order\""));
}

/// Runs a process on the folder until it ends by itself; returns true if it succeeded.
fn run_to_its_end(folder: &Path, poison: &str) -> bool {
    let status = Command::new(std::env::current_exe().expect("this program"))
        .args([
            "--ignored",
            "--exact",
            "faults::the_poisoned",
            "--nocapture",
        ])
        .env("POISONED", folder)
        .env("POISON", poison)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.expect("it starts").success()
}

#[test]
fn a_task_that_crashes_the_process_three_times_goes_to_the_dead_letters() {
    for poison in ["abort", "overflow"] {
        let folder = tempfile::tempdir().expect("a folder");
        for round in 1..=3 {
            assert!(
                !run_to_its_end(folder.path(), poison),
                "{poison}: crash {round}"
            );
        }
        assert!(
            run_to_its_end(folder.path(), poison),
            "{poison}: it goes on without it"
        );
    }
}

/// Submits the poison with sums around it, the first time, and works until everything has ended.
#[tokio::test]
#[ignore = "started by the test, to crash"]
async fn the_poisoned() {
    let folder = std::env::var_os("POISONED").expect("started by the test");
    let poison = std::env::var("POISON").expect("started by the test");
    let first = !Path::new(&folder).join("tasks.db").exists();
    let config = BrokerConfig {
        workers: 2,
        store: StorageConfig {
            folder: Some(folder.into()),
            ..StorageConfig::default()
        },
        ..BrokerConfig::default()
    };
    let engine = start(config);
    let broker: &dyn Broker = &engine.broker;
    if first {
        let mut tasks = vec![sum(1, 1); 20];
        tasks.insert(10, task(&poison));
        all(broker, tasks).await;
    }
    let events = broker.subscribe();
    while broker.stats().await.expect("answers").unfinished() > 0 {
        events.next().await.expect("alive");
    }
    let stats = broker.stats().await.expect("answers");
    assert_eq!(
        (stats.count(State::Succeeded), stats.count(State::Failed)),
        (20, 1)
    );
    let dead_letters = broker.dead_letters().await.expect("answers");
    assert_eq!(
        &*dead_letters[0].error.message,
        "crashed the process 3 times while it ran"
    );
    assert_eq!(engine.broker.recovery().crashed.len(), 1);
}

#[tokio::test]
async fn two_processes_do_not_share_a_folder_and_the_error_names_the_holder() {
    let setup = Setup::in_a_file();
    let engine = setup.engine(1, BrokerLimits::default());
    let (registry, _) = registry();
    let refused = Embedded::start(setup.config(1, BrokerLimits::default()), registry);
    let refused = refused.expect_err("it is taken").to_string();
    let holder = format!("in use by process {}", std::process::id());
    assert!(refused.contains(&holder), "{refused}");
    engine.broker.shutdown(Duration::ZERO).await.expect("ends");
    setup.engine(1, BrokerLimits::default());
}

#[tokio::test]
async fn unfinished_tasks_go_on_and_the_next_start_reports_them() {
    let setup = Setup::in_a_file();
    let engine = setup.engine(1, BrokerLimits::default());
    let running = submit(&engine.broker, task("gate")).await;
    until(&engine.broker, &running, State::Running).await;
    let waiting = all(&engine.broker, vec![sum(2, 3); 5]).await;
    let mut later = sum(4, 4);
    later.options = TaskOptions {
        delay: Some(Duration::from_secs(3_600)),
        ..TaskOptions::default()
    };
    let later = submit(&engine.broker, later).await;
    let drained = engine
        .broker
        .shutdown(Duration::from_millis(10))
        .await
        .expect("ends");
    assert!(drained.persisted);
    assert_eq!((drained.abandoned, drained.unstarted), (1, 6));
    let again = setup.engine(1, BrokerLimits::default());
    let recovery = again.broker.recovery();
    assert_eq!(
        (recovery.waiting, recovery.requeued.len()),
        (7, 0),
        "it was shut down cleanly"
    );
    again.gate.add_permits(1);
    for id in waiting {
        let done = until(&again.broker, &id, State::Succeeded).await;
        assert_eq!((done.result.as_deref(), done.attempts), (Some("5"), 1));
    }
    assert_eq!(
        until(&again.broker, &running, State::Succeeded)
            .await
            .crashes,
        0
    );
    let later = again
        .broker
        .get(&later)
        .await
        .expect("answers")
        .expect("kept");
    assert_eq!(later.state, State::Scheduled);
}

/// Returns true if there is an error of this type among the sources of an error.
fn is_caused_by<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.any(<dyn Error>::is::<E>)
}

#[tokio::test]
async fn an_error_of_the_broker_leads_to_the_error_of_the_file() {
    let setup = Setup::in_a_file();
    let engine = start(setup.config(1, BrokerLimits::default()));
    let db = rusqlite::Connection::open(setup.folder().join("tasks.db")).expect("opens");
    db.execute_batch("DROP TABLE unfinished; DROP TABLE finished")
        .expect("dropped");
    let broker: &dyn Broker = &engine.broker;
    let rejected = broker.submit(vec![sum(1, 1)]).await.expect_err("no table");
    assert!(
        matches!(rejected, BrokerError::NotPersisted(_)),
        "{rejected}"
    );
    assert!(is_caused_by::<rusqlite::Error>(&rejected), "{rejected:?}");
    let unread = broker.get(&TaskId::Sequence(1)).await;
    let unread = unread.expect_err("no table");
    assert!(matches!(unread, BrokerError::Storage(_)), "{unread}");
    assert!(is_caused_by::<rusqlite::Error>(&unread), "{unread:?}");
}

#[test]
fn an_error_of_a_start_leads_to_the_error_of_the_system() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let setup = Setup::in_a_file();
    let mut config = setup.config(1, BrokerLimits::default());
    config.store.folder = Some(file.path().join("folder"));
    let started = Embedded::start(config, registry().0).map(|_engine| ());
    let error = started.expect_err("a file is no folder");
    let error = NodeError::from(error);
    assert!(is_caused_by::<std::io::Error>(&error), "{error:?}");
}

//! Backups of the task file: consistent while the engine writes, and restored only where no engine runs.

use std::{fs, time::Duration};

use distro_tui::queue::{
    broker::{Broker, Submit},
    embedded::{BackupError, back_up, restore},
    options::BrokerLimits,
    state::State,
};

use crate::support::{Setup, all, count, number, submit, sum, until};

#[tokio::test]
async fn a_backup_is_consistent_while_tasks_are_submitted() {
    let setup = Setup::in_a_file();
    let engine = setup.engine(0, BrokerLimits::default());
    let tasks = |n: u64| (0..n).map(|n| sum(n, 1)).collect::<Vec<_>>();
    all(&engine.broker, tasks(500)).await;
    let target = setup.folder().join("copy");
    let (folder, file) = (setup.folder().to_owned(), target.clone());
    let copying = tokio::task::spawn_blocking(move || back_up(&folder, &file));
    while !copying.is_finished() {
        all(&engine.broker, tasks(10)).await;
    }
    let copied = copying.await.expect("no panic").expect("backed up");
    assert!(
        copied >= 500 && copied % 10 == 0,
        "each submit whole: {copied}"
    );
    let refused = back_up(setup.folder(), &target).expect_err("it exists");
    assert!(refused.to_string().contains("already exists"), "{refused}");

    let elsewhere = Setup::in_a_file();
    let restored = restore(elsewhere.folder(), &target).expect("restored");
    assert_eq!((restored.tasks, restored.previous), (copied, None));
    let engine = elsewhere.engine(0, BrokerLimits::default());
    assert_eq!(count(&engine.broker, State::Queued).await, copied);
}

#[tokio::test]
async fn a_backup_replaces_the_tasks_only_while_no_engine_runs() {
    let setup = Setup::in_a_file();
    let engine = setup.engine(1, BrokerLimits::default());
    let first = submit(&engine.broker, sum(1, 2)).await;
    until(&engine.broker, &first, State::Succeeded).await;
    let target = setup.folder().join("copy");
    assert_eq!(back_up(setup.folder(), &target).expect("backed up"), 1);
    let later = submit(&engine.broker, sum(3, 4)).await;
    until(&engine.broker, &later, State::Succeeded).await;
    let refused = restore(setup.folder(), &target).expect_err("it runs");
    assert!(matches!(refused, BackupError::InUse(_)), "{refused}");
    engine.broker.shutdown(Duration::ZERO).await.expect("stops");

    let restored = restore(setup.folder(), &target).expect("restored");
    assert_eq!(restored.tasks, 1);
    let previous = restored.previous.expect("it stays");
    let engine = setup.engine(1, BrokerLimits::default());
    // A task that was purged by the restoration is not missing, and its id is not given out again.
    assert_eq!(engine.broker.recovery().missing, None);
    assert_eq!(count(&engine.broker, State::Succeeded).await, 1);
    let next = engine.broker.submit(vec![sum(5, 6)]).await.expect("taken");
    assert_eq!(number(&next[0].id), 3);
    engine.broker.shutdown(Duration::ZERO).await.expect("stops");

    assert_eq!(
        restore(setup.folder(), &previous).expect("restored").tasks,
        2
    );
}

#[test]
fn a_file_that_is_no_backup_changes_nothing() {
    let setup = Setup::in_a_file();
    let file = setup.folder().join("notes");
    fs::write(&file, "my precious notes\n".repeat(500)).expect("written");
    let refused = restore(setup.folder(), &file)
        .expect_err("text")
        .to_string();
    assert!(refused.contains("notes is damaged"), "{refused}");
    let other = setup.folder().join("recipes");
    let db = rusqlite::Connection::open(&other).expect("opens");
    db.execute_batch("CREATE TABLE recipes (title TEXT); PRAGMA user_version = 7;")
        .expect("made");
    drop(db);
    let refused = restore(setup.folder(), &other)
        .expect_err("not ours")
        .to_string();
    assert!(refused.contains("belongs to another program"), "{refused}");
    assert!(!setup.folder().join("tasks.db").exists());
    let nothing = back_up(setup.folder(), &setup.folder().join("copy"));
    assert!(
        matches!(nothing, Err(BackupError::Missing(_))),
        "{nothing:?}"
    );
}

//! The task file or its log disappears under a running engine: nothing more is acknowledged, and that is
//! reported until the file is back.

use std::{fs, path::Path, time::Duration};

use distro_tui::{
    health::{FindingKind, Findings},
    queue::{
        broker::{Broker, Inspect},
        error::BrokerError,
        options::BrokerLimits,
        state::State,
    },
};

use crate::support::{Engine, Setup, count, submit, sum};

fn kinds(findings: &Findings) -> Vec<FindingKind> {
    findings.list().iter().map(|found| found.kind).collect()
}

/// An engine with one task, which does not run, on a file of an earlier one.
async fn engine(setup: &Setup) -> (Engine, Findings) {
    let earlier = setup.engine(0, BrokerLimits::default());
    earlier
        .broker
        .shutdown(Duration::ZERO)
        .await
        .expect("stops");
    let config = setup.config(0, BrokerLimits::default());
    let findings = config.findings.clone();
    let engine = crate::support::start(config);
    submit(&engine.broker, sum(1, 2)).await;
    (engine, findings)
}

async fn refused(broker: &dyn Broker) -> String {
    match broker.submit(vec![sum(3, 4)]).await {
        Err(BrokerError::NotPersisted(why)) => why.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Moves a file away, and back later.
async fn moved_away(name: &str) {
    let setup = Setup::in_a_file();
    let (engine, findings) = engine(&setup).await;
    let path = setup.folder().join(name);
    let away = setup.folder().join("away");
    fs::rename(&path, &away).expect("moved");
    let why = refused(&engine.broker).await;
    assert!(
        why.contains(name) && why.contains("was deleted while"),
        "{why}"
    );
    assert!(kinds(&findings).contains(&FindingKind::TaskFileGone));
    assert_eq!(count(&engine.broker, State::Queued).await, 1);
    fs::rename(&away, &path).expect("moved back");
    submit(&engine.broker, sum(3, 4)).await;
    assert_eq!(kinds(&findings), []);
    assert_eq!(count(&engine.broker, State::Queued).await, 2);
}

/// Puts another file in the place of one.
async fn replaced(name: &str) {
    let setup = Setup::in_a_file();
    let (engine, findings) = engine(&setup).await;
    let path = setup.folder().join(name);
    let content = fs::read(&path).expect("there");
    fs::remove_file(&path).expect("removed");
    write_private(&path, &content);
    // A request for statistics looks at the files of an idle engine, too.
    engine.broker.stats().await.expect("answers");
    assert_eq!(kinds(&findings), [FindingKind::TaskFileGone]);
    let why = refused(&engine.broker).await;
    assert!(
        why.contains(name) && why.contains("was replaced while"),
        "{why}"
    );
    assert_eq!(count(&engine.broker, State::Queued).await, 1);
}

fn write_private(path: &Path, content: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, content).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("set");
}

#[tokio::test]
async fn without_its_file_an_engine_accepts_no_task_until_it_is_back() {
    moved_away("tasks.db").await;
    moved_away("tasks.db-wal").await;
}

#[tokio::test]
async fn with_another_file_in_its_place_an_engine_accepts_no_task() {
    replaced("tasks.db").await;
    replaced("tasks.db-wal").await;
    replaced("tasks.db-shm").await;
}

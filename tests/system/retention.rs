//! The limits of stored tasks count tasks only: names, however many and large, evict no result.

use distro_tui::{
    net::naming::RegisterRequest,
    node::{Component, Node, NodeConfig},
    queue::{state::State, storage::Durability, task::NewTask},
};

/// Tasks with a stored result.
const TASKS: usize = 100;
/// Names and the bytes of the tags of each: together more than the limit of stored tasks.
const NAMES: usize = 900;
const TAG_BYTES: usize = 120;
const TAGS: usize = 10;
const RETENTION_BYTES: u64 = 1 << 20;

#[tokio::test]
async fn names_evict_no_finished_task() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = NodeConfig::at(folder.path());
    config.disabled = [Component::Greeter].into();
    config.broker.store.folder = Some(folder.path().to_owned());
    config.broker.store.durability = Durability::Process;
    config.broker.store.retention.bytes = RETENTION_BYTES;
    config.broker.workers = Some(2);
    let node = Node::start(&config).expect("starts");
    let handle = node.handle();
    let broker = handle.broker();
    let tasks = (0..TASKS).map(|n| NewTask::new("add", format!("[{n},1]")));
    broker.submit(tasks.collect()).await.expect("taken");
    let events = broker.subscribe();
    while broker
        .stats()
        .await
        .expect("answers")
        .count(State::Succeeded)
        < TASKS
    {
        events.next().await.expect("alive");
    }
    let before = broker
        .stats()
        .await
        .expect("answers")
        .storage
        .expect("a file");
    for n in 0..NAMES {
        let uri = "distro:x@127.0.0.1:1".parse().expect("a URI");
        let mut request = RegisterRequest::new(format!("name-{n}"), uri);
        request.lease_ms = Some(0);
        request.tags = (0..TAGS)
            .map(|tag| format!("{tag}-{}", "t".repeat(TAG_BYTES)))
            .collect();
        let registered = handle.naming(|naming| async move { naming.register(&request).await });
        registered.await.expect("registered");
    }
    let names = std::fs::metadata(folder.path().join("names.journal")).expect("there");
    assert!(names.len() > RETENTION_BYTES, "{}", names.len());
    let stats = broker.stats().await.expect("answers");
    assert_eq!((stats.count(State::Succeeded), stats.evicted), (TASKS, 0));
    let after = stats.storage.expect("a file");
    assert_eq!(after.bytes, before.bytes, "names are not counted");
    node.shutdown(std::time::Duration::ZERO).await;
}

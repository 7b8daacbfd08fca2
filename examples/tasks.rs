//! Custom tasks: typed, retried when they fail, and reporting their progress.
//!
//! ```text
//! cargo run --example tasks
//! ```

use std::{error::Error, time::Duration};

use distro_tui::queue::{
    broker::{Broker, Submit},
    context::Context,
    embedded::{BrokerConfig, Embedded},
    id::TaskId,
    options::{KeyPolicy, TaskKey},
    registry::{Registry, TaskError},
    state::State,
    storage::{Durability, StorageConfig},
    task::NewTask,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Download {
    url: String,
    parts: u64,
}

/// Fails the first time, as networks do, and then reports progress part by part.
async fn download(args: Download, context: Context) -> Result<String, TaskError> {
    if context.attempt() == 1 {
        let error = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the line broke");
        return Err(TaskError::from_error(&error));
    }
    for part in 1..=args.parts {
        tokio::time::sleep(Duration::from_millis(20)).await;
        context.progress(part, args.parts);
    }
    Ok(format!(
        "{:?}",
        format!("{} in {} parts", args.url, args.parts)
    ))
}

/// Submits a download twice and waits for its result.
///
/// # Errors
/// When the engine does not start, or rejects the task.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let home = std::env::temp_dir().join(format!("distro-tui-tasks-{}", std::process::id()));
    let mut registry = Registry::new();
    registry.register("download", download);
    let config = BrokerConfig {
        store: StorageConfig {
            folder: Some(home.clone()),
            durability: Durability::Power,
            ..StorageConfig::default()
        },
        ..BrokerConfig::default()
    };
    let broker = Embedded::start(config, registry)?;

    let mut task = NewTask::new(
        "download",
        r#"{"url": "https://example.org/a.iso", "parts": 5}"#,
    );
    task.options.key = Some(TaskKey {
        text: "a.iso".into(),
        policy: KeyPolicy::Unique,
    });
    let first = broker.submit(vec![task.clone()]).await?.remove(0);
    let again = broker.submit(vec![task]).await?.remove(0);
    println!(
        "{} was queued; again it is {}, which is there already: {}",
        first.id, again.id, again.deduplicated
    );

    let done = wait(&broker, &first.id).await?;
    println!(
        "{} {} after {} attempts: {}",
        done.id,
        done.state,
        done.attempts,
        done.result.unwrap_or_default()
    );
    for attempt in done.attempts_history {
        println!("  before that: {}", attempt.error.text());
    }
    broker.shutdown(Duration::from_secs(1)).await?;
    std::fs::remove_dir_all(home)?;
    Ok(())
}

/// Waits until a task has ended: an event announces a change, and the task has its state.
async fn wait(
    broker: &dyn Broker,
    id: &TaskId,
) -> Result<distro_tui::queue::task::Task, Box<dyn Error>> {
    let events = broker.subscribe();
    loop {
        let task = broker.get(id).await?.ok_or("it was purged")?;
        if task.state.is_finished() {
            assert_eq!(task.state, State::Succeeded);
            return Ok(task);
        }
        if let Some(progress) = task.progress {
            println!("  {:.0} %", progress.share() * 100.0);
        }
        // Progress is not an event, so the task is also read at intervals.
        tokio::time::timeout(Duration::from_millis(50), events.next())
            .await
            .ok();
    }
}

//! The lateness of frames while tasks block every processor: a frame is due every ten milliseconds, and
//! the delay of each is printed. Half of the tasks spin, half park their thread forever; they outnumber
//! the processors, meet their time limit, and their workers are replaced while the screen goes on.
//!
//! ```text
//! cargo bench --bench hung_tasks
//! ```

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use distro_tui::{
    node::{Node, NodeConfig, Services, Session},
    queue::{context::Context, registry::TaskError, task::NewTask},
    ui::{Headless, UiOptions},
};

const EVERY: Duration = Duration::from_millis(10);
const FRAMES: usize = 500;
const LIMIT: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_secs(1);

#[derive(serde::Deserialize)]
struct Nothing {}

fn main() {
    // `cargo test --all-targets` only checks that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("nothing measured; use cargo bench");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime needs nothing that a benchmark cannot have");
    let home = tempfile::tempdir().expect("a folder");
    let offers = Services::new()
        .task("spin", |_: Nothing, _: Context| async {
            loop {
                std::hint::spin_loop();
            }
            #[expect(unreachable_code, reason = "it says what it would give")]
            Ok::<String, TaskError>(String::new())
        })
        .task("hold", |_: Nothing, _: Context| async {
            loop {
                std::thread::park();
            }
            #[expect(unreachable_code, reason = "it says what it would give")]
            Ok::<String, TaskError>(String::new())
        });
    let mut config = NodeConfig::at(home.path());
    config.broker.limits.stop_grace = GRACE;
    let node = Node::start_with(&config, offers).expect("starts");
    let session = Arc::new(Session::from(node));
    let options = UiOptions::default();
    let mut screen = {
        let _entered = runtime.enter();
        Headless::start(&options, Arc::clone(&session), (200, 50)).expect("a theme")
    };
    let calm = runtime.block_on(lateness(&mut screen));
    let broker = session.handle().broker();
    let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    runtime.block_on(async {
        let blockers = ["spin", "hold"].into_iter().cycle().take(processors + 2);
        let blockers = blockers.map(|name| {
            let mut blocker = NewTask::new(name, "{}");
            blocker.options.limits.hard = Some(LIMIT);
            blocker.options.max_attempts = 1;
            blocker
        });
        broker
            .submit(blockers.collect())
            .await
            .expect("there is room");
    });
    let blocked = runtime.block_on(lateness(&mut screen));
    let stuck = runtime.block_on(broker.stats()).expect("it runs").stuck;
    println!("{processors} processors, {stuck} stuck tasks at the end\n");
    println!("| a frame every 10 ms, late by | median | 99 of 100 | most |\n|---|--:|--:|--:|");
    for (name, late) in [("nothing else to do", calm), ("hung tasks", blocked)] {
        let [median, most_of_them, most] = late;
        println!("| {name} | {median:.1?} | {most_of_them:.1?} | {most:.1?} |");
    }
    runtime.block_on(session.end(Duration::ZERO));
    // Spinning tasks go on until the process ends.
}

/// Draws a frame whenever one is due; returns the median, the 99th percentile and the maximum delay.
async fn lateness(screen: &mut Headless) -> [Duration; 3] {
    let mut late = Vec::with_capacity(FRAMES);
    let since = Instant::now();
    for n in 0..FRAMES {
        let due = since + EVERY * u32::try_from(n).expect("few");
        while let Some(left) = due.checked_duration_since(Instant::now()) {
            tokio::time::timeout(left, screen.next()).await.ok();
        }
        screen.draw();
        late.push(due.elapsed());
    }
    late.sort();
    [late[FRAMES / 2], late[FRAMES * 99 / 100], late[FRAMES - 1]]
}

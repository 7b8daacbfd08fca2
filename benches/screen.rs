//! What a frame costs at 200×50 with many tasks, beside the same rows handed to ratatui's own `Table`,
//! which builds all of them.
//!
//! Each round draws every case in turn; medians of the rounds are printed.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use distro_tui::{
    node::{Node, NodeConfig, Session},
    queue::{limits::MAX_SUBMIT, task::NewTask},
    ui::{Headless, UiOptions},
};
use ratatui::{
    Terminal,
    backend::TestBackend,
    layout::Constraint,
    widgets::{Row, Table},
};

const ROUNDS: usize = 7;
const FRAMES: u32 = 60;
const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let home = std::env::temp_dir().join(format!("distro-tui-bench-{}", std::process::id()));
    let mut screens: Vec<(usize, Headless)> = SIZES
        .iter()
        .map(|tasks| (*tasks, runtime.block_on(screen(&home, *tasks))))
        .collect();
    let mut rows: Vec<(String, Vec<Duration>)> = Vec::new();
    let mut note = |name: String, time| match rows.iter_mut().find(|(known, _)| *known == name) {
        Some((_, times)) => times.push(time),
        None => rows.push((name, vec![time])),
    };
    for _ in 0..ROUNDS {
        for (tasks, screen) in &mut screens {
            note(format!("frame, {tasks} tasks"), frames(|| screen.draw()));
            let moving = runtime.block_on(async {
                frames(|| {
                    screen.press("j").expect("a key");
                    screen.draw();
                })
            });
            note(format!("key and frame, {tasks} tasks"), moving);
        }
        note("reference: Table with 1000 rows".into(), table(1_000));
        note("reference: Table with 100000 rows".into(), table(100_000));
    }
    println!("| case | median | best |\n|---|--:|--:|");
    for (name, mut times) in rows {
        times.sort();
        println!(
            "| {name} | {:.0?} | {:.0?} |",
            times[times.len() / 2],
            times[0]
        );
    }
    for (_, screen) in &screens {
        runtime.block_on(screen.session().end(Duration::ZERO));
    }
    std::fs::remove_dir_all(home).ok();
}

/// A screen on a process with this many queued tasks.
async fn screen(home: &std::path::Path, tasks: usize) -> Headless {
    let mut config = NodeConfig::at(&home.join(tasks.to_string()));
    config.broker.workers = Some(2);
    // What a frame costs does not depend on a disk.
    config.broker.store.folder = None;
    let node = Node::start(&config).expect("starts");
    let broker = node.broker();
    broker.pause(None).await.expect("answers");
    let many: Vec<_> = (0..tasks)
        .map(|n| NewTask::new("add", format!("[{n},{n}]")))
        .collect();
    for part in many.chunks(MAX_SUBMIT) {
        broker.submit(part.to_vec()).await.expect("room");
    }
    let options = UiOptions::default();
    let mut screen =
        Headless::start(&options, Arc::new(Session::from(node)), (200, 50)).expect("a theme");
    screen.press("3").expect("a key");
    let newest = format!("#{tasks} ");
    while !screen.shown().contains(&newest) {
        screen.next().await;
    }
    screen
}

/// The median time of one of many frames.
fn frames(mut draw: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..FRAMES)
        .map(|_| {
            let since = Instant::now();
            draw();
            since.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

/// One frame of a `Table` that is given every row.
fn table(rows: usize) -> Duration {
    let mut terminal = Terminal::new(TestBackend::new(200, 50)).expect("in memory");
    let since = Instant::now();
    let all = (0..rows).map(|n| {
        Row::new([
            format!("#{n}"),
            "queued".into(),
            format!("add({n}, {n})"),
            String::new(),
        ])
    });
    let widths = [
        Constraint::Length(10),
        Constraint::Length(12),
        Constraint::Fill(1),
        Constraint::Fill(1),
    ];
    let table = Table::new(all, widths);
    terminal
        .draw(|frame| frame.render_widget(black_box(table), frame.area()))
        .expect("in memory");
    since.elapsed()
}

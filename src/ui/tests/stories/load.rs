//! A load of tasks: workers, pausing, purging, and a restart.

use super::App;

#[tokio::test]
async fn a_load_fills_the_timelines_and_can_be_paused_and_purged() {
    let mut app = App::start();
    app.press("3 b");
    app.until("100 tasks queued").await;
    app.until("2 of 2 busy").await;
    app.press("p");
    app.until("PAUSED").await;
    app.until("0 of 2 busy").await;
    let screen = app.shown();
    let timeline = screen
        .lines()
        .find(|line| line.contains("w1 "))
        .expect("the first worker's row");
    assert!(
        timeline.contains(|c| ('▁'..='█').contains(&c)),
        "its timeline shows what it ran: {timeline}"
    );
    app.press("D");
    app.until("y yes").await;
    app.press("y");
    app.until("purged").await;
    app.press("p");
    app.until("of 2 busy").await;
    app.end().await;
}

#[tokio::test]
async fn workers_are_scaled_with_plus_and_minus() {
    let mut app = App::start();
    app.until("0 of 2 busy").await;
    app.press("4 + +");
    app.until("w3 ").await;
    app.press("+");
    app.until("0 of 5 busy").await;
    app.press("- - - -");
    app.until("0 of 1 busy").await;
    app.press("-");
    app.until("at least one worker must remain").await;
    app.end().await;
}

#[tokio::test]
async fn queued_tasks_continue_after_a_restart() {
    let mut app = App::start();
    app.press("3 p");
    app.until("PAUSED").await;
    app.press("b");
    app.until("◦ 100 queued").await;
    let home = app.end_for_restart().await;
    let mut app = App::at(home);
    app.until("100 unfinished tasks recovered").await;
    app.press("3 G");
    app.until("✓ succeeded").await;
    app.end().await;
}

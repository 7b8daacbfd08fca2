//! Tasks: scrolling, progress, cancellation, retries, dead letters, unique keys.

use super::App;
use crate::{
    queue::{broker::BulkAction, id::TaskId, query::Filter},
    ui::{Headless, model::layer::Layer},
};

#[tokio::test]
async fn a_running_task_is_cancelled_and_retried_by_hand() {
    let mut app = App::start();
    app.press("3 a").type_text("1 2 600").press("enter");
    app.until("▶ running").await;
    app.press("x");
    app.until("⊘ cancelled").await;
    app.press("x");
    app.until("#1 is already cancelled").await;
    app.press("r");
    app.until("▶ running").await;
    app.press("x");
    app.until("⊘ cancelled").await;
    app.end().await;
}

#[tokio::test]
async fn a_running_task_shows_its_progress() {
    let mut app = App::start();
    app.press("3 a").type_text("2 3 1.5").press("enter");
    app.wait("half of it", |screen| {
        let tasks = &screen.model.tasks;
        let half = tasks
            .iter()
            .any(|task| task.progress.is_some_and(|p| p.share() > 0.3));
        screen.shown().contains("███") && half
    })
    .await;
    app.until("✓ succeeded").await;
    app.end().await;
}

#[tokio::test]
async fn a_task_that_fails_twice_succeeds_and_its_attempts_are_shown() {
    let mut app = App::start();
    app.press("3 a").type_text("2 3 fails:2").press("enter");
    app.until("retrying").await;
    app.until("✓ succeeded").await;
    app.press("enter");
    let screen = app.until("attempt 2").await;
    assert!(screen.contains("3 of 5"), "{screen}");
    assert!(screen.contains("attempt 1 fails on request"), "{screen}");
    assert!(screen.contains("attempt 2 fails on request"), "{screen}");
    app.press("esc");
    app.end().await;
}

#[tokio::test]
async fn a_failed_task_is_a_dead_letter_until_it_is_retried() {
    let mut app = App::start();
    app.press("3");
    for _ in 0..3 {
        app.press("a")
            .type_text("1 1 attempts:1 fails:1")
            .press("enter");
    }
    app.until("✗ 3 failed").await;
    app.press("d");
    let screen = app.until("attempt 1 fails on request").await;
    assert!(screen.contains("Dead letters"), "{screen}");
    app.press("R");
    app.until("Retry 3 failed, cancelled or expired tasks that failed with")
        .await;
    app.press("y");
    app.sees_toast("3 tasks queued again").await;
    // They fail again, and the open list follows.
    app.wait("the dead letters", |screen| {
        let top = screen.model.layers.last();
        matches!(top, Some(Layer::DeadLetters(view)) if view.selected().is_some_and(|r| r.count == 3))
    })
    .await;
    app.press("enter");
    app.until("/state:failed name:add").await;
    app.press("esc");
    app.end().await;
}

#[tokio::test]
async fn a_second_task_with_a_unique_key_is_reported_as_a_duplicate() {
    let mut app = App::start();
    app.press("3 p");
    app.until("PAUSED").await;
    for _ in 0..2 {
        app.press("a")
            .type_text("2 3 key:acme unique")
            .press("enter");
    }
    app.sees_toast("already queued as #1").await;
    app.press("/").type_text("key:acme").press("enter");
    app.until("/key:acme").await;
    app.at_task(1).await;
    app.press("enter");
    app.until("acme (unique)").await;
    app.press("esc esc");
    app.end().await;
}

#[tokio::test]
async fn a_cancellation_is_undone_and_a_verb_acts_on_all_marked_tasks() {
    let mut app = App::start();
    app.press("3 p");
    app.until("PAUSED").await;
    app.press(":").type_text("load 5").press("enter");
    app.at_task(5).await;
    app.press("x");
    app.sees_toast("u undoes it").await;
    app.until("⊘ cancelled").await;
    app.press("u");
    app.sees_toast("#5 is queued again").await;
    app.press("u");
    app.sees_toast("there is no recent cancellation to undo")
        .await;
    app.press("g space space x");
    app.sees_toast("2 tasks cancelled or asked to stop").await;
    app.press("X");
    app.until("Cancel 3 unfinished tasks?").await;
    app.press("y");
    app.sees_toast("3 tasks cancelled or asked to stop").await;
    app.press("R");
    app.until("Retry 5 failed, cancelled or expired tasks?")
        .await;
    app.press("n");
    app.end().await;
}

#[tokio::test]
async fn the_mark_of_a_purged_task_goes_with_it() {
    let mut app = App::start();
    app.press("3");
    for task in 1..=2 {
        app.press("a").type_text("2 3").press("enter");
        app.until(&format!("#{task} succeeded")).await;
    }
    app.at_task(2).await;
    app.press("g space");
    // Somebody else purges everything.
    let broker = app.screen.session().handle().broker();
    let purged = broker.bulk(BulkAction::Purge, Filter::default()).await;
    assert_eq!(purged.expect("purged").done, 2);
    app.wait("no mark", |screen| screen.model.tasks.marked.is_empty())
        .await;
    app.press("a").type_text("20 22").press("enter");
    app.until("#3 succeeded").await;
    app.at_task(3).await;
    app.press("r");
    app.sees_toast("#3 has succeeded and cannot be retried")
        .await;
    app.end().await;
}

#[tokio::test]
async fn a_hundred_thousand_tasks_are_scrolled_end_to_end() {
    let mut app = App::start();
    app.press(":").type_text("load 100000").press("enter");
    app.until("100,000 tasks queued").await;
    app.press("p");
    app.until("PAUSED").await;
    app.at_task(100_000).await;
    app.press("G");
    app.at_task(1).await;
    app.press("k k k");
    assert_eq!(app.selected(), 4);
    // Page after page upwards; each may have to be fetched, and none is passed over.
    let mut at = 4;
    while at < 1_000 {
        app.press("pgup");
        let moved = move |screen: &mut Headless| {
            let task = screen.model.tasks.selected();
            task.is_some_and(|task| task.id > TaskId::Sequence(at))
        };
        app.wait("a page up", moved).await;
        assert!(app.selected() - at < 60, "{at} to {}", app.selected());
        at = app.selected();
    }
    app.press("g");
    app.at_task(100_000).await;
    for expected in (99_500..100_000).rev() {
        app.press("j");
        app.at_task(expected).await;
    }
    app.end().await;
}

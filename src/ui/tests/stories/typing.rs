//! Typed text: the palette, prompts, mistakes, and configured keys.

use super::App;

#[tokio::test]
async fn wrong_input_is_explained_and_stays_for_editing() {
    let mut app = App::start();
    app.press("3 a").type_text("2 + drei").press("enter");
    let screen = app.until("`drei` is not a number").await;
    assert!(screen.contains("2 + drei"));
    // The cursor stands at the mistake: delete it and go on.
    app.press("ctrl-k").type_text("3").press("enter");
    app.until("#1 succeeded").await;
    app.press("/").type_text("state:done").press("enter");
    app.until("`done` is not a state").await;
    app.press("esc 2 enter");
    app.until("type a name first").await;
    app.press("esc e").type_text("x").press("enter");
    app.until("must end in .json or .csv").await;
    app.press("esc :").type_text("zzzzqq").press("enter");
    app.until("no command matches").await;
    app.press("esc");
    app.end().await;
}

#[tokio::test]
async fn the_palette_takes_arguments() {
    let mut app = App::start();
    app.press(":").type_text("add 20 22").press("enter");
    app.until("#1 succeeded").await;
    app.press(":").type_text("greet Ada").press("enter");
    app.until("Hi welcome Ada").await;
    app.press("esc :").type_text("theme light").press("enter");
    app.press(":").type_text("theme lihgt").press("enter");
    app.until("did you mean `light`").await;
    app.press("3 :").type_text("sort slowest").press("enter");
    app.until("slowest").await;
    // Commands of the command line are read by its own grammar.
    app.press(":")
        .type_text("add 2 3 --priority 12")
        .press("enter");
    app.until("`12` is not a number from 0 to 9").await;
    app.press("esc :")
        .type_text("workers scale 3")
        .press("enter");
    app.until("0 of 3 busy").await;
    app.press(":").type_text("tasks show 1").press("enter");
    app.until("Task #1").await;
    app.press("esc");
    app.end().await;
}

#[tokio::test]
async fn a_call_is_to_the_named_object_and_not_to_the_selected_one() {
    let mut app = App::start();
    app.until("server ").await;
    app.press("1 g :").type_text("call server").press("enter");
    app.until("Call server").await;
    app.press("esc :")
        .type_text("call server welcomeMessage Ada")
        .press("enter");
    app.until("Hi welcome Ada").await;
    app.press("esc :")
        .type_text("call servr welcomeMessage Ada")
        .press("enter");
    app.sees_toast("no object is registered as `servr`; did you mean `server`?")
        .await;
    app.press(":").type_text("scale 9999").press("enter");
    app.sees_toast("type a number of workers from 1 to 256")
        .await;
    app.end().await;
}

#[tokio::test]
async fn a_task_is_named_by_any_id_and_a_missing_one_is_reported() {
    let mut app = App::start();
    // Each verb gets an id of its own, because toasts stay for a while.
    let verbs = ["details", "cancel", "retry", "tasks show", "tasks cancel"];
    for (n, verb) in verbs.into_iter().enumerate() {
        let uuid = format!("01234567-89ab-cdef-0123-456789abcde{n}");
        let command = format!("{verb} {uuid}");
        app.press("3 :").type_text(&command).press("enter");
        app.sees_toast(&format!("there is no task {uuid}")).await;
    }
    app.press(":")
        .type_text("details 99999999999999999999999")
        .press("enter");
    app.sees_toast("is too large for a task id").await;
    app.end().await;
}

#[tokio::test]
async fn any_task_is_submitted_from_the_palette_and_mistakes_are_explained() {
    let mut app = App::start();
    let mut run = async |text: &str, toast: &str| {
        app.press(":").type_text(text).press("enter");
        app.sees_toast(toast).await;
    };
    run("submit add [20,22] priority:9", "queued as #1").await;
    run("submit add", "write a task's name and its arguments").await;
    run("submit add [2,", "not JSON").await;
    run("submit sub [2,3]", "no task is named `sub`").await;
    run("submit add [1,2] soon", "`soon` is not an option").await;
    app.end().await;
}

#[tokio::test]
async fn a_configured_key_is_shown_and_obeyed_in_every_place() {
    let mut app = App::with_keys(&[("retry", "t"), ("close", "w")]);
    app.press("3 p");
    app.until("PAUSED").await;
    app.press("a").type_text("2 3").press("enter");
    app.until("◦ queued").await;
    app.press("x");
    app.until("⊘ cancelled").await;
    let footer = app.shown().lines().last().expect("a footer").to_owned();
    assert!(footer.contains(" t retry "), "{footer}");
    assert!(!footer.contains(" r retry "), "{footer}");
    // The old key means nothing, in the list and in the details.
    app.press("r enter r");
    let details = app.until("Task #1").await;
    assert!(details.contains("t retry, y copy, w close"), "{details}");
    app.press("t");
    app.sees_toast("#1 is queued again").await;
    app.press("w x");
    app.sees_toast("#1 is cancelled").await;
    app.press("t");
    app.until("◦ queued").await;
    app.press("?");
    let help = app.until("Help").await;
    assert!(
        help.contains("t                    retry the selected"),
        "{help}"
    );
    app.press("w");
    app.end().await;
}

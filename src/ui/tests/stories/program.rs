//! The program as a whole: a first visit, calls, exports, and the terminal.

use super::App;
use crate::ui::effect::Effect;

#[tokio::test]
async fn a_newcomer_sees_names_gets_a_greeting_and_adds_two_numbers() {
    let mut app = App::start();
    assert!(
        app.shown().contains("loading names"),
        "the first frame waits for nothing"
    );
    let screen = app.until("server ").await;
    assert!(screen.contains("naming "));
    app.press("2").type_text("Ali").press("enter");
    let screen = app.until("Hi welcome Ali").await;
    assert!(
        screen.contains("lookup ") && screen.contains("1 call "),
        "{screen}"
    );
    // The line is empty again, so 3 goes to Tasks; in the middle of a name it is a character.
    app.press("3 a").type_text("2 3").press("enter");
    let screen = app.until("✓ succeeded").await;
    let row = screen
        .lines()
        .find(|line| line.contains("add(2, 3)"))
        .expect("the task's row");
    assert!(
        row.contains("succeeded") && row.contains(" 5 ") && row.contains(" w"),
        "{row}"
    );
    app.press("2").type_text("R2D2").press("enter");
    app.until("Hi welcome R2D2").await;
    app.end().await;
}

#[tokio::test]
async fn any_method_of_any_name_can_be_called() {
    let mut app = App::start();
    app.until("server ").await;
    app.until("broker ").await;
    app.press("1 g j enter");
    app.until("lookup(name: str) -> list").await;
    app.press("esc c").type_text("count").press("enter");
    app.until("naming.count()").await;
    app.press("esc j c")
        .type_text("welcomeMessage \"Ada L\"")
        .press("enter");
    app.until("Hi welcome Ada L").await;
    app.press("esc c").type_text("shout").press("enter");
    app.until("there is no method `shout`").await;
    app.end().await;
}

#[tokio::test]
async fn rows_are_exported_to_a_new_file() {
    let mut app = App::start();
    let folder = tempfile::tempdir().expect("a folder");
    app.press("3 a").type_text("2 3").press("enter");
    app.until("#1 succeeded").await;
    for (ending, wanted) in [
        ("csv", "1,add,\"[2,3]\",,succeeded,,false,5,"),
        (
            "json",
            "{\"id\":1,\"name\":\"add\",\"args\":[2,3],\"state\":\"succeeded\"",
        ),
    ] {
        let path = folder.path().join(format!("tasks.{ending}"));
        let command = format!("export {}", path.display());
        app.press(":").type_text(&command).press("enter");
        app.sees_toast(&format!("written to {}", path.display()))
            .await;
        let text = std::fs::read_to_string(&path).expect("written");
        assert!(text.contains(wanted), "{text}");
        app.press(":").type_text(&command).press("enter");
        app.until("already exists").await;
        // The prompt has come back with the text, for another name.
        app.press("esc");
    }
    app.end().await;
}

#[tokio::test]
async fn quitting_names_what_would_be_lost_first() {
    let mut app = App::start();
    app.press("3 a").type_text("1 2 600").press("enter");
    app.until("▶ running").await;
    app.press("q");
    app.until("1 task is running and will get 5 seconds").await;
    // The keys that are typed meanwhile are not those of the pane.
    app.press("x X n");
    assert_eq!(app.screen.terminal_effects, []);
    app.press("ctrl-c ctrl-c");
    assert_eq!(app.screen.terminal_effects, [Effect::Quit]);
    app.end().await;
}

#[tokio::test]
async fn quit_suspend_and_copy_go_to_the_terminal() {
    let mut app = App::start();
    app.until("server ").await;
    app.press("1 G y : esc ctrl-z q");
    // Nothing would be lost, so it does not ask.
    app.wait("quit", |screen| screen.terminal_effects.len() == 3)
        .await;
    let [Effect::Copy(text), Effect::Suspend, Effect::Quit] = &app.screen.terminal_effects[..]
    else {
        panic!("{:?}", app.screen.terminal_effects);
    };
    assert!(text.starts_with("distro:server@127.0.0.1:"), "{text}");
    app.end().await;
}

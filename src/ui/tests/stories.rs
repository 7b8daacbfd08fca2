//! Stories in keys, on the real program: a real process with its network and its workers, the real
//! effects, and a terminal in memory.

use std::{sync::Arc, time::Duration};

use crate::{
    node::{Node, NodeConfig, Session},
    queue::id::TaskId,
    ui::{Headless, UiOptions, effect::Effect, model::layer::Layer},
};

/// The program without its terminal, and its data folder.
struct App {
    screen: Headless,
    home: tempfile::TempDir,
}

impl App {
    fn start() -> Self {
        Self::at(tempfile::tempdir().expect("a folder"))
    }

    /// The program with configured keys.
    fn with_keys(keys: &[(&str, &str)]) -> Self {
        let keys = keys.iter();
        let keys = keys.map(|(name, key)| ((*name).to_owned(), vec![(*key).to_owned()]));
        let options = UiOptions {
            keys: keys.collect(),
            ..UiOptions::default()
        };
        Self::with(tempfile::tempdir().expect("a folder"), &options)
    }

    /// The program on an existing data folder.
    fn at(home: tempfile::TempDir) -> Self {
        Self::with(home, &UiOptions::default())
    }

    fn with(home: tempfile::TempDir, options: &UiOptions) -> Self {
        let mut config = NodeConfig::at(home.path());
        config.broker.workers = 2;
        let node = Node::start(&config).expect("starts");
        let session = Arc::new(Session::from(node));
        let screen = Headless::start(options, session, (140, 40)).expect("a theme of ours");
        Self { screen, home }
    }

    fn press(&mut self, keys: &str) -> &mut Self {
        self.screen.press(keys).expect("keys");
        self
    }

    fn type_text(&mut self, text: &str) -> &mut Self {
        self.screen.type_text(text);
        self
    }

    fn shown(&mut self) -> String {
        self.screen.shown()
    }

    fn selected(&self) -> u64 {
        let selected = self.screen.model.tasks.selected();
        selected
            .and_then(|task| task.id.sequence())
            .unwrap_or_default()
    }

    async fn until(&mut self, wanted: &str) -> String {
        self.wait(wanted, |screen| screen.shown().contains(wanted))
            .await;
        self.shown()
    }

    /// Waits for a toast with this text.
    async fn sees_toast(&mut self, wanted: &str) {
        let shown = |screen: &mut Headless| {
            let mut toasts = screen.model.toasts.iter();
            toasts.any(|toast| toast.text.contains(wanted))
        };
        self.wait(wanted, shown).await;
    }

    /// Waits until this task is selected.
    async fn at_task(&mut self, id: u64) {
        let selected = |screen: &mut Headless| {
            let task = screen.model.tasks.selected();
            task.is_some_and(|task| task.id == TaskId::Sequence(id))
        };
        self.wait(&format!("task {id}"), selected).await;
    }

    /// Receives messages until a condition holds.
    async fn wait(&mut self, what: &str, so: impl Fn(&mut Headless) -> bool) {
        let story = async {
            while !so(&mut self.screen) {
                self.screen.next().await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(30), story)
            .await
            .is_err()
        {
            panic!("{what}: never came:\n{}", self.shown());
        }
    }

    async fn end(self) {
        self.end_for_restart().await;
    }

    /// Ends the program, and returns its data folder.
    async fn end_for_restart(self) -> tempfile::TempDir {
        self.screen.session().end(Duration::ZERO).await;
        self.home
    }
}

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
async fn a_load_fills_the_timelines_and_can_be_paused_and_purged() {
    let mut app = App::start();
    app.press("3 b");
    app.until("100 tasks queued").await;
    app.until("2 of 2 busy").await;
    app.press("p");
    app.until("PAUSED").await;
    app.until("0 of 2 busy").await;
    let screen = app.shown();
    let lane = screen
        .lines()
        .find(|line| line.contains("w1 "))
        .expect("the first worker's row");
    assert!(
        lane.contains(|c| ('▁'..='█').contains(&c)),
        "its lane shows what it ran: {lane}"
    );
    app.press("D");
    app.until("Purge").await;
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

#[tokio::test]
async fn rows_are_exported_to_a_new_file() {
    let mut app = App::start();
    let folder = tempfile::tempdir().expect("a folder");
    app.press("3 a").type_text("2 3").press("enter");
    app.until("#1 succeeded").await;
    for (ending, wanted) in [
        ("csv", "1,add,\"[2,3]\",succeeded,false,5,"),
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
async fn quit_suspend_and_copy_go_to_the_terminal() {
    let mut app = App::start();
    app.until("server ").await;
    app.press("1 G y : esc ctrl-z q");
    let [Effect::Copy(text), Effect::Suspend, Effect::Quit] = &app.screen.terminal_effects[..]
    else {
        panic!("{:?}", app.screen.terminal_effects);
    };
    assert!(text.starts_with("distro:server@127.0.0.1:"), "{text}");
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
    app.wait("reasons", |screen| {
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

#[tokio::test]
async fn a_running_task_shows_its_progress() {
    let mut app = App::start();
    app.press("3 a").type_text("2 3 1.5").press("enter");
    app.wait("half of it", |screen| {
        let mut tasks = screen.model.tasks.rows().iter();
        let half = tasks.any(|task| task.progress.is_some_and(|p| p.share() > 0.3));
        screen.shown().contains("███") && half
    })
    .await;
    app.until("✓ succeeded").await;
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

//! A first run of the program: a greeting, an addition, a load of tasks, and quitting.

use vt100::Screen;

use super::{
    frames::{PANES, frames, has_frames, rows_with},
    harness::{Start, Terminal},
};

#[test]
fn everything_is_there_when_started_with_no_arguments() {
    // Not even the number of workers is set here.
    let terminal = Start::command(env!("CARGO_BIN_EXE_distro-tui")).go();
    terminal.is_entered();
    terminal.until("five panes with two names", |screen| {
        has_frames(screen, &PANES)
            && ["naming", "server"]
                .iter()
                .all(|name| !rows_with(screen, "1 Names", &[name, "live"]).is_empty())
    });
    terminal.until("two workers at least", |screen| {
        ["w1", "w2"]
            .iter()
            .all(|worker| !rows_with(screen, "4 Workers", &[worker, "idle"]).is_empty())
    });
    assert_eq!(terminal.sequences(), [""; 0]);
}

#[test]
fn a_first_run_greets_and_adds_on_a_wide_screen() {
    greeting_and_sum((200, 50));
}

#[test]
fn a_first_run_greets_and_adds_on_an_ordinary_screen() {
    greeting_and_sum((120, 36));
}

#[test]
fn a_first_run_greets_and_adds_on_a_small_screen() {
    greeting_and_sum((80, 24));
}

#[test]
fn a_first_run_greets_and_adds_on_a_narrow_screen() {
    greeting_and_sum((40, 12));
}

fn greeting_and_sum(size: (u16, u16)) {
    let mut terminal = Start::new().size(size).up();
    if size != (40, 12) {
        terminal.until("five panes", |screen| has_frames(screen, &PANES));
    }

    terminal.press("2");
    terminal.sees(&["enter greet"]);
    terminal.type_text("Ali");
    terminal.press("enter");
    terminal.until("a greeting", |screen| {
        !rows_with(screen, "2 Greeter", &["Hi", "welcome", "Ali"]).is_empty()
    });
    terminal.until("how long it took", |screen| {
        rows_with(screen, "2 Greeter", &["p50"]).iter().any(|row| {
            let words: Vec<&str> = row.split_whitespace().take(3).collect();
            matches!(words[..], ["p50", n, "µs" | "ms" | "s"] if n.parse::<f64>().is_ok())
        })
    });
    terminal.press("esc");
    terminal.misses("enter greet");

    terminal.press("3");
    terminal.press("a");
    terminal.sees(&[" Add ", "enter submit"]);
    terminal.type_text("2 3");
    terminal.press("enter");
    terminal.until("a finished addition", |screen| {
        let rows = rows_with(screen, "3 Tasks", &["#1", "succeeded", "add(2,", "3)"]);
        // Half a screen has no room for results and workers; the details have them.
        rows.iter()
            .any(|row| size == (40, 12) || was_done_by_a_worker(row, "5"))
    });
    terminal.press("enter");
    terminal.until("its details", |screen| {
        let row = |words: &[&str]| !rows_with(screen, "Task #1", words).is_empty();
        row(&["state", "succeeded"])
            && row(&["result", "5"])
            && (row(&["worker", "w1"]) || row(&["worker", "w2"]))
    });
    terminal.press("esc");
    terminal.misses("Task #1");

    terminal.press("q");
    assert_eq!(terminal.wait_exit(), 0);
    terminal.is_restored();
    assert_eq!(
        terminal.look(Screen::contents).trim(),
        "",
        "nothing was left to tell of"
    );
    assert_eq!(terminal.sequences(), [""; 0]);
}

fn was_done_by_a_worker(row: &str, result: &str) -> bool {
    let words: Vec<&str> = row.split_whitespace().collect();
    words
        .windows(2)
        .any(|pair| pair == [result, "w1"] || pair == [result, "w2"])
}

#[test]
fn a_load_fills_the_timelines_and_the_rest_goes_on_with_the_next_start() {
    let mut terminal = Start::new().up();
    load(&mut terminal);
    terminal.until("bars in both timelines", |screen| {
        ["w1", "w2"].iter().all(|worker| {
            rows_with(screen, "4 Workers", &[worker, "busy"])
                .iter()
                .any(|row| row.contains(['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']))
        })
    });
    terminal.sees(&["running", "queued", "100 tasks queued, #1 to #100"]);
    terminal.press("q");
    terminal.sees(&["Quit?", "tasks are running"]);
    terminal.press("y");
    assert_eq!(terminal.wait_exit(), 0);
    terminal.is_restored();
    terminal.sees(&["distro-tui: ", "queued and will run at the next start"]);
    let again = Start::new().env("XDG_DATA_HOME", &data(&terminal)).up();
    again.until("the rest of them", |screen| {
        screen.contents().contains("unfinished tasks recovered")
    });
}

/// The data folder of a program.
fn data(terminal: &Terminal) -> String {
    terminal.path("data").to_string_lossy().into_owned()
}

#[test]
fn a_killed_program_reports_at_its_next_start_which_tasks_run_again() {
    let mut terminal = Start::new().up();
    load(&mut terminal);
    terminal.until("both at work", |screen| {
        screen.contents().contains("2 of 2 busy")
    });
    terminal.kill();
    let mut again = Start::new().env("XDG_DATA_HOME", &data(&terminal)).up();
    again.until("what ran", |screen| {
        let text = screen.contents();
        text.contains("2 tasks were running at the crash and are requeued: #")
    });
    again.press("q");
    again.sees(&["Quit?", "tasks are running"]);
    again.press("y");
    assert_eq!(again.wait_exit(), 0);
}

/// Starts a hundred additions and waits until the list shows them.
fn load(terminal: &mut Terminal) {
    terminal.press("3");
    terminal.press("b");
    terminal.until("a hundred tasks", |screen| {
        screen.contents().contains("100 tasks queued")
            && rows_with(screen, "3 Tasks", &["queued"]).len() > 3
    });
}

#[test]
fn a_screen_that_changes_its_size_while_tasks_run_stays_whole() {
    let mut terminal = Start::new().up();
    load(&mut terminal);
    terminal.resize((80, 24));
    terminal.until("five panes on a small screen", |screen| {
        fits(screen) && has_frames(screen, &PANES)
    });
    terminal.resize((40, 12));
    terminal.until("one pane on a narrow screen", |screen| {
        let titles: Vec<String> = frames(screen)
            .into_iter()
            .map(|frame| frame.title)
            .collect();
        fits(screen) && titles == ["3 Tasks"]
    });
    terminal.resize((10, 3));
    terminal.until("a polite word on a tiny screen", |screen| {
        screen
            .contents()
            .lines()
            .map(str::trim)
            .eq(["too small", "10x3", "need 20x5"])
    });
    terminal.resize((120, 36));
    terminal.until("five panes again", |screen| {
        fits(screen) && has_frames(screen, &PANES)
    });
    assert!(terminal.is_running());
    assert_eq!(terminal.sequences(), [""; 0]);
}

/// Whether the footer is in the last row, which is where it belongs at this size.
fn fits(screen: &Screen) -> bool {
    let (rows, columns) = screen.size();
    let last = screen.rows(0, columns.get()).last().unwrap_or_default();
    screen.contents().lines().count() == usize::from(rows.get()) && last.contains("q quit")
}

#[test]
fn help_opens_and_closes() {
    let mut terminal = Start::new().up();
    terminal.press("?");
    terminal.until("help", |screen| {
        has_frames(screen, &["Help"])
            && !rows_with(screen, "Help", &["call", "a", "method"]).is_empty()
            && !rows_with(screen, "Help", &["Everywhere"]).is_empty()
    });
    terminal.press("esc");
    terminal.until("the panes", |screen| has_frames(screen, &PANES));
    assert!(terminal.look(|screen| !has_frames(screen, &["Help"])));
}

#[test]
fn the_palette_takes_a_command_with_its_numbers() {
    let mut terminal = Start::new().up();
    terminal.press(":");
    terminal.until("the palette", |screen| has_frames(screen, &["Palette"]));
    terminal.type_text("add 20 22");
    terminal.sees(&[": add 20 22"]);
    terminal.press("enter");
    terminal.until("a sum", |screen| {
        let rows = rows_with(screen, "3 Tasks", &["succeeded", "add(20,", "22)"]);
        rows.iter().any(|row| was_done_by_a_worker(row, "42"))
    });
}

#[test]
fn a_click_goes_to_a_pane_and_the_wheel_does_not() {
    let mut terminal = Start::new().up();
    let (y, x) = terminal.look(|screen| {
        let rows: Vec<String> = screen.rows(0, 120).collect();
        let y = rows
            .iter()
            .position(|row| row.contains("3 Tasks"))
            .expect("its title");
        (
            y,
            rows[y]
                .split("3 Tasks")
                .next()
                .expect("what is before it")
                .chars()
                .count(),
        )
    });
    let mouse = |button: u8| format!("\u{1b}[<{button};{};{}M", x + 1, y + 4);
    terminal.type_text(&mouse(65));
    terminal.press("?");
    terminal.sees(&["Names (here)"]);
    terminal.press("esc");
    terminal.misses("Names (here)");
    terminal.type_text(&mouse(0));
    terminal.press("?");
    terminal.sees(&["Tasks (here)"]);
}

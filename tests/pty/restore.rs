//! Every way out gives the terminal back as it was, and every way back in takes it again.

use std::fs;

use rustix::process::Signal;
use vt100::Screen;

use super::{
    frames::{PANES, has_frames},
    harness::{Start, Terminal},
};

fn up() -> Terminal {
    let terminal = Start::new().up();
    terminal.is_entered();
    terminal
}

/// Waits until the program has ended with this exit code and restored the terminal.
fn ends_with(mut terminal: Terminal, code: u32) {
    assert_eq!(terminal.wait_exit(), code);
    terminal.is_restored();
}

#[test]
fn q_restores_the_terminal() {
    let mut terminal = up();
    terminal.press("q");
    ends_with(terminal, 0);
}

#[test]
fn ctrl_c_restores_the_terminal() {
    let mut terminal = up();
    terminal.press("ctrl-c");
    ends_with(terminal, 0);
}

#[test]
fn ctrl_c_restores_the_terminal_while_a_name_is_typed() {
    let mut terminal = up();
    terminal.press("2");
    terminal.type_text("q");
    terminal.sees(&["Name q"]);
    terminal.press("ctrl-c");
    ends_with(terminal, 0);
}

#[test]
fn ctrl_c_restores_the_terminal_while_a_prompt_is_open() {
    let mut terminal = up();
    terminal.press("/");
    terminal.until("a prompt", |screen| has_frames(screen, &["Filter Names"]));
    terminal.press("ctrl-c");
    ends_with(terminal, 0);
}

#[test]
fn being_terminated_restores_the_terminal() {
    let terminal = up();
    terminal.signal(Signal::TERM);
    ends_with(terminal, 143);
}

#[test]
fn being_interrupted_restores_the_terminal() {
    let terminal = up();
    terminal.signal(Signal::INT);
    ends_with(terminal, 130);
}

#[test]
fn being_hung_up_restores_the_terminal() {
    let terminal = up();
    terminal.signal(Signal::HUP);
    ends_with(terminal, 129);
}

#[test]
fn ctrl_z_restores_the_terminal_and_fg_takes_it_again() {
    let mut terminal = up();
    for _ in 0..2 {
        terminal.press("ctrl-z");
        comes_back(&mut terminal);
    }
    terminal.press("q");
    ends_with(terminal, 0);
}

#[test]
fn ctrl_z_works_while_a_prompt_is_open_and_the_text_is_still_there() {
    let mut terminal = up();
    terminal.press("3");
    terminal.press("a");
    terminal.until("a prompt", |screen| has_frames(screen, &["Add"]));
    terminal.type_text("20 22");
    terminal.sees(&["> 20 22"]);
    terminal.press("ctrl-z");
    terminal.wait_stop();
    terminal.is_restored();
    terminal.signal(Signal::CONT);
    terminal.is_entered();
    terminal.sees(&["> 20 22"]);
    terminal.press("enter");
    terminal.sees(&["add(20, 22)", "42"]);
}

#[test]
fn a_stop_by_a_signal_restores_the_terminal_and_going_on_takes_it_again() {
    let mut terminal = up();
    for _ in 0..2 {
        terminal.signal(Signal::TSTP);
        comes_back(&mut terminal);
    }
    terminal.press("q");
    ends_with(terminal, 0);
}

/// The program stops with the terminal restored, and goes on with a full screen that obeys keys. The
/// emulated terminal clears the alternate screen when it is left, so the screen was painted anew.
fn comes_back(terminal: &mut Terminal) {
    terminal.wait_stop();
    terminal.is_restored();
    terminal.signal(Signal::CONT);
    terminal.is_entered();
    terminal.until("the whole screen", |screen| has_frames(screen, &PANES));
    terminal.press("?");
    terminal.until("help", |screen| has_frames(screen, &["Help"]));
    terminal.press("esc");
    terminal.until("no help", |screen| !has_frames(screen, &["Help"]));
}

#[test]
fn an_uncatchable_stop_is_repaired_when_the_program_goes_on() {
    let terminal = up();
    terminal.signal(Signal::STOP);
    terminal.wait_stop();
    terminal.reset();
    terminal.is_restored();
    terminal.signal(Signal::CONT);
    terminal.is_entered();
    terminal.until("the whole screen", |screen| has_frames(screen, &PANES));
}

#[test]
fn a_terminal_that_got_smaller_during_a_stop_is_filled() {
    let mut terminal = up();
    terminal.press("ctrl-z");
    terminal.wait_stop();
    terminal.resize((80, 24));
    terminal.signal(Signal::CONT);
    terminal.until("five panes on a small screen", |screen| {
        has_frames(screen, &PANES)
            && screen
                .rows(0, 80)
                .last()
                .is_some_and(|row| row.contains("q quit"))
    });
}

#[test]
fn a_stopped_program_that_is_terminated_ends_when_it_goes_on() {
    let mut terminal = up();
    terminal.press("ctrl-z");
    terminal.wait_stop();
    terminal.signal(Signal::TERM);
    terminal.signal(Signal::CONT);
    ends_with(terminal, 143);
}

#[test]
fn a_crash_restores_the_terminal_and_leaves_a_report() {
    let mut terminal = Start::new().args(&["--crash-test"]).go();
    assert_eq!(terminal.wait_exit(), 101);
    terminal.is_restored();
    terminal.sees(&[
        "distro-tui crashed: crash requested by --crash-test",
        "A report is in",
        "Please send it",
    ]);

    let folder = terminal.path("state/distro-tui");
    let files = fs::read_dir(&folder).expect("the state folder is there");
    let reports: Vec<_> = files
        .map(|file| file.expect("it can be read").path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("crash-"))
        })
        .collect();
    let [report] = &reports[..] else {
        panic!("one report is expected: {reports:?}")
    };
    let text = fs::read_to_string(report).expect("it can be read");
    assert!(text.contains("crash requested by --crash-test"), "{text}");
    assert!(text.contains(env!("CARGO_PKG_VERSION")), "{text}");
    let name = report.file_name().expect("it has a name").to_string_lossy();
    terminal.sees(&[&name]);
}

/// An addition that works for a minute is under way.
fn busy() -> Terminal {
    let mut terminal = up();
    terminal.press("3");
    terminal.press("a");
    terminal.until("a prompt", |screen| has_frames(screen, &["Add"]));
    terminal.type_text("1 2 60");
    terminal.press("enter");
    terminal.sees(&["1 running"]);
    terminal
}

#[test]
fn the_second_q_does_not_wait_for_running_tasks() {
    let mut terminal = busy();
    terminal.press("q");
    terminal.sees(&["Quit?", "1 task is running"]);
    terminal.press("y");
    terminal.sees(&["QUITTING"]);
    assert!(terminal.is_running(), "the first q waits");
    terminal.press("q");
    assert_eq!(terminal.wait_exit(), 0);
    terminal.is_restored();
    assert!(
        ended(&terminal).contains("forced: true"),
        "{}",
        ended(&terminal)
    );
    terminal.sees(&["distro-tui: 1 task ", "stopped"]);
}

#[test]
fn the_first_q_waits_a_moment_and_tells_what_was_stopped() {
    let mut terminal = busy();
    terminal.press("q");
    terminal.sees(&["Quit?", "1 task is running"]);
    terminal.press("y");
    terminal.sees(&["QUITTING"]);
    assert_eq!(terminal.wait_exit(), 0);
    terminal.is_restored();
    assert!(
        ended(&terminal).contains("forced: false"),
        "{}",
        ended(&terminal)
    );
    terminal.sees(&["distro-tui: 1 task ", "stopped"]);
}

#[test]
fn a_terminal_that_goes_away_ends_the_program() {
    let mut terminal = up();
    assert_eq!(terminal.hang_up(), 129);
    assert!(
        ended(&terminal).contains("forced: false"),
        "{}",
        ended(&terminal)
    );
}

#[test]
fn a_terminal_that_goes_away_without_a_signal_ends_the_program() {
    // The kernel signals the leader of the session, which here ignores it.
    let script = "trap '' HUP; \"$0\"; echo $? > code";
    let program = env!("CARGO_BIN_EXE_distro-tui");
    let mut terminal = Start::command("sh").args(&["-c", script, program]).up();
    assert_eq!(terminal.hang_up(), 0, "the end of the script");
    let code = fs::read_to_string(terminal.path("code")).expect("the program has ended");
    assert_eq!(code.trim(), "129");
}

/// The line of the log about the end.
fn ended(terminal: &Terminal) -> String {
    let log = fs::read_to_string(terminal.path("state/distro-tui/distro-tui.log"))
        .expect("there is a log");
    log.lines()
        .find(|line| line.contains(" ended "))
        .unwrap_or(&log)
        .to_owned()
}

#[test]
fn what_was_on_the_terminal_before_is_there_afterwards() {
    let program = env!("CARGO_BIN_EXE_distro-tui");
    let script = "printf 'before\\n'; \"$0\"; printf 'after %s\\n' $?";
    let mut terminal = Start::command("sh").args(&["-c", script, program]).up();
    terminal.press("q");
    assert_eq!(terminal.wait_exit(), 0);
    terminal.is_restored();
    assert_eq!(terminal.look(Screen::contents), "before\nafter 0");
}

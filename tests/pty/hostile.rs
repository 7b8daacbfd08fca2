//! Text from anywhere is text: it moves no frame, reaches out of no cell and asks for nothing.

use vt100::Screen;

use super::{
    frames::{PANES, has_frames, outline, rows_with},
    harness::{Start, Terminal},
};

/// As many characters as a paste of a few pages has.
const LENGTH: usize = 10_000;

/// What each line of the paste has to offer: commands to the terminal, ends of lines, marks that turn
/// the direction of reading, joined and coloured emoji, and marks that pile up on a letter.
const POISON: &str = concat!(
    "\u{1b}]0;owned\u{7}",
    "\u{1b}[?1049l\u{1b}[?25h\u{1b}[?2004l\u{1b}[2J\u{1b}[H\u{1b}c\u{1b}[31m\u{1b}[6n",
    "\u{1b}]52;c;b3duZWQ=\u{7}\u{9b}2J\u{8}\u{7f}\r\n\tq\r",
    "\u{202e}\u{200f}\u{2066}שלום\u{61c}علی\u{202c}",
    "👩\u{200d}👩\u{200d}👧❤\u{fe0f}🇩🇪👍🏽漢字e\u{301}\u{327}\u{feff}\u{200b}",
);

/// The end of the paste is what a line shows of it.
const END: &str = "finis";

fn poison() -> String {
    let poison = POISON.chars().cycle().take(LENGTH - END.len());
    poison.chain(END.chars()).collect()
}

/// Pastes into what has the keyboard, presses enter and waits for an answer; the outline of the
/// screen is the same all the while and nothing but cells was touched.
fn survives(terminal: &mut Terminal, answer: &str) {
    let before = terminal.look(outline);
    assert!(before.len() > 20, "{before:?}");
    terminal.paste(&poison());
    terminal.sees(&[END]);
    assert_eq!(
        terminal.look(outline),
        before,
        "{}",
        terminal.look(Screen::contents)
    );
    terminal.press("enter");
    terminal.sees(&[answer]);
    assert_eq!(
        terminal.look(outline),
        before,
        "{}",
        terminal.look(Screen::contents)
    );
    assert_eq!(terminal.sequences(), [""; 0]);
    terminal.is_entered();
}

#[test]
fn a_hostile_name_is_greeted_and_moves_nothing() {
    let mut terminal = Start::new().up();
    terminal.press("2");
    terminal.sees(&["enter greet"]);
    survives(&mut terminal, "Hi welcome");
    terminal.until("one call", |screen| {
        !rows_with(screen, "2 Greeter", &["p50"]).is_empty()
    });
    terminal.sees(&["1 call"]);
}

#[test]
fn a_hostile_sum_is_refused_and_moves_nothing() {
    let mut terminal = Start::new().up();
    terminal.press("3");
    terminal.press("a");
    terminal.until("a prompt", |screen| has_frames(screen, &["Add"]));
    survives(&mut terminal, "is not a number");
    terminal.until("the prompt", |screen| has_frames(screen, &["Add"]));
    terminal.press("esc");
    terminal.sees(&["no tasks yet"]);
}

#[test]
fn a_number_over_the_limit_is_refused_with_the_limit() {
    let mut terminal = Start::new().up();
    terminal.press("3");
    terminal.press("a");
    terminal.until("a prompt", |screen| has_frames(screen, &["Add"]));
    terminal.paste(&format!("1 {}", "7".repeat(30_000)));
    terminal.sees(&["7777"]);
    terminal.press("enter");
    terminal.sees(&["a number of 30000 characters is over the limit of 20000"]);
}

#[test]
fn a_hostile_command_is_refused_and_moves_nothing() {
    let mut terminal = Start::new().up();
    terminal.press(":");
    terminal.until("the palette", |screen| has_frames(screen, &["Palette"]));
    survives(&mut terminal, "no command matches");
}

#[test]
fn a_hostile_filter_matches_nothing_and_moves_nothing() {
    let mut terminal = Start::new().up();
    terminal.press("/");
    terminal.until("a prompt", |screen| has_frames(screen, &["Filter Names"]));
    terminal.paste(&poison());
    terminal.sees(&[END]);
    terminal.press("enter");
    terminal.until("no name", |screen| {
        !rows_with(screen, "1 Names", &["no", "name", "matches;"]).is_empty()
    });
    terminal.until("the panes", |screen| has_frames(screen, &PANES));
    assert_eq!(terminal.sequences(), [""; 0]);
}

#[test]
fn emoji_at_the_edge_of_a_pane_stay_inside() {
    // A terminal that does not join a skin tone with its emoji would draw it over the border.
    let mut terminal = Start::new().up();
    terminal.press("2");
    terminal.sees(&["enter greet"]);
    let before = terminal.look(outline);
    for (n, emoji) in [
        "👍🏽",
        "👩\u{200d}👧",
        "🇩🇪",
        "❤\u{fe0f}",
        "漢",
        "1\u{fe0f}\u{20e3}",
    ]
    .iter()
    .enumerate()
    {
        for shift in 0..2 {
            terminal.paste(&format!("{}{}", "x".repeat(shift), emoji.repeat(60)));
            terminal.press("enter");
            let calls = 2 * n + shift + 1;
            terminal.sees(&[&format!(" {calls} call")]);
            assert_eq!(
                terminal.look(outline),
                before,
                "{}",
                terminal.look(Screen::contents)
            );
        }
    }
}

#[test]
fn a_paste_where_nothing_is_typed_does_nothing() {
    let mut terminal = Start::new().up();
    terminal.press("3");
    terminal.paste("bbbqqq\r\u{3}a2 3\r");
    terminal.press("?");
    terminal.sees(&["Tasks (here)"]);
    terminal.press("esc");
    terminal.misses("Tasks (here)");
    terminal.sees(&["no tasks yet"]);
    assert!(terminal.is_running());
}

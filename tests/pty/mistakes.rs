//! Wrong inputs: each is answered, stays for mending, and esc leads out.

use super::{
    frames::{has_frames, has_text, rows_with},
    harness::{Start, Terminal},
};

const ROOMY: (u16, u16) = (120, 36);
const NARROW: (u16, u16) = (40, 12);

/// Opens a prompt, types something wrong, and sees the answer with the text still there.
fn mistake(terminal: &mut Terminal, keys: [&str; 2], title: &str, text: &str, answer: &str) {
    for key in keys {
        terminal.press(key);
    }
    terminal.until(title, |screen| has_frames(screen, &[title]));
    terminal.press("ctrl-u");
    terminal.type_text(text);
    let sign = if title == "Palette" { ":" } else { ">" };
    let line = format!("{sign} {text}");
    terminal.until(&line, |screen| has_text(screen, title, &line));
    terminal.press("enter");
    terminal.until(answer, |screen| {
        has_text(screen, title, &line) && has_text(screen, title, answer)
    });
    terminal.press("esc");
    terminal.until("no prompt", |screen| !has_frames(screen, &[title]));
    assert!(terminal.is_running());
}

#[test]
fn an_addition_of_letters_is_explained() {
    for size in [ROOMY, NARROW] {
        let mut terminal = Start::new().size(size).up();
        mistake(
            &mut terminal,
            ["3", "a"],
            "Add",
            "2 x",
            "`x` is not a number",
        );
        mistake(
            &mut terminal,
            ["3", "a"],
            "Add",
            "2",
            "the second number is missing",
        );
        mistake(
            &mut terminal,
            ["3", "a"],
            "Add",
            "",
            "the first number is missing",
        );
        terminal.sees(&["no tasks yet"]);
    }
}

#[test]
fn a_filter_that_means_nothing_is_explained() {
    for size in [ROOMY, NARROW] {
        let mut terminal = Start::new().size(size).up();
        let answer = "`nonsense` is not a state";
        mistake(
            &mut terminal,
            ["3", "/"],
            "Filter Tasks",
            "state:nonsense",
            answer,
        );
        let answer = "`x` is not a worker";
        mistake(
            &mut terminal,
            ["3", "/"],
            "Filter Tasks",
            "worker:x",
            answer,
        );
    }
}

#[test]
fn a_file_of_another_kind_is_explained() {
    for size in [ROOMY, NARROW] {
        let mut terminal = Start::new().size(size).up();
        let answer = "the file name must end in";
        mistake(
            &mut terminal,
            ["1", "e"],
            "Export Names",
            "names.txt",
            answer,
        );
        assert!(!terminal.path("names.txt").exists());
    }
}

#[test]
fn a_call_without_a_method_is_explained() {
    for size in [ROOMY, NARROW] {
        let mut terminal = Start::new().size(size).up();
        mistake(
            &mut terminal,
            ["1", "c"],
            "Call broker",
            "",
            "type the name of a method",
        );
        mistake(
            &mut terminal,
            ["1", "c"],
            "Call broker",
            "list [1",
            "not JSON",
        );
    }
}

#[test]
fn a_command_that_is_none_is_explained() {
    for size in [ROOMY, NARROW] {
        let mut terminal = Start::new().size(size).up();
        mistake(
            &mut terminal,
            ["3", ":"],
            "Palette",
            "zzzz",
            "no command matches",
        );
        mistake(
            &mut terminal,
            ["3", ":"],
            "Palette",
            "quit now",
            "quit takes no argument",
        );
    }
}

#[test]
fn a_greeting_for_nobody_is_explained() {
    for size in [ROOMY, NARROW] {
        let mut terminal = Start::new().size(size).up();
        terminal.press("2");
        terminal.sees(&["enter greet"]);
        for text in ["", "   "] {
            terminal.type_text(text);
            terminal.press("enter");
            terminal.sees(&["type a name first", "0 calls"]);
        }
        terminal.press("esc");
        terminal.misses("enter greet");
    }
}

#[test]
fn a_method_that_is_not_there_is_explained() {
    for size in [ROOMY, NARROW] {
        let mut terminal = Start::new().size(size).up();
        mistake(
            &mut terminal,
            ["1", "c"],
            "Call broker",
            "nonsense 1 2",
            "no method `nonsense`",
        );
        mistake(&mut terminal, ["1", "c"], "Call broker", "get", "get(");
    }
}

#[test]
fn a_file_that_is_there_already_is_explained() {
    for size in [ROOMY, NARROW] {
        let mut terminal = Start::new().size(size).up();
        std::fs::write(terminal.path("names.csv"), "mine").expect("a file");
        let answer = "names.csv already exists";
        mistake(
            &mut terminal,
            ["1", "e"],
            "Export Names",
            "names.csv",
            answer,
        );
        let after = std::fs::read_to_string(terminal.path("names.csv"));
        assert_eq!(after.expect("it is still there"), "mine");
    }
}

#[test]
fn a_command_with_a_wrong_argument_is_explained() {
    let mut terminal = Start::new().up();
    for (command, answer) in [
        ("load many", "load submits 1 to"),
        ("sort loudest", "sort by newest, oldest, state or slowest"),
        ("scale x", "type a number of workers"),
        ("theme drak", "did you mean `dark`"),
        ("filter state:x", "`x` is not a state"),
    ] {
        terminal.press(":");
        terminal.until("the palette", |screen| has_frames(screen, &["Palette"]));
        terminal.type_text(command);
        terminal.press("enter");
        terminal.sees(&[answer]);
        terminal.until("the palette goes away", |screen| {
            !has_frames(screen, &["Palette"])
        });
    }
    terminal.press("3");
    terminal.until("no task", |screen| {
        !rows_with(screen, "3 Tasks", &["no", "tasks", "yet"]).is_empty()
    });
}

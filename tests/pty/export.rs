//! What is on the screen goes to a file, and the file holds it.

use std::fs;

use serde_json::json;

use super::{
    frames::{has_frames, rows_with},
    harness::{Start, Terminal, run},
};

fn export(terminal: &mut Terminal, title: &str, name: &str, answer: &str) {
    terminal.press("e");
    terminal.until("a prompt", |screen| has_frames(screen, &[title]));
    terminal.press("ctrl-u");
    terminal.type_text(name);
    terminal.press("enter");
    terminal.sees(&[answer]);
}

#[test]
fn tasks_are_written_as_json_and_as_csv() {
    let mut terminal = Start::new().up();
    terminal.press("3");
    terminal.press("a");
    terminal.until("a prompt", |screen| has_frames(screen, &["Add"]));
    terminal.type_text("2 + 3");
    terminal.press("enter");
    terminal.until("a sum", |screen| {
        !rows_with(screen, "3 Tasks", &["succeeded", "5"]).is_empty()
    });

    export(
        &mut terminal,
        "Export Tasks",
        "tasks.json",
        "1 row written to tasks.json",
    );
    let text = fs::read_to_string(terminal.path("tasks.json")).expect("it was written");
    let rows: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(rows.as_array().map(Vec::len), Some(1));
    for (column, value) in [
        ("id", json!(1)),
        ("name", json!("add")),
        ("args", json!([2, 3])),
        ("state", json!("succeeded")),
        ("result", json!(5)),
    ] {
        assert_eq!(rows[0][column], value, "{text}");
    }
    // The objects are those of the command line, byte for byte.
    let listed = run(&terminal, &["tasks", "list", "--json"]);
    assert_eq!(text.replace('\n', ""), listed.trim_end());

    // A name with its whole path does as well.
    let path = terminal.path("tasks.csv");
    export(
        &mut terminal,
        "Export Tasks",
        &path.to_string_lossy(),
        "1 row written to /",
    );
    let text = fs::read_to_string(path).expect("it was written");
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(
        lines[0].starts_with("id,name,args,kwargs,state,native_state,cancelling,result,"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("1,add,\"[2,3]\",,succeeded,,false,5,"),
        "{text}"
    );
}

#[test]
fn names_are_written() {
    let mut terminal = Start::new().up();
    export(
        &mut terminal,
        "Export Names",
        "names.csv",
        "3 rows written to names.csv",
    );
    let written = fs::read_to_string(terminal.path("names.csv")).expect("it was written");
    let names: Vec<&str> = written
        .lines()
        .filter_map(|line| line.split(',').next())
        .collect();
    assert_eq!(names, ["name", "broker", "naming", "server"]);
}

#[test]
fn a_file_in_a_folder_that_is_not_there_is_explained() {
    let mut terminal = Start::new().up();
    export(
        &mut terminal,
        "Export Names",
        "nowhere/names.json",
        "nowhere/names.json: there is no such file or folder",
    );
    assert!(terminal.is_running());
}

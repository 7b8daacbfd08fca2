//! Many lines in, many lines out.

use serde_json::Value;

use crate::process::Home;

#[test]
fn sums_come_out_in_the_order_in_which_they_went_in() {
    let home = Home::new();
    let _node = home.serve(&[]);
    let lines: String = (0..5_000).map(|n| format!("{n} {n}\n")).collect();
    let output = home.run_with_input(&["add", "--wait"], &lines);
    assert!(output.status.success(), "{output:?}");
    let sums: String = (0..5_000).map(|n| format!("{}\n", 2 * n)).collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout), sums);
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "",
        "no bar in a pipe"
    );
    let stats = home.json(&["queue", "stats"]);
    assert_eq!(stats["submitted"], 5_000);
}

#[test]
fn without_waiting_the_numbers_of_the_tasks_are_printed() {
    let home = Home::new();
    let _node = home.serve(&[]);
    let output = home.run_with_input(&["add", "--priority", "9", "--key", "acme"], "1 2\n3 + 4\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "#1\n#2\n");
    let task = home.json(&["tasks", "show", "2"]);
    assert_eq!(
        (&task["priority"], &task["key"]),
        (&9.into(), &"acme".into())
    );
}

/// An option of a line wins over the flag when it is given, even with the default value.
#[test]
fn an_option_of_a_line_wins_over_the_flag() {
    let home = Home::new();
    let _node = home.serve(&["--disable", "workers"]);
    let flags = ["--priority", "9", "--queue", "mail", "--attempts", "2"];
    for (command, lines) in [
        ("add", "2 3 priority:5 attempts:5\n2 3\n"),
        ("submit", "add [2,3] priority:5 attempts:5\nadd [2,3]\n"),
    ] {
        let output = home.run_with_input(&[&[command][..], &flags].concat(), lines);
        assert!(output.status.success(), "{output:?}");
        let ids = String::from_utf8(output.stdout).expect("text");
        let tasks = ids.lines().map(|id| home.json(&["tasks", "show", id]));
        let found: Vec<_> = tasks
            .map(|task| (task["priority"].as_u64(), task["max_attempts"].as_u64()))
            .collect();
        assert_eq!(found, [(Some(5), Some(5)), (Some(9), Some(2))], "{command}");
    }
    let queued = home.json(&["tasks", "list", "queue:mail"]);
    assert_eq!(queued.as_array().map(Vec::len), Some(4));
}

#[test]
fn an_invalid_line_is_reported_in_its_place() {
    let home = Home::new();
    let _node = home.serve(&[]);
    let output = home.run_with_input(
        &["add", "--wait"],
        "1 2\nnonsense\n\n5 6 0 fails:9 attempts:1\n7 8\n",
    );
    assert_eq!(output.status.code(), Some(6));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "3\n\n\n15\n");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("line 2:") && said.contains("line 4:"),
        "{said}"
    );
    let output = home.run_with_input(&["add", "--wait", "--unordered", "--json"], "1 2\nx\n");
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 2);
    let by_line = |n: u64| lines.iter().find(|l| l["line"] == n).expect("there");
    assert_eq!(by_line(1)["result"], 3);
    assert!(by_line(2)["error"].is_string());
}

#[test]
fn every_name_on_standard_input_is_greeted() {
    let home = Home::new();
    let _node = home.serve(&[]);
    let names: String = (0..500).map(|n| format!("n{n}\n")).collect();
    let output = home.run_with_input(&["greet"], &names);
    let greetings: String = (0..500).map(|n| format!("Hi welcome n{n}\n")).collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout), greetings);
}

/// As a program does that keeps a command running beside itself.
#[test]
fn each_line_is_answered_before_the_next_is_read() {
    let home = Home::new();
    let _node = home.serve(&[]);
    let mut adding = home.converse(&["add", "--wait"]);
    for n in 0..3 {
        assert_eq!(adding.request(&format!("{n} 1")), (n + 1).to_string());
    }
    assert_eq!(adding.end(), Some(0));
    // As they come, each with the number of its line.
    let mut adding = home.converse(&["add", "--wait", "--unordered"]);
    for n in 1..4 {
        assert_eq!(adding.request(&format!("{n} 1")), format!("{n} {}", n + 1));
    }
    assert_eq!(adding.end(), Some(0));
    let mut greeting = home.converse(&["greet"]);
    for name in ["Ali", "Ada", "李"] {
        assert_eq!(greeting.request(name), format!("Hi welcome {name}"));
    }
    assert_eq!(greeting.end(), Some(0));
}

/// A command that is piped in is there before anything has been heard of the node.
#[test]
fn lines_are_answered_in_plain_mode() {
    let home = Home::new();
    let _node = home.serve(&[]);
    home.run(&["add", "1", "2", "--wait"]);
    let output = home.run_with_input(
        &["--plain"],
        "queue stats\ntasks show 1\ntasks show 9\nkeys\njion distro1abc\nquit\n",
    );
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for text in [
        "1 submitted",
        "result     3",
        "there is no task #9",
        "details: show the details of the selected row, or of a task by its id",
        "no such command: `jion`; did you mean `join`?",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
    assert!(!said.contains("distro1abc"), "a ticket is not repeated");
}

//! Commands act on what was selected, and say what became of each id.

use serde_json::json;

use crate::process::Home;

#[test]
fn every_id_gets_a_result_of_its_own() {
    let home = Home::new();
    let _node = home.serve(&["--workers", "1"]);
    home.run(&["queue", "pause"]);
    for _task in 0..3 {
        home.run(&["add", "2", "3"]);
    }
    let both = home.output(&["tasks", "cancel", "1", "99"]);
    assert_eq!(both.status.code(), Some(1));
    assert_eq!(both.stdout, b"#1 is cancelled\n");
    let why = String::from_utf8_lossy(&both.stderr);
    assert_eq!(
        why,
        "distro-tui: there is no task #99; it may have been purged\n"
    );

    let purged = home.output(&["tasks", "purge", "1", "2", "99", "--json"]);
    assert_eq!(purged.status.code(), Some(1));
    let purged: serde_json::Value = serde_json::from_slice(&purged.stdout).expect("JSON");
    let unfinished = "#2 is queued and cannot be purged; cancel it first";
    let missing = "there is no task #99; it may have been purged";
    assert_eq!(
        purged,
        json!([
            {"id": 1, "outcome": "purged"},
            {"id": 2, "error": {"code": "refused", "message": unfinished}},
            {"id": 99, "error": {"code": "not_found", "message": missing}},
        ])
    );
    let all = home.output(&["tasks", "cancel", "2", "3"]);
    assert_eq!(all.status.code(), Some(0));
    assert_eq!(all.stdout, b"#2 is cancelled\n#3 is cancelled\n");
    let gone = home.output(&["tasks", "purge", "99"]);
    assert_eq!(gone.status.code(), Some(5));
}

#[test]
fn an_empty_list_is_a_sentence_for_people_and_a_list_for_programs() {
    let home = Home::new();
    let _node = home.serve(&[]);
    for (args, says) in [
        (&["tasks", "list"][..], "no tasks"),
        (&["tasks", "list", "state:failed"], "no task matches"),
        (&["names", "list", "--prefix", "none"], "no name matches"),
    ] {
        let listed = home.output(args);
        assert!(
            listed.status.success() && listed.stdout.is_empty(),
            "{args:?}"
        );
        let said = String::from_utf8_lossy(&listed.stderr);
        assert_eq!(said, format!("distro-tui: {says}\n"));
        assert_eq!(home.json(args), json!([]));
    }
}

#[test]
fn a_task_that_takes_longer_than_the_timeout_is_named_as_a_shell_takes_it() {
    let home = Home::new();
    let _node = home.serve(&["--workers", "1"]);
    home.run(&["queue", "pause"]);
    let output = home.output(&["add", "2", "3", "--wait", "--timeout", "10ms"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.ends_with("see it with: distro-tui tasks show 1\n"),
        "{said}"
    );
    home.run(&["tasks", "show", "1"]);
}

#[test]
fn more_workers_than_the_limit_are_refused() {
    let home = Home::new();
    let _node = home.serve(&["--workers", "1"]);
    for count in ["0", "257", "1000", "many", ""] {
        let output = home.output(&["workers", "scale", count]);
        assert_eq!(output.status.code(), Some(2), "{count}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("it is not a number from 1 to 256"), "{said}");
    }
    assert_eq!(home.json(&["queue", "stats"])["desired_workers"], 1);
}

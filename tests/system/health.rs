//! What `doctor` finds: the reason of a failed start, and an upstream that has removed this node.

use std::fs;

use serde_json::Value;

use crate::process::{Home, short};

/// The checks of `doctor` that are not `ok`, and its exit code.
fn problems(home: &Home) -> (Vec<Value>, Option<i32>) {
    let output = home.output(&["doctor", "--json"]);
    let checks: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let problems = checks.into_iter().filter(|check| check["status"] != "ok");
    (problems.collect(), output.status.code())
}

/// The text of a problem; each has a next step.
fn found<'a>(problems: &'a [Value], check: &str) -> Option<&'a str> {
    for problem in problems {
        assert!(problem["next_step"].is_string(), "{problem}");
    }
    let problem = problems.iter().find(|problem| problem["check"] == check)?;
    problem["found"].as_str()
}

#[test]
fn the_reason_of_a_failed_start_is_found_until_a_start_succeeds() {
    let home = Home::new();
    assert_eq!(home.serve(&[]).end(), Some(0));
    let members = home.path().join("distro-tui/members.json");
    fs::write(&members, "{").expect("written");
    let refused = home.output(&["serve"]);
    assert_eq!(refused.status.code(), Some(1));
    let (problems_now, code) = problems(&home);
    let text = found(&problems_now, "start_failed").expect("found");
    assert!(text.contains("members.json"), "{text}");
    assert_eq!(code, Some(1));

    fs::remove_file(&members).expect("removed");
    let node = home.serve(&[]);
    assert_eq!(found(&problems(&home).0, "start_failed"), None);
    assert_eq!(node.end(), Some(0));
    assert_eq!(found(&problems(&home).0, "start_failed"), None);
}

#[test]
fn an_upstream_that_has_removed_this_node_is_an_error_until_it_is_left() {
    let (upstream, home) = (Home::new(), Home::new());
    let upstream_node = upstream.serve(&[]);
    let node = home.serve(&[]);
    home.run(&["join", &upstream.ticket(&[])]);
    assert_eq!(problems(&home).1, Some(0));
    upstream.run(&["revoke", short(&node.key())]);
    let (problems_now, code) = loop {
        let (problems, code) = problems(&home);
        if found(&problems, "upstream_refused").is_some() {
            break (problems, code);
        }
    };
    let text = found(&problems_now, "upstream_refused").expect("found");
    assert!(
        text.contains(short(&upstream_node.key()).split_at(8).0),
        "{text}"
    );
    assert_eq!(code, Some(1));
    home.run(&["leave", short(&upstream_node.key())]);
    assert_eq!(problems(&home).1, Some(0));
}

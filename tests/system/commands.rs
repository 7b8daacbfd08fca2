//! What the commands print, as programs see it, and what they say when something is wrong.

use std::process::Output;

use crate::process::{Home, short};

/// The output of a command with what differs from run to run taken out of it.
fn shown(home: &Home, args: &[&str], output: &Output) -> String {
    let code = output
        .status
        .code()
        .map_or("?".to_owned(), |c| c.to_string());
    let text = |bytes: &[u8]| steady(home, &String::from_utf8_lossy(bytes));
    format!(
        "$ distro-tui {}\n{}{}[{code}]\n",
        steady(home, &args.join(" ")),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// Keys, ports, times and folders become words.
fn steady(home: &Home, text: &str) -> String {
    let folder = home.path().to_string_lossy().into_owned();
    let mut text = text.replace(&folder, "HOME");
    for (pattern, word) in [
        (r"distro1[a-z2-7]{60,}", "TICKET"),
        (r"\b[a-z2-7]{52}\b", "KEY"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"process \d+", "process PID"),
        (
            r#""(wait_ms|run_ms|busy|lookup_ms|call_ms|p\d\d_ms|max_ms|oldest_ready_ms)":[\d.]+"#,
            r#""$1":N"#,
        ),
        (r#""retry_in_ms":\d+"#, r#""retry_in_ms":N"#),
        (r#""per_second":\d+"#, r#""per_second":N"#),
        (r#""bytes":\d+"#, r#""bytes":N"#),
        (r#""worker":"w\d""#, r#""worker":"wN""#),
        (r"\d+(\.\d+)? (µs|ms|s)\b", "SPAN"),
        (r#""label":"[^"]*""#, r#""label":"LABEL""#),
        // On a slow day a second one is made beside the first.
        (r#""(connections|calls)":\d+"#, r#""$1":N"#),
        (r"\d+ of 4096 connections", "N of 4096 connections"),
        (r"\d+ calls? \(limit", "N calls (limit"),
        // A name is asked for and then held.
        (r#""state":"pending""#, r#""state":"held""#),
    ] {
        let pattern = regex::Regex::new(pattern).expect("a pattern");
        text = pattern.replace_all(&text, word).into_owned();
    }
    text
}

#[test]
fn what_programs_are_given() {
    let home = Home::new();
    let node = home.serve(&["--workers", "1"]);
    home.run(&["add", "2", "3", "--wait"]);
    let failing = home.run_with_input(&["add", "--wait"], "2 3 0 fails:9 attempts:1\n");
    assert_eq!(failing.status.code(), Some(6));
    let exported = home.path().join("tasks.csv").to_string_lossy().into_owned();
    let mut all = String::new();
    for args in [
        &["names", "list", "--json"][..],
        &["names", "lookup", "server", "--json"],
        &[
            "names",
            "register",
            "x",
            "distro:x@127.0.0.1:1",
            "--forever",
            "--tag",
            "b",
            "--tag",
            "a",
            "--json",
        ],
        &["names", "list", "--prefix", "x", "--json"],
        &["names", "list", "--regex", "^s.*r$", "--json"],
        &["names", "list", "--tag", "a", "--json"],
        &["names", "set-tags", "x", "c", "--json"],
        &["names", "unregister", "x", "--json"],
        &["methods", "server", "--json"],
        &["call", "server", "welcomeMessage", "Ali", "--json"],
        &[
            "call",
            "server",
            "welcomeMessage",
            "--arg",
            "name=Ali",
            "--json",
        ],
        &["call", "naming", "count", "--json"],
        &["greet", "Ali", "--json"],
        &["greet", "Ali", "Ada", "--json"],
        &["add", "2", "3", "--json"],
        &["add", "2", "3", "--wait", "--json"],
        &["submit", "add", "[2,3]", "--wait", "--json"],
        &["tasks", "list", "state:failed", "--json"],
        &["tasks", "show", "1", "--json"],
        &["tasks", "show", "2", "--json"],
        &["tasks", "purge", "state:succeeded", "--json"],
        &["tasks", "cancel", "state:queued", "--json"],
        &["tasks", "retry", "2", "--json"],
        &["workers", "scale", "2", "--json"],
        &["queue", "pause", "mail"],
        &["queue", "pause", "mail", "--json"],
        &["queue", "resume", "mail", "--json"],
        &["tasks", "export", &exported, "--json"],
        &["config", "init", "--json"],
        &["ticket", "--json"],
        &[
            "ticket",
            "--role",
            "read",
            "--once",
            "--expires",
            "1h",
            "--json",
        ],
        &["ticket", "invalidate", "--json"],
        &["members", "--json"],
    ] {
        all.push_str(&shown(&home, args, &home.output(args)));
    }
    insta::assert_snapshot!("json", all);
    drop(node);
}

/// The rest of it: what runs on, what changes from moment to moment, and what takes two nodes.
#[test]
fn what_programs_are_given_of_a_system() {
    let (home, other) = (Home::new(), Home::new());
    let node = home.serve(&["--workers", "1"]);
    let mut all = format!("$ distro-tui serve --json\n{}\n", node.ready());
    home.run(&["names", "share", "server", "members"]);
    let other_node = other.serve(&["--workers", "1"]);
    let ticket = home.ticket(&["--once"]);
    let names = home.follow(&["names", "watch"]);
    let joined = other.output(&["join", &ticket, "--json"]);
    all.push_str(&shown(&other, &["join", &ticket, "--json"], &joined));
    let other_key = other_node.key();
    let their = |seen: &serde_json::Value| seen["owner"] == other_key.as_str();
    let mut watched = vec![names.until(|seen| their(seen) && seen["name"] == "server")];
    // The upstream itself is listed once it has sent its members.
    let listed = || other.json(&["members"])["members"].as_array().map(Vec::len);
    while listed() != Some(1) {}
    while other.json(&["members"]).to_string().contains("pending") {}
    for (home, args) in [
        (&home, &["members", "--json"][..]),
        (&other, &["members", "--json"]),
        (&home, &["workers", "list", "--json"]),
        (&home, &["queue", "stats", "--json"]),
        (&home, &["doctor", "--json"]),
    ] {
        all.push_str(&shown(home, args, &home.output(args)));
    }
    let tasks = home.follow_tasks();
    home.run(&["add", "2", "3"]);
    let ended = tasks.until(|seen| seen["event"] == "finished");
    let revoke = ["revoke", short(&other_key), "--json"];
    all.push_str(&shown(&home, &revoke, &home.output(&revoke)));
    watched.push(names.until(|seen| seen["event"] == "removed" && seen["name"] == "server"));
    let own = node.key();
    let leave = ["leave", short(&own), "--json"];
    all.push_str(&shown(&other, &leave, &other.output(&leave)));
    assert_eq!(node.end(), Some(0));
    let mut lost = names.until(|seen| seen["event"] == "lost");
    lost["error"] = "WHY".into();
    // It has jitter.
    let retry_in = lost["retry_in_ms"].as_u64().expect("a number");
    assert!((100..=200).contains(&retry_in), "{retry_in} ms");
    lost["retry_in_ms"] = 200.into();
    watched.push(lost);
    for seen in watched.iter().chain([&ended]) {
        all.push_str(&format!("a line of a watch: {seen}\n"));
    }
    for (key, word) in [(&own, "OWN"), (&other_key, "OTHER")] {
        for length in [key.len(), short(key).len(), 8] {
            all = all.replace(key.split_at(length).0, word);
        }
    }
    insta::assert_snapshot!("json_of_a_system", steady(&home, &steady(&other, &all)));
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let home = Home::new();
    let mut all = String::new();
    let mut say = |args: &[&str]| all.push_str(&shown(&home, args, &home.output(args)));
    say(&["names", "list"]);
    say(&["names", "list", "--json"]);
    say(&["join", "nonsense"]);
    say(&["join", "distro1abc"]);
    say(&["--connect", "abcdefgh", "members"]);
    say(&["config", "show", "--theme", "drak"]);
    say(&["nonsense"]);
    say(&["tasks", "frobnicate"]);
    let node = home.serve(&["--workers", "1"]);
    for args in [
        &["names", "lookup", "nobody"][..],
        &["names", "lookup", "nobody", "--json"],
        &["names", "list", "--regex", "(unclosed"],
        &["names", "unregister", "nobody"],
        &["names", "unregister", "naming", "--all"],
        &["names", "register", "x", "no-uri", "--forever"],
        &[
            "names",
            "register",
            "x",
            "distro:x@127.0.0.1:1",
            "--lease",
            "soon",
        ],
        &["call", "server", "shout", "Ali"],
        &["call", "server", "welcomeMessage"],
        &["call", "server", "welcomeMessage", "--arg", "nonsense"],
        &["call", "nobody", "x"],
        &["methods", "nobody"],
        &["greet", ""],
        &["greet"],
        &["add", "2"],
        &["add", "two", "3"],
        &["add", "2", "3", "--priority", "10"],
        &["add", "2", "3", "--delay", "soon"],
        &["add", "2", "3", "--unique"],
        &["add", "2", "3", "ky:acme"],
        &["submit", "add"],
        &["submit", "add", "[2,3]", "fails:1"],
        &["tasks", "show", "99"],
        &["tasks", "show", "x"],
        &["tasks", "show", "01234567-89ab-cdef-0123-456789abcdef"],
        &["tasks", "show", "99999999999999999999999"],
        &["tasks", "list", "state:done"],
        &["tasks", "list", "--sort", "best"],
        &["tasks", "cancel"],
        &["tasks", "cancel", "99"],
        &["tasks", "cancel", "01234567-89ab-cdef-0123-456789abcdef"],
        &["tasks", "retry", "01234567-89ab-cdef-0123-456789abcdef"],
        &["tasks", "cancel", "99999999999999999999999"],
        &["tasks", "export", "x.txt"],
        &["workers", "scale", "0"],
        &["workers", "scale", "many"],
        &["revoke", "nobody"],
        &["leave", "nobody"],
        &["ticket", "--role", "king"],
        &["ticket", "--expires", "soon"],
        &["completions", "nonsense"],
        &["replay", "/nowhere"],
    ] {
        say(args);
    }
    insta::assert_snapshot!("errors", all);
    drop(node);
}

/// A pattern that takes other programs minutes.
#[test]
fn a_pattern_from_hell_is_harmless() {
    let home = Home::new();
    let _node = home.serve(&[]);
    let name = "a".repeat(28) + "b";
    home.run(&[
        "names",
        "register",
        &name,
        "distro:x@127.0.0.1:1",
        "--forever",
    ]);
    let found = home.json(&["names", "list", "--regex", "(a+)+$"]);
    assert_eq!(found.as_array().map(Vec::len), Some(0));
}

#[test]
fn a_name_is_kept_until_the_command_is_interrupted() {
    let home = Home::new();
    let _node = home.serve(&[]);
    let keeper = home.follow(&["names", "register", "mine", "distro:x@127.0.0.1:1"]);
    keeper.until(|said| said["name"] == "mine");
    let watch = home.follow(&["names", "watch"]);
    watch.until(|seen| seen["name"] == "mine" && seen["state"] == "live");
    keeper.interrupt();
    let gone = watch.until(|seen| seen["event"] == "removed" && seen["name"] == "mine");
    assert_eq!(gone["reason"], "unregistered");
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let home = Home::new();
    let _node = home.serve(&[]);
    let mut child = home
        .command(&["keys"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    assert!(child.wait().expect("it ends").success());
}

//! Two nodes, one system.

use std::{fs, process::Output};

use rustix::process::Signal;
use serde_json::Value;

use crate::process::{Follower, Home, Node, short};

/// A, which shares its greeter's name, and B joined to it by a ticket.
struct System {
    a: Home,
    b: Home,
    /// A reader of A without a greeter of its own.
    caller: Home,
    node_a: Node,
    node_b: Node,
}

/// An idle node, in the place of one that is about to end.
fn idle_node() -> Node {
    Home::new().serve(&[])
}

impl System {
    fn start() -> Self {
        let (a, b, caller) = (Home::new(), Home::new(), Home::new());
        let node_a = a.serve(&[]);
        a.run(&["names", "share", "server", "members"]);
        let ticket = a.ticket(&[]);
        let node_b = b.serve_with(&[], &[("DISTRO_TUI_TICKET", &ticket)]);
        caller.run(&["join", &a.ticket(&["--role", "read"])]);
        let system = Self {
            a,
            b,
            caller,
            node_a,
            node_b,
        };
        let watch = system.watch();
        let key = system.node_b.key();
        watch.until(|seen| is(seen, "put", "server", &key, Some("live")));
        system
    }

    fn watch(&self) -> Follower {
        self.a.follow(&["names", "watch"])
    }

    /// The greeters that reply to that many greetings of a caller at A.
    fn greeters(&self, count: usize) -> Vec<String> {
        let key = self.node_a.key();
        let args = ["--connect", short(&key), "greet", "--json"];
        greeters(&self.caller, &args, count)
    }
}

/// The greeters that reply to that many greetings.
fn greeters(home: &Home, args: &[&str], count: usize) -> Vec<String> {
    let names: String = (0..count).map(|n| format!("name {n}\n")).collect();
    let output = home.run_with_input(args, &names);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let answers: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), count);
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer["greeting"], format!("Hi welcome name {n}"));
    }
    let mut from: Vec<String> = answers
        .iter()
        .map(|answer| answer["from"].as_str().expect("a key").to_owned())
        .collect();
    from.sort();
    from.dedup();
    from
}

fn is(seen: &Value, event: &str, name: &str, owner: &str, state: Option<&str>) -> bool {
    seen["event"] == event
        && seen["name"] == name
        && seen["owner"] == owner
        && state.is_none_or(|state| seen["state"] == state)
}

#[test]
fn names_of_both_are_listed_and_both_greet() {
    let system = System::start();
    let (a, b) = (system.node_a.key(), system.node_b.key());
    let listed = system.a.json(&["names", "list"]);
    let listed: Vec<(&str, &str, &str)> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|record| {
            let text = |what: &str| record[what].as_str().expect("text");
            (text("name"), text("owner"), text("state"))
        })
        .collect();
    let fingerprint: String = b.chars().take(8).collect();
    let remote = format!("broker.{fingerprint}");
    for expected in [
        ("broker", &*a, "live"),
        (&*remote, &*b, "live"),
        ("naming", &*a, "live"),
        ("server", &*a, "live"),
        ("server", &*b, "live"),
    ] {
        assert!(listed.contains(&expected), "{expected:?} in {listed:?}");
    }
    let mut both = vec![a.clone(), b.clone()];
    both.sort();
    assert_eq!(system.greeters(20), both);
    // Its own greeter takes the calls of a node first.
    assert_eq!(
        greeters(&system.a, &["greet", "--json"], 6),
        std::slice::from_ref(&a)
    );
    let members = system.a.json(&["members"]);
    let members = members["members"].as_array().expect("a list");
    let found = members.iter().find(|member| member["key"] == b.as_str());
    assert_eq!(found.expect("joined")["role"], "member");
    let listed = system.b.json(&["members"]);
    assert_eq!(listed["upstreams"][0]["key"], a);
    // The broker of each is reached by a session with each, and both by name.
    let sum = system
        .b
        .run(&["--connect", short(&a), "add", "40", "2", "--wait"]);
    assert_eq!(sum, "42\n");
    assert_eq!(system.a.json(&["tasks", "list"])[0]["result"], 42);
    assert_eq!(system.b.json(&["tasks", "list"]), Value::Array(vec![]));
    let stats = system.a.json(&["call", &remote, "stats"]);
    assert_eq!(stats["submitted"], 0);
}

/// A member that joins must not take calls that are meant for the node.
#[test]
fn a_member_takes_no_call_of_a_name_that_the_node_does_not_share() {
    let (a, b, caller) = (Home::new(), Home::new(), Home::new());
    let node_a = a.serve(&[]);
    let ticket = a.ticket(&[]);
    let node_b = b.serve_with(&[], &[("DISTRO_TUI_TICKET", &ticket)]);
    let (key_a, key_b) = (node_a.key(), node_b.key());
    let own = format!("server.{}", short(&key_b).get(..8).expect("a key"));
    let watch = a.follow(&["names", "watch"]);
    watch.until(|seen| is(seen, "put", &own, &key_b, Some("live")));
    let there = ["--connect", short(&key_a)];
    for uri in ["distro:server@127.0.0.1:1", "distro:x@127.0.0.1:1"] {
        let args = ["names", "register", "server", uri, "--forever"];
        let refused = b.output(&[&there[..], &args].concat());
        assert!(!refused.status.success(), "{refused:?}");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains("names share server members"), "{said}");
    }
    caller.run(&["join", &a.ticket(&["--role", "read"])]);
    let args = [&there[..], &["greet", "--json"]].concat();
    assert_eq!(greeters(&caller, &args, 12), std::slice::from_ref(&key_a));
    let upstreams = b.json(&["members"]);
    let names = upstreams["upstreams"][0]["names"]
        .as_array()
        .expect("a list");
    let state = |name: &str| {
        let found = names.iter().find(|found| found["name"] == name);
        found.expect("offered")["state"]
            .as_str()
            .expect("text")
            .to_owned()
    };
    assert_eq!(state(&own), "registered");
    assert!(state("server").starts_with("taken: "), "{names:?}");
    // With the node's consent it does.
    a.run(&["names", "share", "server", "members"]);
    watch.until(|seen| is(seen, "put", "server", &key_b, Some("live")));
    assert_eq!(greeters(&caller, &args, 20).len(), 2);
    a.run(&["names", "share", "server", "owner"]);
    watch.until(|seen| is(seen, "removed", "server", &key_b, None));
    assert_eq!(greeters(&caller, &args, 12), [key_a]);
}

#[test]
fn a_killed_node_is_suspect_then_gone_and_comes_back_by_itself() {
    let mut system = System::start();
    let (key, watch) = (system.node_b.key(), system.watch());
    watch.until(|seen| is(seen, "put", "server", &key, Some("live")));
    std::mem::replace(&mut system.node_b, idle_node()).kill();
    // Greetings fail over from the first moment on.
    assert_eq!(system.greeters(6), [system.node_a.key()]);
    watch.until(|seen| is(seen, "put", "server", &key, Some("suspect")));
    assert_eq!(system.greeters(6), [system.node_a.key()]);
    let gone = watch.until(|seen| is(seen, "removed", "server", &key, None));
    assert_eq!(gone["reason"], "expired");
    system.node_b = system.b.serve(&[]);
    watch.until(|seen| is(seen, "put", "server", &key, Some("live")));
    assert_eq!(system.node_b.key(), key);
    assert_eq!(system.greeters(20).len(), 2);
}

#[test]
fn a_frozen_node_comes_back_by_itself() {
    let system = System::start();
    let key = system.node_b.key();
    let watch = system.watch();
    watch.until(|seen| is(seen, "put", "server", &key, Some("live")));
    system.node_b.signal(Signal::STOP);
    watch.until(|seen| is(seen, "put", "server", &key, Some("suspect")));
    watch.until(|seen| is(seen, "removed", "server", &key, None));
    assert_eq!(system.greeters(4), [system.node_a.key()]);
    system.node_b.signal(Signal::CONT);
    watch.until(|seen| is(seen, "put", "server", &key, Some("live")));
    assert_eq!(system.greeters(20).len(), 2);
}

#[test]
fn a_naming_server_that_was_killed_is_filled_again() {
    let mut system = System::start();
    let key = system.node_b.key();
    let addr = system.node_a.addr();
    let watch = system.watch();
    watch.until(|seen| is(seen, "put", "server", &key, Some("live")));
    std::mem::replace(&mut system.node_a, idle_node()).kill();
    system.node_a = system.a.serve(&[]);
    assert_eq!(system.node_a.addr(), addr, "it is where it was");
    // The watch goes on, and B has registered again by itself.
    watch.until(|seen| seen["event"] == "lost");
    watch.until(|seen| is(seen, "put", "server", &key, Some("live")));
    assert_eq!(system.greeters(20).len(), 2);
}

#[test]
fn a_node_that_ends_in_order_takes_its_names_back() {
    let System { a, node_b, .. } = &mut System::start();
    let key = node_b.key();
    let watch = a.follow(&["names", "watch"]);
    watch.until(|seen| is(seen, "put", "server", &key, Some("live")));
    assert_eq!(std::mem::replace(node_b, idle_node()).end(), Some(0));
    let gone = watch.until(|seen| is(seen, "removed", "server", &key, None));
    assert_eq!(gone["reason"], "unregistered");
}

#[test]
fn whoever_is_revoked_is_out_and_its_names_with_it() {
    let system = System::start();
    let key = system.node_b.key();
    let watch = system.watch();
    watch.until(|seen| is(seen, "put", "server", &key, Some("live")));
    system.a.run(&["revoke", short(&key)]);
    watch.until(|seen| is(seen, "removed", "server", &key, None));
    let refused = system
        .b
        .output(&["--connect", short(&system.node_a.key()), "names", "list"]);
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("does not know this process's key"), "{said}");
    assert_eq!(system.greeters(6), [system.node_a.key()]);
}

#[test]
fn a_reader_looks_and_greets_and_changes_nothing() {
    let system = System::start();
    let reader = Home::new();
    let ticket = system.a.ticket(&["--role", "read", "--once"]);
    let key = system.node_a.key();
    reader.run(&["join", &ticket]);
    let there = |args: &[&str]| reader.output(&[&["--connect", short(&key)], args].concat());
    assert_eq!(there(&["greet", "Ali"]).stdout, b"Hi welcome Ali\n");
    assert!(there(&["names", "list"]).status.success());
    assert!(there(&["tasks", "list"]).status.success());
    for denied in [
        &["add", "1", "2"][..],
        &["queue", "pause"],
        &["workers", "scale", "3"],
        &[
            "names",
            "register",
            "x",
            "distro:x@127.0.0.1:1",
            "--forever",
        ],
        &["names", "unregister", "server"],
        &["ticket"],
        &["revoke", "nobody"],
        &["members"],
    ] {
        let output = there(denied);
        assert_eq!(output.status.code(), Some(4), "{denied:?}: {output:?}");
    }
    // The ticket was for one.
    let late = Home::new().output(&["join", &ticket]);
    assert_eq!(late.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&late.stderr).contains("has been used"));
}

/// As a service manager does it: the same command with the same environment, again and again.
#[test]
fn a_service_with_its_ticket_in_the_environment_starts_again() {
    let (a, b) = (Home::new(), Home::new());
    let node_a = a.serve(&[]);
    a.run(&["names", "share", "server", "members"]);
    let ticket = a.ticket(&["--once"]);
    let variables = [("DISTRO_TUI_TICKET", ticket.as_str())];
    b.serve_with(&[], &variables).kill();
    let node_b = b.serve_with(&[], &variables);
    let (key, watch) = (node_b.key(), a.follow(&["names", "watch"]));
    watch.until(|seen| is(seen, "put", "server", &key, Some("live")));
    // Also while the other node is away.
    drop(node_b);
    drop(node_a);
    let node_b = b.serve_with(&[], &variables);
    let _node_a = a.serve(&[]);
    let watch = a.follow(&["names", "watch"]);
    watch.until(|seen| is(seen, "put", "server", &node_b.key(), Some("live")));
}

/// Others on a machine see the arguments of a command, and no ticket has to be among them.
#[test]
fn a_ticket_to_connect_with_need_not_be_an_argument() {
    let (a, b) = (Home::new(), Home::new());
    let node = a.serve(&[]);
    let ticket = a.ticket(&["--role", "read"]);
    let listed = |home: &Home, output: Output| {
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("naming"), "{text}");
        let known = fs::read_to_string(home.path().join("distro-tui").join("known.json"));
        let known = known.expect("it is remembered");
        assert!(
            known.contains(&node.key()) && !known.contains(&ticket),
            "{known}"
        );
    };
    listed(
        &b,
        b.run_with_input(&["--connect", "-", "names", "list"], &format!("{ticket}\n")),
    );
    let file = b.path().join("ticket");
    fs::write(&file, format!("{ticket}\n")).expect("room");
    let c = Home::new();
    listed(
        &c,
        c.output(&[
            "--connect",
            &format!("@{}", file.display()),
            "names",
            "list",
        ]),
    );
    let d = Home::new();
    let mut command = d.command(&["names", "list"]);
    command.env("DISTRO_TUI_CONNECT", &ticket);
    listed(&d, command.output().expect("it runs"));
    // What follows the ticket is for the command.
    let sums = b.run_with_input(
        &["--connect", "-", "greet"],
        &format!("{}\nAli\n", short(&node.key())),
    );
    assert_eq!(sums.stdout, b"Hi welcome Ali\n", "{sums:?}");
    // A command that uses no node needs no ticket.
    let mut command = b.command(&["keys"]);
    command.env("DISTRO_TUI_CONNECT", "@/nowhere");
    assert!(command.output().expect("it runs").status.success());
    let cut = ticket.split_at(60).0.to_uppercase();
    let mistyped = b.output(&["--connect", &cut, "names", "list"]);
    assert_eq!(mistyped.status.code(), Some(2), "{mistyped:?}");
    let missing = b.output(&["--connect", "@/nowhere", "names", "list"]);
    assert_eq!(missing.status.code(), Some(1));
    let said = String::from_utf8_lossy(&missing.stderr);
    assert!(said.contains("/nowhere"), "{said}");
}

/// Any command, through any node: an unreachable node is reported the same way.
#[test]
fn joining_a_node_that_is_away_fails_alike_with_and_without_a_node() {
    let (a, b) = (Home::new(), Home::new());
    let node_a = a.serve(&[]);
    let ticket = a.ticket(&[]);
    node_a.kill();
    let alone = b.output(&["join", &ticket]);
    let _node_b = b.serve(&[]);
    let through = b.output(&["join", &ticket]);
    for output in [alone, through] {
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("is a node running"), "{said}");
    }
}

#[test]
fn a_command_that_keeps_a_name_ends_when_it_may_not_any_more() {
    let (a, c) = (Home::new(), Home::new());
    let node = a.serve(&[]);
    c.run(&["join", &a.ticket(&[])]);
    let keeper = c.follow(&[
        "--connect",
        short(&node.key()),
        "names",
        "register",
        "mine",
        "distro:x@127.0.0.1:1",
    ]);
    keeper.until(|said| said["name"] == "mine");
    let peers = a.json(&["members"]);
    let key = peers["members"][0]["key"].as_str().expect("a key");
    a.run(&["revoke", short(key)]);
    assert_eq!(keeper.ended(), Some(4));
}

/// What a node was reached at first may lead nowhere any more, while another of its addresses does.
#[test]
fn a_joined_node_is_found_at_its_other_address() {
    let (a, b) = (Home::new(), Home::new());
    let node_a = a.serve(&[]);
    a.run(&["names", "share", "server", "members"]);
    b.run(&["join", &a.ticket(&[])]);
    let path = b.path().join("distro-tui").join("known.json");
    let known = fs::read_to_string(&path).expect("it is remembered");
    let addr = format!("\"{}\"", node_a.addr());
    // The discard port: nothing listens there.
    let known = known.replace(&addr, &format!("\"127.0.0.1:9\", {addr}"));
    assert!(known.contains("127.0.0.1:9"), "{known}");
    fs::write(&path, known).expect("room");
    let node_b = b.serve(&[]);
    let (key, watch) = (node_b.key(), a.follow(&["names", "watch"]));
    watch.until(|seen| is(seen, "put", "server", &key, Some("live")));
    let greeted = b.run(&["--connect", short(&node_a.key()), "greet", "Ali"]);
    assert_eq!(greeted, "Hi welcome Ali\n");
}

/// A ticket may have addresses of both kinds, and only one of them may lead anywhere.
#[test]
fn addresses_of_both_kinds_are_tried() {
    let Ok(probe) = std::net::UdpSocket::bind("[::1]:0") else {
        return println!("skipped: this machine has no IPv6");
    };
    let addr = probe.local_addr().expect("bound").to_string();
    drop(probe);
    let (a, b) = (Home::new(), Home::new());
    // The discard port: nothing listens there.
    let advertised = format!("127.0.0.1:9,{addr}");
    let node = a.serve(&["--listen", &addr, "--advertise", &advertised]);
    let ticket = a.ticket(&[]);
    let greeted = b.run(&["--connect", &ticket, "greet", "Ali"]);
    assert_eq!(greeted, "Hi welcome Ali\n");
    let joined = Home::new().json(&["join", &ticket]);
    assert_eq!(joined["key"], node.key());
    assert_eq!(joined["addr"], addr);
}

/// C has joined A and never met B, which has joined A too.
#[test]
fn a_member_of_an_upstream_looks_and_calls_and_changes_nothing() {
    let system = System::start();
    let c = Home::new();
    c.run(&["join", &system.a.ticket(&[])]);
    let (a, b) = (system.node_a.key(), system.node_b.key());
    let fingerprint: String = b.chars().take(8).collect();
    let remote = format!("broker.{fingerprint}");
    let call = |args: &[&str]| {
        let there = ["--connect", short(&a), "call", &remote];
        c.output(&[&there, args].concat())
    };
    let members = system.a.json(&["members"]);
    let members = members["members"].as_array().expect("a list");
    let is_c = |member: &&Value| member["role"] == "member" && member["key"] != b.as_str();
    let key = &members.iter().find(is_c).expect("joined")["key"];
    let key = key.as_str().expect("a key").to_owned();
    // B learns of C from A.
    loop {
        let peers = system.b.json(&["members"]);
        let members = peers["members"].as_array().expect("a list");
        let known = members.iter().find(|member| member["key"] == key.as_str());
        if let Some(member) = known {
            assert_eq!(member["via"], a);
            assert_eq!(member["role"], "read");
            break;
        }
    }
    assert!(call(&["stats"]).status.success());
    for change in [&["pause"][..], &["scale", "9"]] {
        let refused = call(change);
        assert_eq!(refused.status.code(), Some(4), "{change:?}: {refused:?}");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains("has the role read"), "{said}");
    }
    system.b.run(&["revoke", short(&key)]);
    assert!(!call(&["stats"]).status.success());
}

/// As after a crash between the revocation of a key and the removal of its names.
#[test]
fn names_of_a_key_without_a_role_are_gone_after_a_restart() {
    let (a, c) = (Home::new(), Home::new());
    let node = a.serve(&[]);
    c.run(&["join", &a.ticket(&[])]);
    let key = node.key();
    for name in ["one", "two"] {
        c.run(&[
            "--connect",
            short(&key),
            "names",
            "register",
            name,
            "distro:x@127.0.0.1:1",
            "--forever",
        ]);
    }
    let names = || a.run(&["names", "list"]);
    assert!(names().contains("two"), "{}", names());
    node.kill();
    let path = a.path().join("distro-tui").join("members.json");
    let text = fs::read_to_string(&path).expect("it is stored");
    let mut list: Value = serde_json::from_str(&text).expect("JSON");
    list["members"] = Value::Array(vec![]);
    fs::write(&path, list.to_string()).expect("room");
    let node = a.serve(&[]);
    assert!(!names().contains("two") && names().contains("server"));
    node.kill();
    let _node = a.serve(&[]);
    assert!(!names().contains("two"), "it stays removed");
}

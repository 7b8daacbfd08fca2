//! A node without a screen: its parts, how it ends, and who else comes to its data folder.

use serde_json::Value;

use crate::process::Home;

#[test]
fn each_part_can_be_done_without() {
    let home = Home::new();
    let node = home.serve(&["--disable", "workers"]);
    assert_eq!(home.json(&["workers", "list"]), Value::Array(vec![]));
    home.run(&["add", "1", "2"]);
    let queued = home.json(&["tasks", "list", "state:queued"]);
    assert_eq!(queued.as_array().map(Vec::len), Some(1));
    // They can be asked for later.
    home.run(&["workers", "scale", "1"]);
    assert_eq!(home.run(&["add", "3", "4", "--wait"]), "7\n");
    assert_eq!(node.end(), Some(0));

    let home = Home::new();
    let _node = home.serve(&["--disable", "greeter,broker"]);
    let names = home.json(&["names", "list"]);
    assert_eq!(names.as_array().map(Vec::len), Some(1), "{names}");
    let greeting = home.output(&["greet", "Ali"]);
    assert_eq!(greeting.status.code(), Some(5), "nobody is registered");
    let sum = home.output(&["add", "1", "2"]);
    assert_eq!(sum.status.code(), Some(3));
    let said = String::from_utf8_lossy(&sum.stderr).into_owned();
    assert!(said.contains("no broker"), "{said}");

    let wrong = home.output(&["serve", "--disable", "screen"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_node_without_a_naming_server_registers_with_the_one_it_joins() {
    let (a, b) = (Home::new(), Home::new());
    let _node = a.serve(&[]);
    a.run(&["names", "share", "server", "members"]);
    let alone = b.output(&["serve", "--disable", "naming"]);
    assert_eq!(alone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&alone.stderr).contains("has to join one"));
    let ticket = a.ticket(&[]);
    let node = b.serve_with(&["--disable", "naming"], &[("DISTRO_TUI_TICKET", &ticket)]);
    let key = node.key();
    let watch = a.follow(&["names", "watch"]);
    watch.until(|seen| seen["name"] == "server" && seen["owner"] == key.as_str());
    // Its naming server is the other node's.
    let listed = |home: &Home| home.json(&["names", "list", "--prefix", "server"]);
    assert_eq!(listed(&b), listed(&a));
    assert_eq!(b.run(&["greet", "Ali"]), "Hi welcome Ali\n");
}

#[test]
fn names_are_there_after_a_restart_also_without_a_broker() {
    let home = Home::new();
    let register = |name: &str| {
        let uri = "distro:x@127.0.0.1:1";
        home.run(&["names", "register", name, uri, "--forever"]);
    };
    let listed = || {
        let names = home.json(&["names", "list", "--prefix", "kept"]);
        let names = names.as_array().expect("a list").iter();
        let names = names.map(|name| name["name"].as_str().expect("text").to_owned());
        names.collect::<Vec<_>>()
    };
    let node = home.serve(&["--disable", "broker"]);
    register("kept-1");
    register("kept-2");
    node.kill();
    let node = home.serve(&[]);
    assert_eq!(listed(), ["kept-1", "kept-2"]);
    home.run(&["names", "unregister", "kept-1"]);
    assert_eq!(node.end(), Some(0));
    let node = home.serve(&["--disable", "broker"]);
    assert_eq!(listed(), ["kept-2"]);
    assert_eq!(node.end(), Some(0));
    // Nothing is stored in memory only, and nothing that is stored is read.
    let node = home.serve(&["--durability", "memory"]);
    assert_eq!(listed(), Vec::<String>::new());
    register("kept-3");
    assert_eq!(node.end(), Some(0));
    let _node = home.serve(&[]);
    assert_eq!(listed(), ["kept-2"]);
}

#[test]
fn ending_lets_running_tasks_end_and_keeps_the_others() {
    let home = Home::new();
    let node = home.serve(&["--workers", "1"]);
    let events = home.follow_tasks();
    home.run(&["add", "1", "2", "--seconds", "0.4"]);
    home.run(&["add", "3", "4", "--seconds", "0.2"]);
    home.run(&["add", "5", "6", "--seconds", "0.2"]);
    events.until(|seen| seen["event"] == "started");
    assert_eq!(node.end(), Some(0));
    let _again = home.serve(&[]);
    let since = std::time::Instant::now();
    for (id, sum) in [(1, 3), (2, 7), (3, 11)] {
        loop {
            assert!(since.elapsed().as_secs() < 60, "task {id} has not ended");
            let task = home.json(&["tasks", "show", &id.to_string()]);
            if task["state"] == "succeeded" {
                assert_eq!(
                    (&task["result"], &task["crashes"]),
                    (&sum.into(), &0.into())
                );
                break;
            }
        }
    }
}

#[test]
fn one_node_has_a_data_folder() {
    let home = Home::new();
    let node = home.serve(&[]);
    let second = home.output(&["serve"]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        said.contains("runs on") && said.contains("--data-dir"),
        "{said}"
    );
    // A dashboard attaches to it, but cannot change how it was started.
    let attached = home.run_with_input(&["--plain", "--log-level", "debug"], "quit\n");
    assert_eq!(attached.status.code(), Some(0));
    let third = home.run_with_input(&["--plain", "--workers", "3"], "quit\n");
    assert_eq!(third.status.code(), Some(2));
    let said = String::from_utf8_lossy(&third.stderr).into_owned();
    assert!(
        said.contains("on which --workers has no effect: omit it, or stop that node"),
        "{said}"
    );
    assert!(node.ready()["addrs"][0].is_string());
    node.kill();
    let nobody = home.output(&["names", "list"]);
    assert_eq!(nobody.status.code(), Some(3));
    let said = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(said.contains("distro-tui serve"), "{said}");
}

#[test]
fn an_address_that_others_can_reach_is_told_and_loopback_is_warned_of() {
    let home = Home::new();
    let node = home.serve(&["--listen", "0.0.0.0:0", "--advertise", "192.0.2.7:9090"]);
    assert_eq!(node.ready()["addrs"], serde_json::json!(["192.0.2.7:9090"]));
    let ticket = home.json(&["ticket"]);
    assert_eq!(ticket["addrs"], serde_json::json!(["192.0.2.7:9090"]));
    // Registrations carry it, and nodes with a shorter route still reach them.
    let names = home.json(&["names", "lookup", "server"]);
    assert_eq!(names[0]["uri"], "distro:server@192.0.2.7:9090");
    assert_eq!(home.run(&["greet", "Ali"]), "Hi welcome Ali\n");
    drop(node);
    let node = home.serve(&[]);
    let warned = home.output(&["ticket"]);
    let said = String::from_utf8_lossy(&warned.stderr).into_owned();
    assert!(
        said.contains("only this machine can reach this node"),
        "{said}"
    );
    drop(node);
}

#[test]
fn a_service_manager_is_told_when_it_is_ready() {
    let home = Home::new();
    let path = home.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("a socket");
    let path = path.to_string_lossy().into_owned();
    let limit = std::time::Duration::from_secs(60);
    socket.set_read_timeout(Some(limit)).expect("above zero");
    let node = home.serve_with(&[], &[("NOTIFY_SOCKET", &path)]);
    let mut text = [0; 64];
    let length = socket.recv(&mut text).expect("notified");
    assert_eq!(&text[..length], b"READY=1");
    assert_eq!(node.end(), Some(0));
    let length = socket.recv(&mut text).expect("notified");
    assert_eq!(&text[..length], b"STOPPING=1");
}

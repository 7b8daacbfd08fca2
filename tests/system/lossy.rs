//! Two network namespaces joined by a pair of virtual interfaces, with packets dropped between them:
//! real sockets, real loss. It needs the right to make namespaces, and `ip` and `nft`.

use std::process::{Command, Output};

use serde_json::Value;

use crate::process::{Home, short};

/// Two namespaces; they go when it is dropped.
struct Pair {
    names: [String; 2],
}

fn run(args: &[&str]) -> Result<Output, String> {
    let (program, rest) = args.split_first().expect("a program");
    let output = Command::new(program).args(rest).output();
    let output = output.map_err(|e| format!("{program}: {e}"))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!(
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

impl Pair {
    fn new(tag: &str) -> Result<Self, String> {
        let id = std::process::id();
        let pair = Self {
            names: [format!("dt{tag}a{id}"), format!("dt{tag}b{id}")],
        };
        let [a, b] = [&*pair.names[0], &*pair.names[1]];
        run(&["ip", "netns", "add", a])?;
        run(&["ip", "netns", "add", b])?;
        let (one, two) = (format!("v{tag}a{id}"), format!("v{tag}b{id}"));
        run(&[
            "ip", "link", "add", &one, "type", "veth", "peer", "name", &two,
        ])?;
        for (name, link, addr) in [(a, &one, "10.77.0.1/24"), (b, &two, "10.77.0.2/24")] {
            run(&["ip", "link", "set", link, "netns", name])?;
            let inside = |args: &[&str]| run(&[&["ip", "-n", name], args].concat());
            inside(&["addr", "add", addr, "dev", link])?;
            inside(&["link", "set", link, "up"])?;
            inside(&["link", "set", "lo", "up"])?;
        }
        // The rules need their table first; whether there is `nft` at all shows here.
        pair.lose(0)?;
        Ok(pair)
    }

    fn home(&self, which: usize) -> Home {
        Home::inside(&["ip", "netns", "exec", &self.names[which]])
    }

    /// From now on so many of a hundred packets are lost, each way.
    fn lose(&self, percent: u32) -> Result<(), String> {
        for name in &self.names {
            let nft = |rule: &str| run(&["ip", "netns", "exec", name, "nft", rule]);
            nft("add table ip loss")?;
            nft("flush table ip loss")?;
            nft("add chain ip loss in { type filter hook input priority 0; }")?;
            nft(&format!(
                "add rule ip loss in ip protocol udp numgen random mod 100 < {percent} drop"
            ))?;
        }
        Ok(())
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for name in &self.names {
            run(&["ip", "netns", "del", name]).ok();
        }
    }
}

fn goes_on_at(percent: u32) {
    let pair = match Pair::new(&percent.to_string()) {
        Ok(pair) => pair,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let (a, b) = (pair.home(0), pair.home(1));
    let node_a = a.serve(&["--listen", "0.0.0.0:9090"]);
    assert_eq!(node_a.ready()["addrs"][0], "10.77.0.1:9090");
    a.run(&["names", "share", "server", "members"]);
    let ticket = a.ticket(&[]);
    pair.lose(percent).expect("rules");
    // Join, and register there.
    let node_b = b.serve_with(
        &["--listen", "0.0.0.0:9091"],
        &[("DISTRO_TUI_TICKET", &ticket)],
    );
    let (key_a, key_b) = (node_a.key(), node_b.key());
    let watch = b.follow(&["--connect", short(&key_a), "names", "watch"]);
    let put = watch.until(|seen| seen["name"] == "server" && seen["owner"] == key_b.as_str());
    assert_eq!(put["uri"], "distro:server@10.77.0.2:9091");
    // Greet by way of both.
    let names: String = (0..300).map(|n| format!("n{n}\n")).collect();
    let output = b.run_with_input(&["--connect", short(&key_a), "greet", "--json"], &names);
    let text = String::from_utf8(output.stdout).expect("text");
    for (n, line) in text.lines().enumerate() {
        let answer: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(answer["greeting"], format!("Hi welcome n{n}"), "{answer}");
    }
    assert_eq!(text.lines().count(), 300);
    // Submit and wait: nothing is lost, and nothing is there twice.
    let lines: String = (0..2_000).map(|n| format!("{n} 1\n")).collect();
    let output = b.run_with_input(&["--connect", short(&key_a), "add", "--wait"], &lines);
    let sums: String = (0..2_000).map(|n| format!("{}\n", n + 1)).collect();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), sums);
    let stats = a.json(&["queue", "stats"]);
    assert_eq!(stats["submitted"], 2_000);
    // The watch has gone on all the time.
    a.run(&[
        "names",
        "register",
        "last",
        "distro:x@10.77.0.1:1",
        "--forever",
    ]);
    watch.until(|seen| seen["name"] == "last");
    // B's lease was kept.
    let listed = a.json(&["names", "lookup", "server"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
}

/// A node that comes back on another port is found on the local network, and its key is still asked for.
#[test]
fn a_node_that_has_moved_is_found_again() {
    let pair = match Pair::new("m") {
        Ok(pair) => pair,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let (a, b) = (pair.home(0), pair.home(1));
    let node_a = a.serve(&["--listen", "0.0.0.0:9090"]);
    let key = node_a.key();
    a.run(&["names", "share", "server", "members"]);
    b.run(&["join", &a.ticket(&[])]);
    assert_eq!(node_a.end(), Some(0));
    let node_a = a.serve(&["--listen", "0.0.0.0:9191", "--discover"]);
    assert_eq!(node_a.key(), key);
    let lost = b.output(&["--connect", short(&key), "names", "list"]);
    assert_eq!(lost.status.code(), Some(3), "{lost:?}");
    let found = ["--discover", "--connect", short(&key), "greet", "Ali"];
    assert_eq!(b.run(&found), "Hi welcome Ali\n");
    // From then on it is known where it is.
    assert_eq!(
        b.run(&["--connect", short(&key), "greet", "Ada"]),
        "Hi welcome Ada\n"
    );
    // A node that has joined it finds it in the same way, and registers again.
    assert_eq!(node_a.end(), Some(0));
    let node_a = a.serve(&["--listen", "0.0.0.0:9292", "--discover"]);
    let node_b = b.serve(&["--listen", "0.0.0.0:9093", "--discover"]);
    let key_b = node_b.key();
    let watch = a.follow(&["names", "watch"]);
    watch.until(|seen| seen["name"] == "server" && seen["owner"] == key_b.as_str());
    drop((node_a, node_b));
}

#[test]
fn with_five_of_a_hundred_packets_lost_everything_goes_on() {
    goes_on_at(5);
}

#[test]
fn with_twenty_of_a_hundred_packets_lost_everything_goes_on() {
    goes_on_at(20);
}

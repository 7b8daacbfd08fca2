//! More than one screen: on one node, on a remote node, and replaying a recording.

use std::{
    io::{BufRead, BufReader, Write},
    process::{ChildStdout, Stdio},
    sync::mpsc,
};

use rustix::process::Signal;

use super::{
    frames::{has_frames, has_text, rows_with},
    harness::{Start, Terminal, command, run},
    screen_state::TIMEOUT,
};

/// Reads lines on a thread, so that waiting for one can time out.
fn lines(from: ChildStdout) -> mpsc::Receiver<String> {
    let (lines, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn add(terminal: &mut Terminal, text: &str) {
    terminal.press("3");
    terminal.press("a");
    terminal.until("a prompt", |screen| has_frames(screen, &["Add"]));
    terminal.type_text(text);
    terminal.press("enter");
}

fn sees_sum(terminal: &Terminal, sum: &str) {
    terminal.until("a sum", |screen| {
        !rows_with(screen, "3 Tasks", &["succeeded", sum]).is_empty()
    });
}

fn on_data_of(of: &Terminal) -> Start {
    Start::new().env("XDG_DATA_HOME", &of.path("data").to_string_lossy())
}

#[test]
fn two_screens_on_one_node_show_the_same_and_the_second_leaves_it_alone() {
    let mut first = Start::new().up();
    let mut second = on_data_of(&first).up();
    second.sees(&["attached to"]);
    add(&mut second, "20 22");
    sees_sum(&second, "42");
    sees_sum(&first, "42");
    second.press("2");
    second.type_text("Ali");
    second.press("enter");
    second.sees(&["Hi welcome Ali"]);
    second.press("ctrl-c");
    assert_eq!(second.wait_exit(), 0);
    add(&mut first, "40 4");
    sees_sum(&first, "44");
}

#[test]
fn a_screen_on_a_node_elsewhere_does_everything_and_comes_back_when_the_node_does() {
    let mut home = Start::new().up();
    let ticket = run(&home, &["ticket"]);
    let mut away = Start::new().args(&["--connect", ticket.trim()]).up();
    away.sees(&["as member"]);
    add(&mut away, "20 22");
    sees_sum(&away, "42");
    sees_sum(&home, "42");
    away.press("4");
    away.press("+");
    away.sees(&["3 workers"]);
    // The node goes, and the screen says so, again and again.
    home.press("q");
    home.sees(&["Quit?", "1 member is connected"]);
    home.press("y");
    assert_eq!(home.wait_exit(), 0);
    away.until("that it is lost", |screen| {
        let contents = screen.contents();
        contents.contains("DISCONNECTED, RETRY IN") || contents.contains("RECONNECTING")
    });
    let back = on_data_of(&home).up();
    away.until("that it is back", |screen| {
        let contents = screen.contents();
        !contents.contains("DISCONNECTED") && !contents.contains("RECONNECTING")
    });
    add(&mut away, "50 5");
    sees_sum(&away, "55");
    sees_sum(&back, "55");
}

#[test]
fn a_screen_whose_node_has_ended_says_since_when_and_starts_one_with_a_key() {
    let mut first = Start::new().up();
    let mut second = on_data_of(&first).up();
    second.sees(&["attached to"]);
    add(&mut first, "1 2 60");
    second.sees(&["1 running", "1 of 2 busy"]);
    first.signal(Signal::TERM);
    assert_eq!(first.wait_exit(), 143);
    second.sees(&["NODE ENDED, N STARTS ONE", "as of"]);
    second.press("N");
    // It is the node of this process now, and the task that was running runs again.
    second.sees(&["key ", "live", "1 running"]);
    second.misses("as of");
    second.misses("attached to");
    add(&mut second, "20 22");
    sees_sum(&second, "42");
    second.press("ctrl-c");
    second.sees(&["Quit?", "1 task is running"]);
    second.press("y");
    assert_eq!(second.wait_exit(), 0);
}

#[test]
fn a_read_only_screen_says_why_it_changes_nothing() {
    let home = Start::new().up();
    let ticket = run(&home, &["ticket", "--role", "read"]);
    let mut reader = Start::new().args(&["--connect", ticket.trim()]).up();
    reader.sees(&["READ-ONLY", "as read"]);
    reader.press("3");
    reader.press("a");
    reader.sees(&["this requires the role member"]);
    // Not by the palette either; greeting is allowed.
    reader.press(":");
    reader.type_text("workers scale 9");
    reader.press("enter");
    reader.sees(&["this requires the role member"]);
    reader.press("2");
    reader.type_text("Ali");
    reader.press("enter");
    reader.sees(&["Hi welcome Ali"]);

    let mut own = Start::new().args(&["--read-only"]).up();
    own.sees(&["READ-ONLY"]);
    own.press("3");
    own.press("b");
    own.sees(&["without --read-only"]);
    changes_nothing(&mut own);
}

#[test]
fn the_node_refuses_a_read_only_screen_whatever_the_role_of_its_key() {
    let home = Start::new().up();
    let mut attached = on_data_of(&home).args(&["--read-only"]).up();
    attached.sees(&["attached to", "READ-ONLY"]);
    changes_nothing(&mut attached);
    let ticket = run(&home, &["ticket", "--role", "admin"]);
    let away = &["--read-only", "--connect", ticket.trim()];
    let mut away = Start::new().args(away).up();
    away.sees(&["as read", "READ-ONLY"]);
    changes_nothing(&mut away);
    home.look(|screen| assert!(!screen.contents().contains("PAUSED")));
}

/// A call by its name changes nothing either, and one that only reads is allowed.
fn changes_nothing(terminal: &mut Terminal) {
    for command in ["call broker pause", "call broker resume"] {
        terminal.press(":");
        terminal.type_text(command);
        terminal.press("enter");
        terminal.until("the refusal", |screen| {
            has_text(screen, "Call broker", "this requires the role member")
        });
        terminal.press("esc");
        terminal.until("no prompt", |screen| !has_frames(screen, &["Call broker"]));
    }
    terminal.press(":");
    terminal.type_text("call naming count");
    terminal.press("enter");
    terminal.until("the result", |screen| {
        has_frames(screen, &["naming.count()"])
    });
    terminal.press("esc");
    terminal.until("no result", |screen| {
        !has_frames(screen, &["naming.count()"])
    });
    terminal.look(|screen| assert!(!screen.contents().contains("PAUSED")));
}

#[test]
fn a_ticket_is_created_and_used_on_the_screen() {
    let mut home = Start::new().size((200, 50)).up();
    let mut other = Start::new().up();
    home.press(":");
    home.type_text("ticket");
    home.press("enter");
    // It is valid until tickets are invalidated.
    let ticket = run(&home, &["ticket"]);
    home.sees(&["Ticket:", ticket.get(..60).expect("it is long")]);
    home.press("esc");
    // Wrong first: the prompt says what is wrong and keeps the text.
    other.press(":");
    other.type_text("join");
    other.press("enter");
    other.until("a prompt", |screen| has_frames(screen, &["Join"]));
    other.type_text("nonsense");
    other.press("enter");
    other.sees(&["> nonsense", "this is not a ticket"]);
    other.press("ctrl-u");
    other.paste(ticket.trim());
    other.press("enter");
    other.sees(&["joined"]);
    // The other's greeter is registered here under a name of its own, and its key is among the members.
    let greeters = |screen: &_| {
        let live = rows_with(screen, "1 Names", &["live"]);
        let greeter = |row: &&String| row.contains("server ") || row.contains("server.");
        live.iter().filter(greeter).count()
    };
    home.until("two greeters", |screen| greeters(screen) == 2);
    home.press("n");
    home.until("members", |screen| {
        !rows_with(screen, "Members", &["member"]).is_empty()
    });
    // Removed, it is gone at once.
    home.press("D");
    home.sees(&["Confirm", "Revoke"]);
    home.press("y");
    home.until("one greeter", |screen| greeters(screen) == 1);
    // A ticket grants access: it is shown on the screen and written nowhere.
    for mut terminal in [home, other] {
        terminal.press("ctrl-c");
        assert_eq!(terminal.wait_exit(), 0);
        let log = std::fs::read_to_string(terminal.path("state/distro-tui/distro-tui.log"));
        assert!(!log.expect("a log").contains("distro1"));
    }
}

#[test]
fn what_was_recorded_is_shown_again() {
    let mut live = Start::new().args(&["record", "session.rec"]).up();
    let recording = live.path("session.rec");
    live.press("2");
    live.type_text("Ali");
    live.press("enter");
    live.sees(&["Hi welcome Ali"]);
    live.press("esc");
    live.misses("enter greet");
    add(&mut live, "20 22");
    sees_sum(&live, "42");
    live.press("q");
    assert_eq!(live.wait_exit(), 0);

    let path = recording.to_string_lossy().into_owned();
    let mut again = Start::new().args(&["replay", &path, "--paused"]).go();
    again.sees(&["REPLAY 0:00", "PAUSED"]);
    again.press("G");
    again.sees(&["END", "Hi welcome Ali"]);
    sees_sum(&again, "42");
    // Back to the start, and step by step.
    again.press("g");
    again.misses("Hi welcome Ali");
    again.press(".");
    again.sees(&["PAUSED"]);
    again.press("+");
    again.press(" ");
    again.sees(&["END"]);
    sees_sum(&again, "42");
    again.press("q");
    assert_eq!(again.wait_exit(), 0);
    again.is_restored();

    // A recording is not written over, and what is none is not shown.
    let mut second = Start::new().args(&["record", &path]).go();
    assert_eq!(second.wait_exit(), 1);
    second.sees(&["already exists"]);
    let mut none = Start::new()
        .args(&[
            "replay",
            &live
                .path("state/distro-tui/distro-tui.log")
                .to_string_lossy(),
        ])
        .go();
    assert_eq!(none.wait_exit(), 1);
    none.sees(&["not a distro-tui recording"]);
}

#[test]
fn without_a_terminal_the_screen_is_lines() {
    let home = Start::new().up();
    let mut child = command(&home, &["--plain"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    let lines = lines(child.stdout.take().expect("piped"));
    let mut said = String::new();
    let mut until = |words: &[&str]| {
        while !words.iter().all(|word| said.contains(word)) {
            let line = lines.recv_timeout(TIMEOUT);
            let line = line.unwrap_or_else(|_| panic!("never said: {words:?}: {said}"));
            said.push_str(&line);
            said.push('\n');
        }
    };
    until(&["distro-tui: node", "as admin", "naming server lists"]);
    let commands = "greet Ali\nadd 20 22\nnames\nmembers\nnonsense\nmethods server\n";
    stdin.write_all(commands.as_bytes()).expect("read");
    until(&[
        "Hi welcome Ali",
        "welcomeMessage(name: str) -> str",
        "#1 succeeded",
        "no such command: `nonsense`",
        "0 members, 0 upstreams",
    ]);
    stdin.write_all(b"quit\n").expect("read");
    assert!(child.wait().expect("it ends").success());
    assert!(!said.contains('\u{1b}'), "lines are lines");
    // The node goes on, and a plain screen with its own node ends as a service does.
    assert!(home.is_running());
    let mut own = Start::new().args(&["--plain"]).go();
    own.sees(&["distro-tui: node", "naming server lists"]);
    own.signal(Signal::TERM);
    assert_eq!(own.wait_exit(), 143);
}

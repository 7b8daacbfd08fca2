//! Errors at the start are reported in the terminal, which is left as it is.

use std::{fs, net::UdpSocket, os::unix::fs::PermissionsExt};

use vt100::{Color, Screen};

use super::harness::{Start, Terminal};

/// It does not start, for a reason that has all of these words.
fn refused(terminal: &mut Terminal, code: u32, reason: &[&str]) {
    assert_eq!(terminal.wait_exit(), code);
    terminal.is_restored();
    terminal.sees(reason);
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let start = Start::new();
    let folder = start.home().join("data/distro-tui");
    fs::create_dir_all(&folder).expect("a folder");
    let key = folder.join("identity.pem");
    fs::write(&key, "a key").expect("a file");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("a mode");
    let run = format!("chmod 600 {}", key.display());
    let mut terminal = start.go();
    refused(&mut terminal, 1, &["distro-tui: ", "(mode 0644)", &run]);
    assert_eq!(fs::read_to_string(key).expect("still there"), "a key");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let mut terminal = Start::new().args(&["--listen", &address]).go();
    refused(
        &mut terminal,
        1,
        &[&format!("cannot listen on {address}: "), "in use"],
    );
}

#[test]
fn a_log_that_cannot_be_written_is_named_with_a_way_out() {
    let start = Start::new();
    fs::write(
        start.home().join("state"),
        "a file where a folder should be",
    )
    .expect("a file");
    let mut terminal = start.go();
    refused(
        &mut terminal,
        1,
        &[
            "cannot write the log",
            "state/distro-tui/distro-tui.log",
            "--log-file",
        ],
    );
}

#[test]
fn without_colours_nothing_is_coloured() {
    let terminal = Start::new().env("NO_COLOR", "1").up();
    let coloured = terminal.look(|screen| {
        let cells = (0..36).flat_map(|y| (0..120).map(move |x| (y, x)));
        let plain = |(y, x): &(u16, u16)| {
            screen.cell(*y, *x).is_some_and(|cell| {
                cell.fgcolor() == Color::Default && cell.bgcolor() == Color::Default
            })
        };
        cells.filter(|at| !plain(at)).count()
    });
    assert_eq!(coloured, 0);
}

#[test]
fn without_a_unicode_locale_everything_is_ascii() {
    let mut terminal = Start::new().env("LANG", "C").go();
    terminal.sees(&["+- 1 Names -", "naming", "server", "no tasks yet"]);
    terminal.press("2");
    terminal.sees(&["enter greet"]);
    terminal.type_text("Ali");
    terminal.press("enter");
    terminal.sees(&["Hi welcome Ali", "p50"]);
    terminal.press("esc");
    terminal.misses("enter greet");
    terminal.press("3");
    terminal.press("b");
    terminal.sees(&["running", "succeeded", "busy"]);
    let shown = terminal.look(Screen::contents);
    assert!(shown.is_ascii(), "{shown}");
}

#[test]
fn settings_of_the_file_are_taken() {
    let start = Start::new();
    let folder = start.home().join("config/distro-tui");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(
        folder.join("config.toml"),
        "symbols = \"ascii\"\n[keys]\nhelp = \"h\"\n",
    )
    .expect("a file");
    let mut terminal = start.up();
    terminal.sees(&["+- 1 Names -", "h help"]);
    terminal.press("h");
    terminal.sees(&["Names (here)"]);
}

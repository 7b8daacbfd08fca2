//! What the program does while nothing happens, by the kernel's own counters: context switches of each
//! of its threads, and bytes written to the terminal, over twenty seconds.
//!
//! The network's thread renews the greeter's lease every five seconds; every other thread sleeps.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const WATCHED: Duration = Duration::from_secs(20);

fn main() {
    let home = std::env::temp_dir().join(format!("distro-tui-idle-{}", std::process::id()));
    let size = PtySize {
        rows: 50,
        cols: 200,
        ..PtySize::default()
    };
    let pty = native_pty_system().openpty(size).expect("a terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_distro-tui"));
    command.env("TERM", "xterm-256color");
    for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
        command.env(name, &home);
    }
    let mut program = pty.slave.spawn_command(command).expect("it starts");
    drop(pty.slave);
    let written = Arc::new(AtomicU64::new(0));
    let mut terminal = pty.master.try_clone_reader().expect("a reader");
    std::thread::spawn({
        let written = Arc::clone(&written);
        move || {
            let mut buffer = [0; 8192];
            while let Ok(n @ 1..) = terminal.read(&mut buffer) {
                written.fetch_add(n as u64, Ordering::Relaxed);
            }
        }
    });

    // Settled: names are listed and the greeter is registered.
    sleep(Duration::from_secs(3));
    let id = program.process_id().expect("it runs");
    let (switches, bytes) = (switches(id), written.load(Ordering::Relaxed));
    sleep(WATCHED);
    let after = self::switches(id);
    let bytes = written.load(Ordering::Relaxed) - bytes;

    println!("| idle, {} s | wake-ups |\n|---|--:|", WATCHED.as_secs());
    for (thread, count) in after {
        let before = switches.get(&thread).copied().unwrap_or_default();
        println!("| thread `{thread}` | {} |", count - before);
    }
    println!("| bytes written to the terminal | {bytes} |");
    program.kill().expect("it ends");
    program.wait().expect("it has ended");
    fs::remove_dir_all(home).ok();
}

/// Context switches of each thread so far, by its name; threads of one name are added up.
fn switches(id: u32) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{id}/task")).expect("it runs") {
        let status = task.expect("a thread").path().join("status");
        let status = fs::read_to_string(status).expect("readable");
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_whitespace().nth(1))
                .unwrap_or_default()
                .to_owned()
        };
        let count = |name: &str| field(name).parse::<u64>().unwrap_or_default();
        let switches = count("voluntary_ctxt_switches:") + count("nonvoluntary_ctxt_switches:");
        *all.entry(field("Name:")).or_default() += switches;
    }
    all
}

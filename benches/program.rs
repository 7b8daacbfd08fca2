//! The program in a terminal, as a person has it: how soon the first frame is there, how soon a key is
//! answered while a thousand things happen a second, and how much memory a screen takes.
//!
//! ```text
//! cargo bench --bench program
//! ```

#[path = "support/memory.rs"]
mod memory;

use std::{
    io::{Read, Write},
    num::NonZeroU16,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const PROGRAM: &str = env!("CARGO_BIN_EXE_distro-tui");
const ROWS: NonZeroU16 = NonZeroU16::new(50).expect("above zero");
const COLUMNS: NonZeroU16 = NonZeroU16::new(200).expect("above zero");
const STARTS: usize = 15;
const KEYS: usize = 400;
/// Each addition is three events: queued, started, ended.
const ADDITIONS_A_SECOND: u64 = 350;
const TIMEOUT: Duration = Duration::from_secs(20);

fn main() {
    // `cargo test --all-targets` only wants to know that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("nothing measured; use cargo bench");
    }
    println!("| the program in a terminal of 200×50 | |\n|---|--:|");
    first_frame();
    keys();
}

/// The program in a terminal.
struct Screen {
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    _master: Box<dyn MasterPty + Send>,
}

impl Screen {
    fn start(home: &Path) -> Self {
        let size = PtySize {
            rows: ROWS.get(),
            cols: COLUMNS.get(),
            ..PtySize::default()
        };
        let pty = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(PROGRAM);
        command.env("TERM", "xterm-256color");
        command.args(["--data-dir", home.to_str().expect("text"), "--workers", "2"]);
        let mut reader = pty.master.try_clone_reader().expect("a reader");
        let keyboard = pty.master.take_writer().expect("a writer");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        let child = pty.slave.spawn_command(command).expect("it starts");
        Self {
            child,
            keyboard,
            output,
            parser: vt100::Parser::new(ROWS, COLUMNS, 0),
            _master: pty.master,
        }
    }

    /// Waits until this is on the screen.
    fn until(&mut self, text: &str) {
        while !self.parser.screen().contents().contains(text) {
            let bytes = self.output.recv_timeout(TIMEOUT);
            self.parser.process(&bytes.expect("it goes on"));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("it reads");
    }

    /// Resident memory in MiB.
    fn memory(&self) -> u64 {
        let id = self.child.process_id().expect("it runs");
        memory::resident(id) >> 20
    }

    fn end(mut self) {
        self.press("q");
        self.child.wait().expect("it ends");
    }
}

fn middle_and(percent: usize, took: &mut [Duration]) -> (f64, f64) {
    took.sort_unstable();
    let at = |n: usize| took[n.min(took.len() - 1)].as_secs_f64() * 1e3;
    (at(took.len() / 2), at(took.len() * percent / 100))
}

fn first_frame() {
    let home = tempfile::tempdir().expect("a folder");
    let (mut frames, mut names) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let since = Instant::now();
        let mut screen = Screen::start(home.path());
        screen.until("1 Names");
        frames.push(since.elapsed());
        screen.until("● live");
        names.push(since.elapsed());
        screen.end();
    }
    let (median, worst) = middle_and(100, &mut frames);
    println!(
        "| from the command to the first frame, median and worst of {STARTS} | {median:.1} and {worst:.1} ms |"
    );
    let (median, worst) = middle_and(100, &mut names);
    println!("| until the names are there | {median:.1} and {worst:.1} ms |");
}

fn keys() {
    let home = tempfile::tempdir().expect("a folder");
    let mut screen = Screen::start(home.path());
    screen.until("● live");
    let (quiet, _) = typed(&mut screen);
    println!("| a key to its paint, quiet, median and 95 % | {quiet} |");
    let over = Arc::new(AtomicBool::new(false));
    let adding = std::thread::spawn({
        let (home, over) = (home.path().to_owned(), Arc::clone(&over));
        move || add(&home, &over)
    });
    screen.until("succeeded");
    let (busy, took) = typed(&mut screen);
    over.store(true, Ordering::Relaxed);
    let added = adding.join().expect("no panic");
    println!(
        "| the same among {:.0} events a second | {busy} |",
        added * 3.0
    );
    let beside = {
        let mut beside = Screen::start(home.path());
        beside.until("succeeded");
        let memory = beside.memory();
        beside.end();
        memory
    };
    println!("| memory of a screen that is attached to a node | {beside} MiB |");
    println!(
        "| memory of a node with its screen, after {:.0} tasks | {} MiB |",
        added * took.as_secs_f64(),
        screen.memory()
    );
    screen.end();
}

/// Letters typed into the greeter's line, each until it is seen.
fn typed(screen: &mut Screen) -> (String, Duration) {
    let began = Instant::now();
    let mut took = Vec::new();
    screen.press("2");
    for n in 0..KEYS {
        let letter = char::from(b'a' + u8::try_from(n % 24).expect("small"));
        let text = format!("zq{letter}");
        if n > 0 {
            screen.press("\u{15}");
        }
        screen.press("zq");
        screen.until("zq");
        // As far apart as a fast typist's, and at any time between two frames.
        std::thread::sleep(Duration::from_millis(20 + n as u64 * 7 % 23));
        let since = Instant::now();
        screen.press(&letter.to_string());
        screen.until(&text);
        took.push(since.elapsed());
    }
    screen.press("\u{15}\u{1b}");
    let (median, most) = middle_and(95, &mut took);
    (format!("{median:.1} and {most:.1} ms"), began.elapsed())
}

/// Adds evenly until it is over; answers how many a second there were.
fn add(home: &Path, over: &AtomicBool) -> f64 {
    let mut command = Command::new(PROGRAM)
        .args(["add", "--data-dir"])
        .arg(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut input = command.stdin.take().expect("piped");
    let (since, mut count) = (Instant::now(), 0);
    while !over.load(Ordering::Relaxed) {
        let due = since.elapsed().as_millis() as u64 * ADDITIONS_A_SECOND / 1_000;
        for n in count..due {
            writeln!(input, "{n} 1").expect("it reads");
        }
        count = due.max(count);
        std::thread::sleep(Duration::from_millis(3));
    }
    let rate = count as f64 / since.elapsed().as_secs_f64();
    drop(input);
    command.wait().expect("it ends");
    rate
}

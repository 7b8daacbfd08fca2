//! The program in other processes: nodes, and commands against them.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The longest wait: a test that would hang fails instead.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The wait for a first line before another event is caused.
const RETRY: Duration = Duration::from_millis(50);

/// A home for a node and the commands on its data folder.
pub(crate) struct Home {
    folder: TempDir,
    /// A prefix of every command, for example to enter a network namespace.
    into: Vec<String>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            into: Vec::new(),
        }
    }

    /// A home whose commands all have the prefix `into`.
    pub(crate) fn inside(into: &[&str]) -> Self {
        Self {
            into: into.iter().map(ToString::to_string).collect(),
            ..Self::new()
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A command with this home and no settings from outside.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_distro-tui");
        let mut command = match self.into.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.env_clear().args(args).stdin(Stdio::null());
        for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "HOME"] {
            command.env(name, self.path());
        }
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("DISTRO_TUI_WORKERS", "2");
        command
    }

    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("it runs")
    }

    /// Returns the output of a command that succeeds.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// The same as JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let text = self.run(&[args, &["--json"]].concat());
        serde_json::from_str(&text).expect("JSON")
    }

    /// Returns the output of a command with these lines on standard input.
    pub(crate) fn run_with_input(&self, args: &[&str], input: &str) -> Output {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut stdin = child.stdin.take().expect("piped");
        let input = input.to_owned();
        let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().expect("it ends");
        // A command that ends early does not read everything.
        writing.join().expect("no panic").ok();
        output
    }

    pub(crate) fn ticket(&self, args: &[&str]) -> String {
        self.run(&[&["ticket"], args].concat()).trim().to_owned()
    }

    pub(crate) fn serve(&self, args: &[&str]) -> Node {
        self.serve_with(args, &[])
    }

    /// A node, once it can be used.
    pub(crate) fn serve_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Node {
        let mut command = self.command(&[&["serve", "--json"], args].concat());
        let mut child = command
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let lines = LineReader::new(child.stdout.take().expect("piped"));
        let mut node = Node {
            child,
            lines,
            ready: Value::Null,
        };
        node.ready = node.lines.next();
        assert_eq!(node.ready["ready"], true, "{}", node.ready);
        node
    }

    /// A command that goes on and prints a JSON document a line.
    pub(crate) fn follow(&self, args: &[&str]) -> Follower {
        let mut child = self
            .command(&[args, &["--json"]].concat())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = LineReader::new(child.stdout.take().expect("piped"));
        Follower { child, lines }
    }

    /// Follows the events of tasks from now on: causes events until the first one arrives.
    pub(crate) fn follow_tasks(&self) -> Follower {
        let tasks = self.follow(&["tasks", "watch"]);
        let since = Instant::now();
        loop {
            self.run(&["queue", "pause", "nobody's"]);
            self.run(&["queue", "resume", "nobody's"]);
            if tasks.lines.0.recv_timeout(RETRY).is_ok() {
                return tasks;
            }
            assert!(since.elapsed() < TIMEOUT, "no event arrives");
        }
    }

    /// A command that answers line by line.
    pub(crate) fn converse(&self, args: &[&str]) -> Conversation {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        Conversation {
            stdin: child.stdin.take().expect("piped"),
            lines: LineReader::new(child.stdout.take().expect("piped")),
            child,
        }
    }
}

/// LineReader of a process, read on a thread so that waiting for one can time out.
struct LineReader(mpsc::Receiver<String>);

impl LineReader {
    fn new(from: ChildStdout) -> Self {
        let (lines, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        Self(receiver)
    }

    fn text(&self) -> String {
        self.0.recv_timeout(TIMEOUT).expect("a line in time")
    }

    fn next(&self) -> Value {
        serde_json::from_str(&self.text()).expect("JSON")
    }
}

/// A running node. It is killed when it is dropped.
pub(crate) struct Node {
    child: Child,
    lines: LineReader,
    ready: Value,
}

impl Node {
    pub(crate) fn key(&self) -> String {
        self.ready["key"].as_str().expect("a key").to_owned()
    }

    pub(crate) fn addr(&self) -> String {
        self.ready["addr"].as_str().expect("an address").to_owned()
    }

    pub(crate) fn ready(&self) -> &Value {
        &self.ready
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process");
        let pid = Pid::from_raw(pid).expect("a process");
        kill_process(pid, signal).expect("it runs");
    }

    /// Ends it at once.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Terminates it; returns its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A stopped process reacts to no other signal.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A command that goes on.
pub(crate) struct Follower {
    child: Child,
    lines: LineReader,
}

impl Follower {
    /// Waits for a line of which this is true.
    pub(crate) fn until(&self, mut fits: impl FnMut(&Value) -> bool) -> Value {
        let since = Instant::now();
        loop {
            assert!(
                since.elapsed() < TIMEOUT,
                "other lines came, and not this one"
            );
            let line = self.lines.next();
            if fits(&line) {
                return line;
            }
        }
    }
}

impl Follower {
    /// Its exit code, once it has ended.
    pub(crate) fn ended(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }

    /// As ctrl-c does.
    pub(crate) fn interrupt(&self) {
        let pid = i32::try_from(self.child.id()).expect("a process");
        let pid = Pid::from_raw(pid).expect("a process");
        kill_process(pid, Signal::INT).expect("it runs");
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A command that answers a line with a line.
pub(crate) struct Conversation {
    child: Child,
    stdin: ChildStdin,
    lines: LineReader,
}

impl Conversation {
    /// Writes a line, leaves standard input open, and returns the line printed for it.
    pub(crate) fn request(&mut self, line: &str) -> String {
        writeln!(self.stdin, "{line}").expect("it reads");
        self.lines.text()
    }

    /// Closes standard input; returns the exit code.
    pub(crate) fn end(self) -> Option<i32> {
        let Self {
            mut child, stdin, ..
        } = self;
        drop(stdin);
        child.wait().expect("it ends").code()
    }
}

/// The beginning of a key, which is what a person types.
pub(crate) fn short(key: &str) -> &str {
    key.get(..10).expect("keys are long")
}

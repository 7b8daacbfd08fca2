//! A node and the `add` command, as a shell uses them.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use crate::{
    node::{Node, PROGRAM},
    support::Sample,
};

const LINES: usize = 100_000;

/// A node, and the `add` command as a shell uses it.
pub(crate) struct Shell {
    /// It ends before its folder goes.
    _node: Node,
    home: tempfile::TempDir,
    lines: String,
}

impl Shell {
    pub(crate) fn start() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        Self {
            _node: Node::start(home.path(), "127.0.0.1:0"),
            home,
            lines: (0..LINES).map(|n| format!("{n} 7\n")).collect(),
        }
    }

    pub(crate) fn round(&self) -> Sample {
        Sample::of(|| {
            let mut command = Command::new(PROGRAM)
                .args(["add", "--wait", "--data-dir"])
                .arg(self.home.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("it starts");
            let mut input = command.stdin.take().expect("piped");
            let lines = self.lines.clone();
            let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()));
            let out = command.stdout.take().expect("piped");
            let sums = BufReader::new(out).lines().map_while(Result::ok);
            let right = sums
                .enumerate()
                .filter(|(n, sum)| *sum == (n + 7).to_string())
                .count();
            writing.join().expect("no panic").expect("read");
            assert!(command.wait().expect("it ends").success());
            assert_eq!(right, LINES, "every sum, in order");
            LINES as u64
        })
    }
}

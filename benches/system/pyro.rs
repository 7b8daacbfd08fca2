//! Pyro5, in processes of its own.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use crate::support::Sample;

const PYRO_CALLS: usize = 2_000;

/// Pyro5 in two processes of its own.
pub(crate) struct Pyro {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Pyro {
    pub(crate) fn start() -> Option<Self> {
        let python = python()?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/greetings.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        Some(Self {
            input: child.stdin.take()?,
            output: BufReader::new(child.stdout.take()?),
            child,
        })
    }

    pub(crate) fn round(&mut self) -> Sample {
        writeln!(self.input, "{PYRO_CALLS}").expect("it listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it answers");
        let seconds: f64 = line.trim().parse().expect("seconds");
        Sample {
            count: PYRO_CALLS as u64,
            elapsed: Duration::from_secs_f64(seconds),
            cpu: Duration::ZERO,
        }
    }
}

impl Drop for Pyro {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A Python that has Pyro5, in an environment in the build folder.
fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pyro5");
    let python = folder.join("bin/python");
    let has = |python: &Path| {
        let asked = Command::new(python)
            .args(["-c", "import Pyro5.api"])
            .output();
        asked.is_ok_and(|output| output.status.success())
    };
    if has(&python) {
        return Some(python);
    }
    let made = Command::new("python3")
        .args(["-m", "venv"])
        .arg(&folder)
        .output();
    made.ok().filter(|output| output.status.success())?;
    let install = ["-m", "pip", "install", "--quiet", "Pyro5==5.17"];
    Command::new(&python).args(install).output().ok()?;
    has(&python).then_some(python)
}

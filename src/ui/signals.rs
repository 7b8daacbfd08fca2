//! Signals that end, suspend and resume the program.

use std::io::{self, IsTerminal};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{Signal as Number, kill_current_process_group},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

/// The number of SIGHUP.
pub(super) const HANGUP: i32 = Number::HUP.as_raw();

/// A request by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OsSignal {
    /// Shut down; the number decides the exit code.
    End(i32),
    /// Suspend, with the terminal restored.
    Stop,
    /// Resume after a stop.
    Continue,
}

/// The signals that the program handles.
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    stop: tokio::signal::unix::Signal,
    resume: tokio::signal::unix::Signal,
    /// Completes when the terminal hangs up; `None` without a terminal.
    terminal_hangup: Option<oneshot::Receiver<()>>,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        let raw = |number: Number| signal(SignalKind::from_raw(number.as_raw()));
        Ok(Self {
            terminate: raw(Number::TERM)?,
            interrupt: raw(Number::INT)?,
            hangup: raw(Number::HUP)?,
            stop: raw(Number::TSTP)?,
            resume: raw(Number::CONT)?,
            terminal_hangup: match io::stdin().is_terminal() {
                true => Some(watch_terminal()?),
                false => None,
            },
        })
    }

    pub(super) async fn next(&mut self) -> OsSignal {
        tokio::select! {
            _ = self.terminate.recv() => OsSignal::End(Number::TERM.as_raw()),
            _ = self.interrupt.recv() => OsSignal::End(Number::INT.as_raw()),
            _ = self.hangup.recv() => OsSignal::End(HANGUP),
            _ = self.stop.recv() => OsSignal::Stop,
            _ = self.resume.recv() => OsSignal::Continue,
            () = hung_up(&mut self.terminal_hangup) => OsSignal::End(HANGUP),
        }
    }
}

/// Completes once, when the terminal has hung up.
async fn hung_up(hangup: &mut Option<oneshot::Receiver<()>>) {
    match hangup {
        Some(receiver) => {
            receiver.await.ok();
            *hangup = None;
        }
        None => std::future::pending().await,
    }
}

/// Waits for the hang-up of the terminal on a sleeping thread. A process that is not a session leader gets
/// no signal for it, and the event stream would spin on end of file.
fn watch_terminal() -> io::Result<oneshot::Receiver<()>> {
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new()
        .name("hang-up".into())
        .spawn(move || {
            let terminal = io::stdin();
            // Hang-ups and errors are reported without a flag.
            let mut fds = [PollFd::new(&terminal, PollFlags::empty())];
            while poll(&mut fds, None) == Err(Errno::INTR) {}
            sender.send(()).ok();
        })?;
    Ok(receiver)
}

/// Suspends the whole process group, as ctrl-z in the terminal would: the shell watches the group that it
/// started, and `cargo run` may be in it. Returns when the group is resumed.
pub(super) fn suspend_process_group() {
    if let Err(error) = kill_current_process_group(Number::STOP) {
        tracing::warn!(%error, "cannot suspend");
    }
}

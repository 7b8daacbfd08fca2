//! Signals: those that end the program in order, and those that stop it and let it go on.

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

pub(super) const HANGUP: i32 = Number::HUP.as_raw();

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// End in order; the number is for the exit code.
    End(i32),
    /// Stop, with the terminal given back.
    Stop,
    /// Go on after a stop.
    Continue,
}

/// The signals that are listened to.
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    stop: tokio::signal::unix::Signal,
    go_on: tokio::signal::unix::Signal,
    /// Nothing when there is no terminal that could hang up.
    line: Option<oneshot::Receiver<()>>,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        let raw = |number: Number| signal(SignalKind::from_raw(number.as_raw()));
        Ok(Self {
            terminate: raw(Number::TERM)?,
            interrupt: raw(Number::INT)?,
            hangup: raw(Number::HUP)?,
            stop: raw(Number::TSTP)?,
            go_on: raw(Number::CONT)?,
            line: match io::stdin().is_terminal() {
                true => Some(watch_line()?),
                false => None,
            },
        })
    }

    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::End(Number::TERM.as_raw()),
            _ = self.interrupt.recv() => Signal::End(Number::INT.as_raw()),
            _ = self.hangup.recv() => Signal::End(HANGUP),
            _ = self.stop.recv() => Signal::Stop,
            _ = self.go_on.recv() => Signal::Continue,
            () = hung_up(&mut self.line) => Signal::End(HANGUP),
        }
    }
}

/// Completes once, when the terminal has hung up.
async fn hung_up(line: &mut Option<oneshot::Receiver<()>>) {
    match line {
        Some(told) => {
            told.await.ok();
            *line = None;
        }
        None => std::future::pending().await,
    }
}

/// Waits for the hang-up of the terminal on a thread, which sleeps until then. A process that leads no
/// session gets no signal of it, and the event stream would go on reading nothing at full speed.
fn watch_line() -> io::Result<oneshot::Receiver<()>> {
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new()
        .name("hang-up".into())
        .spawn(move || {
            let terminal = io::stdin();
            // Hang-ups and errors need not be asked for.
            let mut asked = [PollFd::new(&terminal, PollFlags::empty())];
            while poll(&mut asked, None) == Err(Errno::INTR) {}
            tell.send(()).ok();
        })?;
    Ok(told)
}

/// Stops the whole process group, as the terminal's own ctrl-z would: a shell looks at the group it
/// started, and `cargo run` may be in it. Returns when somebody lets it go on.
pub(super) fn stop_ourselves() {
    if let Err(error) = kill_current_process_group(Number::STOP) {
        tracing::warn!(%error, "cannot stop");
    }
}

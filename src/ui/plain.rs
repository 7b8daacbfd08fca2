//! The plain interface: events are printed as lines, and commands are read from standard input. For
//! screen readers, logs and pipes.

use std::{
    io::{self, BufRead, Write},
    sync::Arc,
};

mod describe;

use tokio::sync::mpsc;

use super::{
    ExitReason, ScreenOutcome,
    effect::{Effect, Msg},
    model::{Header, Model},
    pane::Pane,
    runner::{MAX_RESULTS, Runner},
    signals::{OsSignal, Signals},
    update::{self, update},
    verbs::{TABLE, quit::GRACE},
};
use crate::{node::Session, queue::clock::Clock, text::sanitize};

/// The maximum number of queued and of pending commands; the reader waits beyond it.
const MAX_COMMANDS: usize = 64;

struct PlainUi {
    model: Model,
    clock: Clock,
    runner: Runner,
    /// Performs the effects of typed commands, to tell their responses from others.
    command_runner: Runner,
    /// Effects of typed commands without a response so far.
    pending: usize,
    out: io::Stdout,
    /// The number of log lines printed so far.
    printed: u64,
    /// The number of toasts printed so far.
    toasts: u64,
    /// A command has been read.
    typed: bool,
    input: InputGate,
    /// The loop ends when all typed commands have their responses.
    quitting: bool,
    ending: bool,
    exit_reason: ExitReason,
}

/// The state of command input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InputGate {
    /// Waits for the first data, so that commands do not run on an empty model.
    Waiting,
    Open,
    /// The input has ended.
    Closed,
}

/// Runs the plain interface until it ends.
pub(super) async fn run(mut model: Model, session: Arc<Session>) -> io::Result<ScreenOutcome> {
    let node = session.handle();
    model.header = Header {
        read_only: model.header.read_only,
        ..Header::from_handle(&node)
    };
    let mut signals = Signals::listen()?;
    let (outbox, mut results) = mpsc::channel(MAX_RESULTS);
    let (command_outbox, mut command_results) = mpsc::channel(MAX_RESULTS);
    let mut names = node.watch_names();
    let broker = node.broker().subscribe();
    let mut commands = read_commands();
    let mut ui = PlainUi {
        model,
        clock: Clock::start(),
        runner: Runner::new(Arc::clone(&node), outbox, None),
        command_runner: Runner::new(Arc::clone(&node), command_outbox, None),
        pending: 0,
        out: io::stdout(),
        printed: 0,
        toasts: 0,
        typed: false,
        input: InputGate::Waiting,
        quitting: false,
        ending: false,
        exit_reason: ExitReason::Quit,
    };
    ui.print_greeting()?;
    ui.start()?;
    let mut names_received = false;
    while !ui.ending && (!ui.quitting || ui.pending > 0) {
        let deadline = ui.model.deadline().map(|at| ui.clock.instant(at));
        let timer = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            signal = signals.next() => match signal {
                OsSignal::End(number) => {
                    ui.exit_reason = ExitReason::Signal(number);
                    ui.ending = true;
                }
                OsSignal::Stop => super::signals::suspend_process_group(),
                OsSignal::Continue => {}
            },
            command = commands.recv(), if ui.accepts_command() => match command {
                Some(command) => ui.command(&command)?,
                // A script ends with its last line; without any command the interface only watches.
                None if ui.typed => ui.quitting = true,
                None => ui.input = InputGate::Closed,
            },
            Some(msg) = command_results.recv() => {
                ui.pending -= 1;
                ui.handle(msg)?;
            }
            Some(msg) = results.recv() => ui.handle(msg)?,
            Some(event) = names.recv() => {
                ui.handle(Msg::Names(event))?;
                names_received = true;
            }
            Some(batch) = broker.next() => ui.handle(Msg::Broker(batch))?,
            () = timer => ui.handle(Msg::Tick)?,
        }
        if names_received && ui.pending == 0 && ui.input == InputGate::Waiting {
            ui.input = InputGate::Open;
        }
    }
    let report = session.end(GRACE).await;
    Ok(ScreenOutcome {
        reason: ui.exit_reason,
        forced: false,
        report,
    })
}

fn read_commands() -> mpsc::Receiver<String> {
    let (commands, receiver) = mpsc::channel(MAX_COMMANDS);
    // The thread ends with the process: a blocking read cannot be cancelled.
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            if commands.blocking_send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}

impl PlainUi {
    fn print(&mut self, text: &str) -> io::Result<()> {
        let mut out = self.out.lock();
        for line in text.lines() {
            writeln!(out, "{}", sanitize(line))?;
        }
        out.flush()
    }

    fn print_greeting(&mut self) -> io::Result<()> {
        let header = self.model.header.clone();
        self.print(&format!(
            "distro-tui: node {} at {} as {}, {} broker. Type help for the commands, quit to exit.",
            header.fingerprint, header.addr, header.role, header.engine
        ))
    }

    /// Requests the first data.
    fn start(&mut self) -> io::Result<()> {
        let effects = update(&mut self.model, Msg::Started, self.clock.now());
        self.perform(effects, true)
    }

    fn handle(&mut self, msg: Msg) -> io::Result<()> {
        let effects = update(&mut self.model, msg, self.clock.now());
        self.perform(effects, false)?;
        self.print_news()
    }

    fn perform(&mut self, effects: Vec<Effect>, typed: bool) -> io::Result<()> {
        for effect in effects {
            match effect {
                // Nobody is there to be asked.
                Effect::CheckQuit | Effect::Quit => self.quitting = true,
                Effect::Copy(text) => self.print(&text)?,
                Effect::Mouse(_) | Effect::Suspend => {}
                effect if typed => {
                    self.pending += 1;
                    self.command_runner.start(effect);
                }
                effect => self.runner.start(effect),
            }
        }
        Ok(())
    }

    /// Reports whether the next command can be read.
    const fn accepts_command(&self) -> bool {
        !self.quitting && matches!(self.input, InputGate::Open) && self.pending < MAX_COMMANDS
    }

    fn command(&mut self, line: &str) -> io::Result<()> {
        self.typed = true;
        let line = line.trim();
        let pane = Pane::ALL
            .into_iter()
            .find(|pane| pane.title().eq_ignore_ascii_case(line));
        match (line, pane) {
            ("", _) => Ok(()),
            ("help" | "keys", _) => self.help(),
            (_, Some(pane)) => self.list(pane),
            _ => {
                let effects = update::run_line(&mut self.model, line, self.clock.now());
                self.perform(effects, true)?;
                self.print_news()
            }
        }
    }

    fn help(&mut self) -> io::Result<()> {
        let mut text = String::from("names, tasks, workers, events: list the rows of a pane\n");
        for spec in TABLE.iter().filter(|spec| spec.is_command) {
            text.push_str(&format!("{}: {}\n", spec.name, spec.text));
        }
        self.print(&text)
    }

    fn list(&mut self, pane: Pane) -> io::Result<()> {
        let lines = describe::rows(&self.model, pane);
        match lines.is_empty() {
            true => self.print(&format!("no {}", pane.title().to_lowercase())),
            false => self.print(&lines.join("\n")),
        }
    }

    /// Prints new log lines, toasts and overlays.
    fn print_news(&mut self) -> io::Result<()> {
        let log = &self.model.data().log;
        let new = usize::try_from(log.written.saturating_sub(self.printed)).unwrap_or(usize::MAX);
        let (written, dropped) = (log.written, new.saturating_sub(log.len()));
        let lines: Vec<String> = log
            .newest(new)
            .map(|line| describe::event(&self.model, line))
            .collect();
        self.printed = written;
        if dropped > 0 {
            self.print(&format!("{dropped} lines dropped"))?;
        }
        if !lines.is_empty() {
            self.print(&lines.join("\n"))?;
        }
        let (shown, toasts) = self.model.toasts.since(self.toasts);
        self.toasts = shown;
        for toast in toasts {
            // Most toasts are also in the log.
            if !lines.iter().any(|line| line.contains(&toast)) {
                self.print(&toast)?;
            }
        }
        while let Some(layer) = self.model.layers.pop() {
            let Some(text) = describe::layer(&self.model, &layer) else {
                self.model.layers.push(layer);
                break;
            };
            self.print(&text)?;
        }
        Ok(())
    }
}

//! The screen as lines: what happens is printed as it happens, and commands are read from standard
//! input. For screen readers, for logs, and for terminals that are none.

use std::{
    io::{self, BufRead, Write},
    sync::Arc,
    time::Duration,
};

mod describe;

use tokio::sync::mpsc;

use super::{
    ExitReason, ScreenOutcome,
    effect::{Effect, Msg},
    model::{Header, Model},
    pane::Pane,
    runner::{MAX_RESULTS, Runner},
    signals::{Signal, Signals},
    update::{self, update},
};
use crate::{node::Session, queue::clock::Clock, text::sanitize};

/// Running tasks get this long to end when it is left.
const GRACE: Duration = Duration::from_secs(5);
/// Lines that wait to be carried out, and commands under way; the reader waits with them.
const MAX_COMMANDS: usize = 64;

struct PlainUi {
    model: Model,
    clock: Clock,
    runner: Runner,
    /// Carries out what was typed, so that its answers can be told from others.
    asked: Runner,
    /// Answers to what was typed that have not come yet.
    pending: usize,
    out: io::Stdout,
    /// Lines of the log that have been printed.
    printed: u64,
    toasts: u64,
    /// Something was typed.
    typed: bool,
    ears: InputGate,
    /// It is to end when everything that was typed has been answered.
    quitting: bool,
    ending: bool,
    how: ExitReason,
}

/// Whether commands are heard.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InputGate {
    /// Not before it is known what there is: an answer would be of nothing.
    NotYet,
    Open,
    /// Nothing more will be said.
    Closed,
}

/// Prints until it is left.
pub(super) async fn run(mut model: Model, session: Arc<Session>) -> io::Result<ScreenOutcome> {
    let access = session.handle();
    model.about = Header {
        read_only: model.about.read_only,
        ..Header::of(&access)
    };
    let mut signals = Signals::listen()?;
    let (outbox, mut answers) = mpsc::channel(MAX_RESULTS);
    let (outbox_for_asked, mut asked) = mpsc::channel(MAX_RESULTS);
    let mut names = access.watch_names();
    let broker = access.broker().subscribe();
    let mut commands = read_commands();
    let mut lines = PlainUi {
        model,
        clock: Clock::start(),
        runner: Runner::new(Arc::clone(&access), outbox),
        asked: Runner::new(Arc::clone(&access), outbox_for_asked),
        pending: 0,
        out: io::stdout(),
        printed: 0,
        toasts: 0,
        typed: false,
        ears: InputGate::NotYet,
        quitting: false,
        ending: false,
        how: ExitReason::Quit,
    };
    lines.hello()?;
    lines.begin()?;
    let mut heard_of_names = false;
    while !lines.ending && (!lines.quitting || lines.pending > 0) {
        let deadline = lines.model.deadline().map(|at| lines.clock.instant(at));
        let timer = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            signal = signals.next() => match signal {
                Signal::End(number) => {
                    lines.how = ExitReason::Signal(number);
                    lines.ending = true;
                }
                Signal::Stop => super::signals::suspend_process_group(),
                Signal::Continue => {}
            },
            command = commands.recv(), if lines.listens() => match command {
                Some(command) => lines.command(&command)?,
                // A script ends with its last line; who never said anything wants to watch.
                None if lines.typed => lines.quitting = true,
                None => lines.ears = InputGate::Closed,
            },
            Some(msg) = asked.recv() => {
                lines.pending -= 1;
                lines.take(msg)?;
            }
            Some(msg) = answers.recv() => lines.take(msg)?,
            Some(event) = names.recv() => {
                lines.take(Msg::Names(event))?;
                heard_of_names = true;
            }
            Some(batch) = broker.next() => lines.take(Msg::Broker(batch))?,
            () = timer => lines.take(Msg::Tick)?,
        }
        if heard_of_names && lines.pending == 0 && lines.ears == InputGate::NotYet {
            lines.ears = InputGate::Open;
        }
    }
    let drained = session.end(GRACE).await;
    Ok(ScreenOutcome {
        how: lines.how,
        forced: false,
        drained,
    })
}

fn read_commands() -> mpsc::Receiver<String> {
    let (commands, receiver) = mpsc::channel(MAX_COMMANDS);
    // It ends with the process: a read that waits for a person cannot be called back.
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
    fn toast(&mut self, text: &str) -> io::Result<()> {
        let mut out = self.out.lock();
        for line in text.lines() {
            writeln!(out, "{}", sanitize(line))?;
        }
        out.flush()
    }

    fn hello(&mut self) -> io::Result<()> {
        let about = self.model.about.clone();
        self.toast(&format!(
            "distro-tui: node {} at {} as {}, {} broker. Type a command: help lists them, quit ends.",
            about.fingerprint, about.addr, about.role, about.engine
        ))
    }

    /// Asks what there is.
    fn begin(&mut self) -> io::Result<()> {
        let effects = update(&mut self.model, Msg::Started, self.clock.now());
        self.perform(effects, true)
    }

    fn take(&mut self, msg: Msg) -> io::Result<()> {
        let effects = update(&mut self.model, msg, self.clock.now());
        self.perform(effects, false)?;
        self.news()
    }

    fn perform(&mut self, effects: Vec<Effect>, typed: bool) -> io::Result<()> {
        for effect in effects {
            match effect {
                Effect::Quit => self.quitting = true,
                Effect::Copy(text) => self.toast(&text)?,
                Effect::Mouse(_) | Effect::Suspend => {}
                effect if typed => {
                    self.pending += 1;
                    self.asked.start(effect);
                }
                effect => self.runner.start(effect),
            }
        }
        Ok(())
    }

    /// Whether another command can be taken now.
    const fn listens(&self) -> bool {
        !self.quitting && matches!(self.ears, InputGate::Open) && self.pending < MAX_COMMANDS
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
                self.news()
            }
        }
    }

    fn help(&mut self) -> io::Result<()> {
        let mut text = String::from("names, tasks, workers, events: list what there is\n");
        for line in super::keymap::lines() {
            text.push_str(&format!("{}: {}\n", line.name, line.does));
        }
        self.toast(&text)
    }

    fn list(&mut self, pane: Pane) -> io::Result<()> {
        let lines = describe::rows(&self.model, pane);
        match lines.is_empty() {
            true => self.toast(&format!("no {}", pane.title().to_lowercase())),
            false => self.toast(&lines.join("\n")),
        }
    }

    /// Prints what is new: lines of the log, what would have been shown for a moment, and what would
    /// have been shown over the panes.
    fn news(&mut self) -> io::Result<()> {
        let log = &self.model.data().log;
        let new = usize::try_from(log.written.saturating_sub(self.printed)).unwrap_or(usize::MAX);
        let (written, dropped) = (log.written, new.saturating_sub(log.len()));
        let lines: Vec<String> = log
            .newest(new)
            .map(|line| describe::event(&self.model, line))
            .collect();
        self.printed = written;
        if dropped > 0 {
            self.toast(&format!("{dropped} lines were left out"))?;
        }
        if !lines.is_empty() {
            self.toast(&lines.join("\n"))?;
        }
        let (shown, toasts) = self.model.toasts.since(self.toasts);
        self.toasts = shown;
        for toast in toasts {
            // Most of it is in the log as well.
            if !lines.iter().any(|line| line.contains(&toast)) {
                self.toast(&toast)?;
            }
        }
        while let Some(layer) = self.model.layers.pop() {
            let Some(text) = describe::layer(&self.model, &layer) else {
                self.model.layers.push(layer);
                break;
            };
            self.toast(&text)?;
        }
        Ok(())
    }
}

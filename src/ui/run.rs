//! The event loop. One task owns the model and the terminal: it sleeps until an event, handles all that
//! are ready, and draws once, at most every 16 ms; after a key sooner.

use std::{io, sync::Arc, time::Duration};

use crossterm::event::{Event, EventStream, KeyEventKind, MouseButton, MouseEventKind};
use futures_util::StreamExt;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    ExitReason, ScreenOutcome,
    action::Action,
    effect::{Click, Effect, EffectDone, Mouse, Msg},
    key::Key,
    model::{Header, Model},
    record::Recorder,
    runner::{DataFolder, MAX_RESULTS, Runner},
    signals::{OsSignal, Signals},
    term::{self, MAX_CLIPBOARD, Term},
    update::update,
    verbs::quit::GRACE,
};
use crate::{
    node::{NamesEvent, Session},
    queue::{broker::ShutdownReport, clock::Clock, event::Subscription, state::State},
};

/// The minimum time between two frames.
const FRAME_INTERVAL: Duration = Duration::from_millis(16);
/// The minimum time after a key, which should show at once; a held key does not repeat faster.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(3);
/// The maximum number of messages handled before a frame is drawn.
const BATCH: usize = 512;

/// The event that woke the loop.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is short-lived"
)]
enum Wake {
    Signal(OsSignal),
    Terminal(Option<io::Result<Event>>),
    Msg(Msg),
    Deadline,
    Frame,
    ShutdownReport(ShutdownReport),
    /// A node was opened in place of the lost one.
    Opened(Result<Session, String>),
}

/// The sources of events.
struct Sources {
    signals: Signals,
    keys: EventStream,
    results: mpsc::Receiver<Msg>,
    names: mpsc::Receiver<NamesEvent>,
    broker: Subscription,
}

struct ScreenLoop {
    model: Model,
    term: Term,
    clock: Clock,
    recorder: Option<Recorder>,
    runner: Runner,
    session: Arc<Session>,
    /// The data folder of a node that replaces a lost one.
    folder: Option<DataFolder>,
    /// The node that is being opened.
    opening: Option<tokio::task::JoinHandle<Result<Session, String>>>,
    /// The version of the model in the last frame.
    drawn: u64,
    last_frame: Instant,
    /// The minimum time to the next frame.
    frame_interval: Duration,
    in_tmux: bool,
    /// The terminal has hung up.
    hung_up: bool,
    exit_reason: ExitReason,
    /// The pending shutdown.
    shutdown: Option<tokio::task::JoinHandle<ShutdownReport>>,
    /// A second quit skipped the shutdown.
    forced: bool,
}

/// Runs the screen until it ends. The terminal is restored before this returns.
pub(crate) async fn run(
    prepared: super::Screen,
    session: Arc<Session>,
    in_tmux: bool,
) -> io::Result<ScreenOutcome> {
    let super::Screen {
        mut model,
        crash_test,
        mut recorder,
        folder,
    } = prepared;
    let signals = Signals::listen()?;
    let term = Term::enter(model.mouse)?;
    model.size = term.size()?;
    let node = session.handle();
    model.header = Header {
        read_only: model.header.read_only,
        ..Header::from_handle(&node)
    };
    let clock = Clock::start();
    if let Some(recorder) = &mut recorder {
        recorder.begin(&model.header, model.size, clock.now())?;
    }
    let (outbox, results) = mpsc::channel(MAX_RESULTS);
    let mut screen = ScreenLoop {
        model,
        term,
        clock,
        recorder,
        runner: Runner::new(Arc::clone(&node), outbox, folder.clone()),
        session,
        folder,
        opening: None,
        drawn: 0,
        last_frame: Instant::now(),
        frame_interval: FRAME_INTERVAL,
        in_tmux,
        hung_up: false,
        exit_reason: ExitReason::Quit,
        shutdown: None,
        forced: false,
    };
    // The first frame comes before any request.
    screen.draw()?;
    assert!(!crash_test, "crash requested by --crash-test");
    let mut sources = Sources {
        signals,
        keys: EventStream::new(),
        results,
        names: node.watch_names(),
        broker: node.broker().subscribe(),
    };
    screen.handle(Msg::Started)?;
    loop {
        let wake = screen.next_event(&mut sources).await;
        if let Wake::ShutdownReport(report) = wake {
            return Ok(screen.outcome(report));
        }
        if let Err(error) = screen.on_wake(wake, &mut sources) {
            screen.on_hangup(&error);
        }
        if screen.forced {
            return Ok(screen.outcome(screen.unfinished()));
        }
    }
}

impl ScreenLoop {
    /// Handles an event and all others that are ready, and draws a frame if it is time.
    fn on_wake(&mut self, wake: Wake, sources: &mut Sources) -> io::Result<()> {
        match wake {
            Wake::Signal(signal) => self.on_signal(signal)?,
            Wake::Terminal(Some(Ok(event))) => {
                self.frame_interval = KEY_FRAME_INTERVAL;
                self.on_terminal_event(event)?;
            }
            Wake::Terminal(Some(Err(error))) => return Err(error),
            Wake::Terminal(None) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Wake::Msg(msg) => self.handle(msg)?,
            Wake::Deadline => self.handle(Msg::Tick)?,
            Wake::Opened(opened) => self.on_opened(opened, sources)?,
            Wake::ShutdownReport(_) | Wake::Frame => {}
        }
        self.drain(sources)?;
        if self.wants_frame() && self.last_frame.elapsed() >= self.frame_interval {
            self.draw()?;
        }
        Ok(())
    }

    /// Shuts down after a terminal error. It means a hang-up, whose signal may come before or after.
    fn on_hangup(&mut self, error: &io::Error) {
        if std::mem::replace(&mut self.hung_up, true) {
            return;
        }
        tracing::info!(%error, "the terminal has hung up");
        self.exit_reason = ExitReason::Signal(super::signals::HANGUP);
        if self.shutdown.is_none() {
            self.shut_down();
        }
    }

    /// Waits for the next event; signals and keys come first.
    async fn next_event(&mut self, sources: &mut Sources) -> Wake {
        let deadline = self.model.deadline().map(|at| self.clock.instant(at));
        let frame = self
            .wants_frame()
            .then_some(self.last_frame + self.frame_interval);
        let open = self.shutdown.is_none();
        tokio::select! {
            biased;
            signal = sources.signals.next() => Wake::Signal(signal),
            event = sources.keys.next(), if !self.hung_up => Wake::Terminal(event),
            () = sleep_until_or_never(frame) => Wake::Frame,
            report = shutdown_report(&mut self.shutdown) => Wake::ShutdownReport(report),
            opened = opened_session(&mut self.opening) => Wake::Opened(opened),
            Some(msg) = sources.results.recv() => Wake::Msg(msg),
            Some(event) = sources.names.recv(), if open => Wake::Msg(Msg::Names(event)),
            Some(batch) = sources.broker.next(), if open => Wake::Msg(Msg::Broker(batch)),
            () = sleep_until_or_never(deadline) => Wake::Deadline,
        }
    }

    /// Handles all messages that are ready, so that they cost one frame. Keys are not among them: their
    /// stream must only be polled in one place.
    fn drain(&mut self, sources: &mut Sources) -> io::Result<()> {
        for _ in 0..BATCH {
            if let Ok(msg) = sources.results.try_recv() {
                self.handle(msg)?;
            } else if let Ok(event) = sources.names.try_recv() {
                self.handle(Msg::Names(event))?;
            } else if let Some(batch) = sources.broker.try_next() {
                self.handle(Msg::Broker(batch))?;
            } else {
                break;
            }
        }
        Ok(())
    }

    /// Reports the unfinished tasks for an exit without shutdown, as far as the screen knows.
    fn unfinished(&self) -> ShutdownReport {
        let stats = &self.model.data().overview.stats;
        let running = stats.count(State::Running);
        ShutdownReport {
            abandoned: running,
            unstarted: stats.unfinished().saturating_sub(running),
            persisted: stats
                .storage
                .as_ref()
                .is_some_and(|storage| storage.durability.is_durable() && storage.unpersisted == 0),
        }
    }

    fn outcome(&self, report: ShutdownReport) -> ScreenOutcome {
        ScreenOutcome {
            reason: self.exit_reason,
            forced: self.forced,
            report,
        }
    }

    fn wants_frame(&self) -> bool {
        self.model.version != self.drawn
    }

    fn draw(&mut self) -> io::Result<()> {
        self.drawn = self.model.version;
        self.last_frame = Instant::now();
        self.frame_interval = FRAME_INTERVAL;
        if self.hung_up {
            return Ok(());
        }
        if self.clock.detect_step().is_some() {
            // The wall clock was set, and the screen follows it.
            self.model.now = self.clock.now();
        }
        self.model.now = self.model.now.max(self.clock.now());
        self.term.draw(&mut self.model)
    }

    /// Updates the model with a message and performs the resulting effects.
    fn handle(&mut self, msg: Msg) -> io::Result<()> {
        let now = self.clock.now();
        let recorded = self.recorder.is_some().then(|| {
            let line = self.model.typed_text().map(str::to_owned);
            (msg.clone(), line)
        });
        let effects = update(&mut self.model, msg, now);
        if let (Some(recorder), Some((msg, before))) = (&mut self.recorder, recorded)
            && let Err(error) =
                recorder.record(now, &msg, before.as_deref(), self.model.typed_text())
        {
            tracing::warn!(%error, "the recording ends early");
            self.recorder = None;
        }
        for effect in effects {
            self.perform(effect)?;
        }
        Ok(())
    }

    fn on_terminal_event(&mut self, event: Event) -> io::Result<()> {
        match to_message(event) {
            Some(msg) => self.handle(msg),
            None => Ok(()),
        }
    }

    /// Performs an effect: those of the terminal here, all others in the runner.
    fn perform(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Copy(text) => {
                let since = Instant::now();
                let result = self.term.copy(&text, self.in_tmux);
                let length = text.len().min(MAX_CLIPBOARD);
                let result = result.map(|()| format!("{length} bytes sent to the clipboard"));
                self.handle(Msg::EffectDone(EffectDone {
                    took: since.elapsed(),
                    ..EffectDone::new(Action::Copy, "copy", result)
                }))
            }
            Effect::Mouse(on) => self.term.set_mouse(on),
            Effect::Suspend => self.suspend(),
            Effect::StartNode => {
                self.opening = self.folder.clone().map(|DataFolder(config)| {
                    let open = move || Session::open(&config).map_err(|e| e.to_string());
                    tokio::task::spawn_blocking(open)
                });
                Ok(())
            }
            Effect::Quit => {
                self.shut_down();
                Ok(())
            }
            effect => {
                self.runner.start(effect);
                Ok(())
            }
        }
    }

    /// Shows the opened node from now on. Results of the one before are not received any more.
    fn on_opened(
        &mut self,
        opened: Result<Session, String>,
        sources: &mut Sources,
    ) -> io::Result<()> {
        self.opening = None;
        let header = match opened {
            Ok(session) => {
                let node = session.handle();
                let (outbox, results) = mpsc::channel(MAX_RESULTS);
                self.runner = Runner::new(Arc::clone(&node), outbox, self.folder.clone());
                sources.results = results;
                sources.names = node.watch_names();
                sources.broker = node.broker().subscribe();
                let before = std::mem::replace(&mut self.session, Arc::new(session));
                tokio::spawn(async move { before.end(Duration::ZERO).await });
                Ok(Header::from_handle(&node))
            }
            Err(why) => Err(why),
        };
        self.handle(Msg::NodeOpened(header))
    }

    /// Starts the shutdown; a second call skips it.
    fn shut_down(&mut self) {
        if self.shutdown.is_some() {
            self.forced = true;
            return;
        }
        let session = Arc::clone(&self.session);
        self.shutdown = Some(tokio::spawn(async move { session.end(GRACE).await }));
    }

    fn on_signal(&mut self, signal: OsSignal) -> io::Result<()> {
        match signal {
            OsSignal::Stop => self.suspend(),
            // A hang-up sends this signal too.
            OsSignal::Continue if self.hung_up => Ok(()),
            OsSignal::Continue => self.resume(),
            OsSignal::End(super::signals::HANGUP) => {
                self.on_hangup(&io::ErrorKind::BrokenPipe.into());
                Ok(())
            }
            OsSignal::End(number) => {
                self.exit_reason = ExitReason::Signal(number);
                self.handle(Msg::Terminate)
            }
        }
    }

    /// Restores the terminal and suspends the process; `fg` continues after the stop.
    fn suspend(&mut self) -> io::Result<()> {
        term::restore();
        super::signals::suspend_process_group();
        self.resume()
    }

    fn resume(&mut self) -> io::Result<()> {
        self.term.reenter()?;
        let (width, height) = self.term.size()?;
        self.handle(Msg::Resize(width, height))
    }
}

async fn shutdown_report(
    shutdown: &mut Option<tokio::task::JoinHandle<ShutdownReport>>,
) -> ShutdownReport {
    match shutdown {
        Some(task) => task.await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}

async fn opened_session(
    opening: &mut Option<tokio::task::JoinHandle<Result<Session, String>>>,
) -> Result<Session, String> {
    match opening {
        Some(task) => task
            .await
            .unwrap_or_else(|aborted| Err(aborted.to_string())),
        None => std::future::pending().await,
    }
}

async fn sleep_until_or_never(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Converts a terminal event to a message; `None` for events that the screen ignores.
pub(super) fn to_message(event: Event) -> Option<Msg> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            Key::from_terminal(key).map(Msg::Key)
        }
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(width, height) => Some(Msg::Resize(width, height)),
        Event::Mouse(mouse) => {
            let what = match mouse.kind {
                MouseEventKind::Down(MouseButton::Left) => Click::Left,
                MouseEventKind::ScrollUp => Click::WheelUp,
                MouseEventKind::ScrollDown => Click::WheelDown,
                _ => return None,
            };
            Some(Msg::Mouse(Mouse {
                x: mouse.column,
                y: mouse.row,
                what,
            }))
        }
        _ => None,
    }
}

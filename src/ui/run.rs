//! The loop: one task owns the model and the terminal. It sleeps until something happens, takes all
//! that has happened, and draws once, at most every 16 ms; a key is answered sooner.

use std::{io, sync::Arc, time::Duration};

use crossterm::event::{Event, EventStream, KeyEventKind, MouseButton, MouseEventKind};
use futures_util::StreamExt;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    ExitReason, ScreenOutcome,
    effect::{Click, Effect, EffectDone, Mouse, Msg},
    key::Key,
    model::{Header, Model},
    record::Recorder,
    runner::{MAX_RESULTS, Runner},
    signals::{Signal, Signals},
    term::{self, MAX_CLIPBOARD, Term},
    update::update,
    verbs::Action,
};
use crate::{
    node::{NamesEvent, Session},
    queue::{broker::ShutdownReport, clock::Clock, event::Subscription, state::State},
};

/// The least time between two frames.
const FRAME_INTERVAL: Duration = Duration::from_millis(16);
/// The same after a key: whoever presses it waits for it, and keys that are held down come no faster.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(3);
/// Messages that are taken before a frame is drawn.
const BATCH: usize = 512;
/// Running tasks get this long to end when the program is left.
const GRACE: Duration = Duration::from_secs(5);

/// What woke the loop.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one of them, and it lives for a moment"
)]
enum Wake {
    Signal(Signal),
    Terminal(Option<io::Result<Event>>),
    Msg(Msg),
    Deadline,
    Frame,
    ShutdownReport(ShutdownReport),
}

/// Where messages come from.
struct Sources {
    signals: Signals,
    keys: EventStream,
    answers: mpsc::Receiver<Msg>,
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
    drawn: u64,
    last_frame: Instant,
    /// The least time from it to the next.
    pace: Duration,
    in_tmux: bool,
    /// Nobody is there to draw for any more.
    gone: bool,
    how: ExitReason,
    /// The shutdown under way.
    leaving: Option<tokio::task::JoinHandle<ShutdownReport>>,
    /// It was asked for twice.
    forced: bool,
}

/// Shows the screen until it is left. The terminal is given back before this returns.
pub(crate) async fn run(
    prepared: super::Screen,
    session: Arc<Session>,
    in_tmux: bool,
) -> io::Result<ScreenOutcome> {
    let super::Screen {
        mut model,
        crash_test,
        mut recorder,
    } = prepared;
    let signals = Signals::listen()?;
    let term = Term::enter(model.mouse)?;
    model.size = term.size()?;
    let access = session.handle();
    model.about = Header {
        read_only: model.about.read_only,
        ..Header::of(&access)
    };
    let clock = Clock::start();
    if let Some(recorder) = &mut recorder {
        recorder.begin(&model.about, model.size, clock.now())?;
    }
    let (outbox, answers) = mpsc::channel(MAX_RESULTS);
    let mut screen = ScreenLoop {
        model,
        term,
        clock,
        recorder,
        runner: Runner::new(Arc::clone(&access), outbox),
        session,
        drawn: 0,
        last_frame: Instant::now(),
        pace: FRAME_INTERVAL,
        in_tmux,
        gone: false,
        how: ExitReason::Quit,
        leaving: None,
        forced: false,
    };
    // The first frame comes before anything is asked of anybody.
    screen.draw()?;
    assert!(!crash_test, "this crash was asked for");
    let mut sources = Sources {
        signals,
        keys: EventStream::new(),
        answers,
        names: access.watch_names(),
        broker: access.broker().subscribe(),
    };
    screen.take(Msg::Started)?;
    loop {
        let wake = screen.sleep(&mut sources).await;
        if let Wake::ShutdownReport(drained) = wake {
            return Ok(screen.outcome(drained));
        }
        if let Err(error) = screen.wake(wake, &mut sources) {
            screen.lose(&error);
        }
        if screen.forced {
            return Ok(screen.outcome(screen.dropped()));
        }
    }
}

impl ScreenLoop {
    /// Takes what woke the loop and whatever else has happened, and draws if it is time to.
    fn wake(&mut self, wake: Wake, sources: &mut Sources) -> io::Result<()> {
        match wake {
            Wake::Signal(signal) => self.signal(signal)?,
            Wake::Terminal(Some(Ok(event))) => {
                self.pace = KEY_FRAME_INTERVAL;
                self.terminal(event)?;
            }
            Wake::Terminal(Some(Err(error))) => return Err(error),
            Wake::Terminal(None) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Wake::Msg(msg) => self.take(msg)?,
            Wake::Deadline => self.take(Msg::Tick)?,
            Wake::ShutdownReport(_) | Wake::Frame => {}
        }
        self.drain(sources)?;
        if self.wants_frame() && self.last_frame.elapsed() >= self.pace {
            self.draw()?;
        }
        Ok(())
    }

    /// The terminal cannot be read or written any more, so nobody is there: that is a hang-up, and
    /// its signal may come before or after.
    fn lose(&mut self, error: &io::Error) {
        if std::mem::replace(&mut self.gone, true) {
            return;
        }
        tracing::info!(%error, "the terminal is gone");
        self.how = ExitReason::Signal(super::signals::HANGUP);
        if self.leaving.is_none() {
            self.leave();
        }
    }

    /// Waits for the next thing to happen, signals and keys before all else.
    async fn sleep(&mut self, sources: &mut Sources) -> Wake {
        let deadline = self.model.deadline().map(|at| self.clock.instant(at));
        let frame = self.wants_frame().then_some(self.last_frame + self.pace);
        let open = self.leaving.is_none();
        tokio::select! {
            biased;
            signal = sources.signals.next() => Wake::Signal(signal),
            event = sources.keys.next(), if !self.gone => Wake::Terminal(event),
            () = at(frame) => Wake::Frame,
            drained = drained(&mut self.leaving) => Wake::ShutdownReport(drained),
            Some(msg) = sources.answers.recv() => Wake::Msg(msg),
            Some(event) = sources.names.recv(), if open => Wake::Msg(Msg::Names(event)),
            Some(batch) = sources.broker.next(), if open => Wake::Msg(Msg::Broker(batch)),
            () = at(deadline) => Wake::Deadline,
        }
    }

    /// Takes what else has happened already, so that many things cost one frame. Keys are not among
    /// it: their stream must only be polled by the one who waits for it.
    fn drain(&mut self, sources: &mut Sources) -> io::Result<()> {
        for _ in 0..BATCH {
            if let Ok(msg) = sources.answers.try_recv() {
                self.take(msg)?;
            } else if let Ok(event) = sources.names.try_recv() {
                self.take(Msg::Names(event))?;
            } else if let Some(batch) = sources.broker.try_next() {
                self.take(Msg::Broker(batch))?;
            } else {
                break;
            }
        }
        Ok(())
    }

    /// What is left undone without waiting, as far as the screen knows.
    fn dropped(&self) -> ShutdownReport {
        let stats = &self.model.data().overview.stats;
        let running = stats.count(State::Running);
        ShutdownReport {
            abandoned: running,
            unstarted: stats.unfinished().saturating_sub(running),
            persisted: stats.storage.durability.is_durable() && stats.unsaved == 0,
        }
    }

    fn outcome(&self, drained: ShutdownReport) -> ScreenOutcome {
        ScreenOutcome {
            how: self.how,
            forced: self.forced,
            drained,
        }
    }

    fn wants_frame(&self) -> bool {
        self.model.version != self.drawn
    }

    fn draw(&mut self) -> io::Result<()> {
        self.drawn = self.model.version;
        self.last_frame = Instant::now();
        self.pace = FRAME_INTERVAL;
        if self.gone {
            return Ok(());
        }
        if self.clock.detect_step().is_some() {
            // The wall clock was set, and the screen goes by it.
            self.model.now = self.clock.now();
        }
        self.model.now = self.model.now.max(self.clock.now());
        self.term.draw(&mut self.model)
    }

    /// Brings the model up to date with a message and carries out what it asks for.
    fn take(&mut self, msg: Msg) -> io::Result<()> {
        let now = self.clock.now();
        let recorded = self.recorder.is_some().then(|| {
            let line = self.model.typed_text().map(str::to_owned);
            (msg.clone(), line)
        });
        let effects = update(&mut self.model, msg, now);
        if let (Some(recorder), Some((msg, before))) = (&mut self.recorder, recorded)
            && let Err(error) = recorder.put(now, &msg, before.as_deref(), self.model.typed_text())
        {
            tracing::warn!(%error, "the recording ends here");
            self.recorder = None;
        }
        for effect in effects {
            self.perform(effect)?;
        }
        Ok(())
    }

    fn terminal(&mut self, event: Event) -> io::Result<()> {
        match message(event) {
            Some(msg) => self.take(msg),
            None => Ok(()),
        }
    }

    /// The terminal's own effects are carried out here, all others by the runner.
    fn perform(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Copy(text) => {
                let since = Instant::now();
                let result = self.term.copy(&text, self.in_tmux);
                let length = text.len().min(MAX_CLIPBOARD);
                let result = result.map(|()| format!("{length} bytes sent to the clipboard"));
                self.take(Msg::EffectDone(EffectDone {
                    took: since.elapsed(),
                    ..EffectDone::new(Action::Copy, "copy", result)
                }))
            }
            Effect::Mouse(on) => self.term.set_mouse(on),
            Effect::Suspend => self.suspend(),
            Effect::Quit => {
                self.leave();
                Ok(())
            }
            effect => {
                self.runner.start(effect);
                Ok(())
            }
        }
    }

    /// Starts to leave; asked again, leaves at once.
    fn leave(&mut self) {
        if self.leaving.is_some() {
            self.forced = true;
            return;
        }
        let session = Arc::clone(&self.session);
        self.leaving = Some(tokio::spawn(async move { session.end(GRACE).await }));
    }

    fn signal(&mut self, signal: Signal) -> io::Result<()> {
        match signal {
            Signal::Stop => self.suspend(),
            // A hang-up brings this signal too.
            Signal::Continue if self.gone => Ok(()),
            Signal::Continue => self.resume(),
            Signal::End(super::signals::HANGUP) => {
                self.lose(&io::ErrorKind::BrokenPipe.into());
                Ok(())
            }
            Signal::End(number) => {
                self.how = ExitReason::Signal(number);
                self.take(Msg::Terminate)
            }
        }
    }

    /// Gives the terminal back and stops; somebody's `fg` lets us go on behind the stop.
    fn suspend(&mut self) -> io::Result<()> {
        term::restore();
        super::signals::suspend_process_group();
        self.resume()
    }

    fn resume(&mut self) -> io::Result<()> {
        self.term.reenter()?;
        let (width, height) = self.term.size()?;
        self.take(Msg::Resize(width, height))
    }
}

async fn drained(leaving: &mut Option<tokio::task::JoinHandle<ShutdownReport>>) -> ShutdownReport {
    match leaving {
        Some(task) => task.await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

pub(super) fn message(event: Event) -> Option<Msg> {
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

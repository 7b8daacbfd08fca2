//! The screen without a terminal: for tests, benches and anybody who wants to drive it by program.

use std::sync::Arc;

use ratatui::{Terminal, backend::TestBackend};
use tokio::sync::mpsc;

use super::{
    Screen, UiOptions,
    effect::{Effect, Msg},
    key::{Code, Key},
    model::{Header, Model},
    runner::{MAX_RESULTS, Runner},
    update::update,
    view,
};
use crate::{
    node::{NamesEvent, Session},
    queue::{clock::Clock, event::Subscription},
};

/// A screen in memory on a real process. Make and use it inside a tokio runtime.
pub struct Headless {
    pub(crate) model: Model,
    terminal: Terminal<TestBackend>,
    clock: Clock,
    runner: Runner,
    session: Arc<Session>,
    answers: mpsc::Receiver<Msg>,
    names: mpsc::Receiver<NamesEvent>,
    broker: Subscription,
    /// What was asked of the terminal: the clipboard, the mouse, to stop, to quit.
    pub(crate) terminal_effects: Vec<Effect>,
}

impl Headless {
    /// Starts a screen of this size (columns, rows), in UTC.
    ///
    /// # Errors
    /// As [`Screen::new`].
    pub fn start(
        options: &UiOptions,
        session: Arc<Session>,
        (width, height): (u16, u16),
    ) -> Result<Self, String> {
        let mut model = Screen::new(options)?.model;
        model.zone = jiff::tz::TimeZone::UTC;
        model.size = (width, height);
        let access = session.handle();
        model.about = Header {
            read_only: model.about.read_only,
            ..Header::of(&access)
        };
        let (outbox, answers) = mpsc::channel(MAX_RESULTS);
        let terminal = Terminal::new(TestBackend::new(width, height));
        let mut screen = Self {
            model,
            terminal: terminal.map_err(|e| e.to_string())?,
            clock: Clock::start(),
            runner: Runner::new(Arc::clone(&access), outbox),
            names: access.watch_names(),
            broker: access.broker().subscribe(),
            session,
            answers,
            terminal_effects: Vec::new(),
        };
        screen.take(Msg::Started);
        Ok(screen)
    }

    /// The time with the node that is on the screen.
    #[must_use]
    pub const fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Presses keys, separated by spaces and written as the configuration writes them.
    ///
    /// # Errors
    /// A sentence that names the text that is no key.
    pub fn press(&mut self, keys: &str) -> Result<(), String> {
        for key in keys.split(' ') {
            let key: Key = key.parse()?;
            self.take(Msg::Key(key));
        }
        Ok(())
    }

    /// Types text, a key a character.
    pub fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.take(Msg::Key(Key::plain(Code::Char(c))));
        }
    }

    /// Waits for the next thing to happen and takes it.
    pub async fn next(&mut self) {
        let deadline = self.model.deadline().map(|at| self.clock.instant(at));
        let timer = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let msg = tokio::select! {
            Some(msg) = self.answers.recv() => msg,
            Some(event) = self.names.recv() => Msg::Names(event),
            Some(batch) = self.broker.next() => Msg::Broker(batch),
            () = timer => Msg::Tick,
        };
        self.take(msg);
    }

    /// Draws a frame.
    pub fn draw(&mut self) {
        let mut regions = Default::default();
        let Ok(_frame) = self.terminal.draw(|frame| {
            let area = frame.area();
            regions = view::draw(frame.buffer_mut(), area, &self.model).regions;
        });
        self.model.set_regions(regions);
    }

    /// Draws a frame and gives its text, a line a row.
    pub fn shown(&mut self) -> String {
        self.draw();
        self.terminal.backend().to_string()
    }

    fn take(&mut self, msg: Msg) {
        for effect in update(&mut self.model, msg, self.clock.now()) {
            match effect {
                Effect::Copy(_) | Effect::Mouse(_) | Effect::Suspend | Effect::Quit => {
                    self.terminal_effects.push(effect);
                }
                effect => self.runner.start(effect),
            }
        }
    }
}

impl std::fmt::Debug for Headless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Headless")
    }
}

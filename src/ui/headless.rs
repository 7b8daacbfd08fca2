//! The screen without a terminal, for tests and benchmarks.

use std::sync::Arc;

use ratatui::{Terminal, backend::TestBackend};
use tokio::sync::mpsc;

use super::{
    Screen, UiOptions,
    effect::{Effect, Msg},
    key::{Key, KeyCode},
    model::{Header, Model},
    runner::{MAX_RESULTS, Runner},
    update::update,
    view,
};
use crate::{
    node::{NamesEvent, Session},
    queue::{clock::Clock, event::Subscription},
};

/// A screen in memory, attached to a node. Requires a tokio runtime.
pub struct Headless {
    pub(crate) model: Model,
    terminal: Terminal<TestBackend>,
    clock: Clock,
    runner: Runner,
    session: Arc<Session>,
    results: mpsc::Receiver<Msg>,
    names: mpsc::Receiver<NamesEvent>,
    broker: Subscription,
    /// Effects for the terminal: clipboard, mouse, suspend, quit.
    pub(crate) terminal_effects: Vec<Effect>,
}

impl Headless {
    /// Starts a screen of this size (columns, rows) in UTC.
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
        let node = session.handle();
        model.header = Header {
            read_only: model.header.read_only,
            ..Header::from_handle(&node)
        };
        let (outbox, results) = mpsc::channel(MAX_RESULTS);
        let terminal = Terminal::new(TestBackend::new(width, height));
        let mut screen = Self {
            model,
            terminal: terminal.map_err(|e| e.to_string())?,
            clock: Clock::start(),
            runner: Runner::new(Arc::clone(&node), outbox, None),
            names: node.watch_names(),
            broker: node.broker().subscribe(),
            session,
            results,
            terminal_effects: Vec::new(),
        };
        screen.handle(Msg::Started);
        Ok(screen)
    }

    /// Returns the session with the node.
    #[must_use]
    pub const fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Presses keys, separated by spaces and named as in the configuration.
    ///
    /// # Errors
    /// Names the text that is not a key.
    pub fn press(&mut self, keys: &str) -> Result<(), String> {
        for key in keys.split(' ') {
            let key: Key = key.parse()?;
            self.handle(Msg::Key(key));
        }
        Ok(())
    }

    /// Types text, one key per character.
    pub fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.handle(Msg::Key(Key::plain(KeyCode::Char(c))));
        }
    }

    /// Waits for the next event and handles it.
    pub async fn next(&mut self) {
        let deadline = self.model.deadline().map(|at| self.clock.instant(at));
        let timer = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let msg = tokio::select! {
            Some(msg) = self.results.recv() => msg,
            Some(event) = self.names.recv() => Msg::Names(event),
            Some(batch) = self.broker.next() => Msg::Broker(batch),
            () = timer => Msg::Tick,
        };
        self.handle(msg);
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

    /// Draws a frame and returns its text, one line per row.
    pub fn shown(&mut self) -> String {
        self.draw();
        self.terminal.backend().to_string()
    }

    fn handle(&mut self, msg: Msg) {
        for effect in update(&mut self.model, msg, self.clock.now()) {
            match effect {
                Effect::Copy(_)
                | Effect::Mouse(_)
                | Effect::Suspend
                | Effect::StartNode
                | Effect::Quit => {
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

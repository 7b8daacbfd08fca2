//! The screen. A pure core (`model`, `update`, `view`) in a thin shell (`run`, `runner`, `term`).
//!
//! ```text
//! key ─▶ keymap ─▶ action ─▶ update(model, msg) ─▶ effects ─▶ runner ─▶ node
//!                               ▲                                        │
//!                               └───────────── msg ◀─────────────────────┘
//! model.version moved ─▶ view::draw ─▶ one write to the terminal
//! ```
//!
//! Nothing in here waits for the network, and nothing outside of here knows that there is a screen.

mod effect;
mod headless;
mod key;
mod keymap;
mod layout;
mod model;
mod overlay;
mod pane;
mod panes;
mod record;
mod replay;
mod run;
mod runner;
mod signals;
mod term;
mod theme;
mod update;
mod verbs;
mod view;
mod widgets;

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

pub use self::{
    headless::Headless,
    keymap::KeyLine,
    theme::{ColorDepth, SymbolSet, THEMES},
};
use self::{keymap::Keymap, model::Model, record::Recorder, replay::Player, theme::Theme};
use crate::{export, node::Session, queue::broker::ShutdownReport};

/// How the screen is to look and listen.
#[derive(Debug, Clone)]
pub struct UiOptions {
    /// The name of one of [`THEMES`].
    pub theme: String,
    /// How many colours the terminal shows.
    pub depth: ColorDepth,
    /// Which signs to draw with.
    pub symbols: SymbolSet,
    /// Whether to listen to the mouse.
    pub mouse: bool,
    /// Keys in place of the usual ones, by the name of the action.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Whether nothing is to be changed from the screen.
    pub read_only: bool,
    /// Crash after the first frame, to see that the terminal is given back.
    pub crash_test: bool,
}

impl Default for UiOptions {
    /// Dark, with every colour and sign, for a terminal that can do everything.
    fn default() -> Self {
        Self {
            theme: THEMES[0].into(),
            depth: ColorDepth::True,
            symbols: SymbolSet::Unicode,
            mouse: true,
            keys: BTreeMap::new(),
            read_only: false,
            crash_test: false,
        }
    }
}

/// The screen, made ready but not shown.
#[derive(Debug)]
pub struct Screen {
    model: Model,
    crash_test: bool,
    recorder: Option<Recorder>,
}

/// How the screen was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScreenOutcome {
    /// By whom.
    pub how: ExitReason,
    /// It was asked for twice, and nothing was waited for.
    pub forced: bool,
    /// What was left undone.
    pub drained: ShutdownReport,
}

/// Who ended the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// The person in front of it.
    Quit,
    /// A signal, by its number.
    Signal(i32),
}

impl Screen {
    /// Reads the theme and the keys.
    ///
    /// # Errors
    /// A sentence that names what is wrong with them.
    pub fn new(options: &UiOptions) -> Result<Self, String> {
        let theme = Theme::load(&options.theme, options.depth, options.symbols)?;
        let keymap = Keymap::new(&options.keys).map_err(|why| format!("[keys]: {why}"))?;
        let mut model = Model::new(theme, keymap, jiff::tz::TimeZone::system());
        model.mouse = options.mouse;
        model.about.read_only = options.read_only;
        Ok(Self {
            model,
            crash_test: options.crash_test,
            recorder: None,
        })
    }

    /// Records what it receives to a new file, for [`Screen::replay`].
    ///
    /// # Errors
    /// A sentence when the file is there already or cannot be made.
    pub fn record(&mut self, path: &Path) -> Result<(), String> {
        let recorder = Recorder::create(path).map_err(|e| export::describe_error(path, &e))?;
        self.recorder = Some(recorder);
        Ok(())
    }

    /// Shows what was recorded: the same screen, as fast as it was or faster.
    ///
    /// # Errors
    /// When the file is no recording, or the terminal cannot be read or written.
    pub fn replay(
        self,
        path: &Path,
        speed: f64,
        paused: bool,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let player = Player::open(path)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(replay::run(self.model, player, speed, paused))?;
        Ok(())
    }

    /// Prints what the screen would show as lines, and takes commands from standard input, until it is
    /// left.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn lines(self, session: Arc<Session>) -> io::Result<ScreenOutcome> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(plain::run(self.model, session));
        runtime.shutdown_background();
        outcome
    }

    /// Shows the screen on the terminal until it is left.
    ///
    /// # Errors
    /// When the terminal cannot be read or written. It is given back all the same.
    pub fn run(self, session: Arc<Session>) -> io::Result<ScreenOutcome> {
        let in_tmux = std::env::var_os("TMUX").is_some();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(run::run(self, session, in_tmux));
        // A file that is still being written may take its time; the person need not.
        runtime.shutdown_background();
        outcome
    }
}

/// Restores the terminal if the screen is using it. For panic hooks.
pub fn restore_terminal() {
    term::restore();
}

/// Everything that can be done on the screen, with its keys.
#[must_use]
pub fn keys() -> Vec<KeyLine> {
    keymap::lines()
}

/// All keys as a Markdown table, made from the table of actions.
#[must_use]
pub fn keys_markdown() -> String {
    keymap::markdown()
}

mod plain;
#[cfg(test)]
mod tests;

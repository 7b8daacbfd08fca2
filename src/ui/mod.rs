//! The terminal user interface: a pure core (`model`, `update`, `view`) in a thin shell (`run`, `runner`,
//! `term`).
//!
//! ```text
//! key ─▶ keymap ─▶ action ─▶ update(model, msg) ─▶ effects ─▶ runner ─▶ node
//!                               ▲                                        │
//!                               └───────────── msg ◀─────────────────────┘
//! model.version moved ─▶ view::draw ─▶ one write to the terminal
//! ```
//!
//! Nothing here awaits the network, and nothing outside depends on this module except `main` and tests.

mod action;
mod details;
mod effect;
mod headless;
mod key;
mod keymap;
mod layout;
mod model;
mod overlay;
mod pane;
mod panes;
mod plain;
mod record;
mod refresh;
mod replay;
mod run;
mod runner;
mod scope;
mod signals;
mod term;
mod theme;
mod update;
mod verbs;
mod view;
mod widgets;

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

pub use self::{headless::Headless, verbs::keys::KeyLine};
use self::{model::Model, record::Recorder, replay::Player, runner::DataFolder, theme::Theme};
use crate::{
    cause::Cause,
    config::{ColorDepth, ConfigError, Settings, SymbolSet, THEMES},
    files,
    node::{NodeConfig, Session},
    queue::broker::ShutdownReport,
};

/// The options of the screen.
#[derive(Debug, Clone)]
pub struct UiOptions {
    /// The name of one of [`THEMES`].
    pub theme: String,
    /// The colours of the terminal.
    pub depth: ColorDepth,
    /// The symbols to draw with.
    pub symbols: SymbolSet,
    /// Enables the mouse.
    pub mouse: bool,
    /// Keys that replace the defaults, by action name.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Disables every action that changes something.
    pub read_only: bool,
    /// Panics after the first frame, to test that the terminal is restored.
    pub crash_test: bool,
}

impl Default for UiOptions {
    /// The dark theme, 24-bit colours and Unicode symbols.
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

impl UiOptions {
    /// Returns the options in the settings. What is `auto` is detected from environment variables.
    #[must_use]
    pub fn from_settings(settings: &Settings, variable: impl Fn(&str) -> Option<String>) -> Self {
        let (color, symbols) = (settings.color.value, settings.symbols.value);
        Self {
            theme: settings.theme.value.to_owned(),
            depth: color.unwrap_or_else(|| ColorDepth::detect(&variable)),
            symbols: symbols.unwrap_or_else(|| SymbolSet::detect(&variable)),
            mouse: settings.mouse.value,
            keys: settings.keys.value.clone(),
            read_only: false,
            crash_test: false,
        }
    }
}

/// Returns the settings if their keys can be bound.
///
/// # Errors
/// [`ConfigError::Keys`] names the entry and its source.
pub fn check_keys(settings: Settings) -> Result<Settings, ConfigError> {
    match verbs::keys::bind_keys(&settings.keys.value) {
        Ok(_keymap) => Ok(settings),
        Err(why) => Err(ConfigError::Keys {
            from: settings.keys.source,
            reason: Cause::from_message(why),
        }),
    }
}

/// The screen, ready to be shown.
#[derive(Debug)]
pub struct Screen {
    model: Model,
    crash_test: bool,
    recorder: Option<Recorder>,
    folder: Option<DataFolder>,
}

/// The outcome of a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScreenOutcome {
    /// The reason for the exit.
    pub reason: ExitReason,
    /// A second quit skipped the shutdown.
    pub forced: bool,
    /// The tasks that were left unfinished.
    pub report: ShutdownReport,
}

/// The reason why a screen ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// The user quit.
    Quit,
    /// A signal, with its number.
    Signal(i32),
}

impl Screen {
    /// Creates a screen from the theme and the keys.
    ///
    /// # Errors
    /// Names what is wrong with them.
    pub fn new(options: &UiOptions) -> Result<Self, String> {
        let theme = Theme::load(&options.theme, options.depth, options.symbols)?;
        let keymap =
            verbs::keys::bind_keys(&options.keys).map_err(|why| format!("[keys]: {why}"))?;
        let mut model = Model::new(theme, keymap, jiff::tz::TimeZone::system());
        model.mouse = options.mouse;
        model.header.read_only = options.read_only;
        Ok(Self {
            model,
            crash_test: options.crash_test,
            recorder: None,
            folder: None,
        })
    }

    /// Lets the screen start a node with these settings, when the node that it shows ran in another process on the
    /// same data folder and has ended.
    pub fn set_local_node(&mut self, node: NodeConfig) {
        self.folder = Some(DataFolder(Arc::new(node)));
    }

    /// Records the session to a new file, for [`Screen::replay`].
    ///
    /// # Errors
    /// When the file exists or cannot be created.
    pub fn record(&mut self, path: &Path) -> Result<(), String> {
        let recorder = Recorder::create(path).map_err(|e| files::describe_file_error(path, &e))?;
        self.recorder = Some(recorder);
        Ok(())
    }

    /// Replays a recording on the terminal.
    ///
    /// # Errors
    /// When the file is not a recording, or the terminal cannot be read or written.
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

    /// Runs the plain interface: events as lines on standard output, commands from standard input.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn run_plain(self, session: Arc<Session>) -> io::Result<ScreenOutcome> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(plain::run(self.model, session));
        runtime.shutdown_background();
        outcome
    }

    /// Runs the screen on the terminal until it ends.
    ///
    /// # Errors
    /// When the terminal cannot be read or written. The terminal is restored in any case.
    pub fn run(self, session: Arc<Session>) -> io::Result<ScreenOutcome> {
        let in_tmux = std::env::var_os("TMUX").is_some();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(run::run(self, session, in_tmux));
        // Does not wait for an export that is still being written.
        runtime.shutdown_background();
        outcome
    }
}

/// Restores the terminal if the screen is using it. For panic hooks.
pub fn restore_terminal() {
    term::restore();
}

/// Returns every action of the screen with its keys.
#[must_use]
pub fn keys(settings: &Settings) -> Vec<KeyLine> {
    verbs::keys::lines(&settings.keys.value)
}

/// Returns all keys as a Markdown table.
#[must_use]
pub fn keys_markdown() -> String {
    verbs::keys::markdown()
}

#[cfg(test)]
mod tests;

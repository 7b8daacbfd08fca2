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

mod action;
mod addition;
mod arguments;
mod effect;
mod export;
mod headless;
mod key;
mod keymap;
mod layout;
mod model;
mod overlay;
mod pane;
mod panes;
mod run;
mod runner;
mod signals;
mod term;
mod text;
mod theme;
mod update;
mod view;
mod widgets;
mod wishes;

use std::{collections::BTreeMap, io, sync::Arc};

pub use self::{
    headless::Headless,
    theme::{Depth, SymbolSet, THEMES},
};
use self::{keymap::Keymap, model::Model, theme::Theme};
use crate::{node::Session, queue::broker::Drained};

/// How the screen is to look and listen.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name of one of [`THEMES`].
    pub theme: String,
    /// How many colours the terminal shows.
    pub depth: Depth,
    /// Which signs to draw with.
    pub symbols: SymbolSet,
    /// Whether to listen to the mouse.
    pub mouse: bool,
    /// Keys in place of the usual ones, by the name of the action.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Crash after the first frame, to see that the terminal is given back.
    pub crash_test: bool,
}

/// The screen, made ready but not shown.
#[derive(Debug)]
pub struct Screen {
    model: Model,
    crash_test: bool,
}

/// How the screen was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// By whom.
    pub how: How,
    /// It was asked for twice, and nothing was waited for.
    pub at_once: bool,
    /// What was left undone.
    pub drained: Drained,
}

/// Who ended the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
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
    pub fn new(options: &Options) -> Result<Self, String> {
        let theme = Theme::load(&options.theme, options.depth, options.symbols)?;
        let keymap = Keymap::new(&options.keys).map_err(|why| format!("[keys]: {why}"))?;
        let mut model = Model::new(theme, keymap, jiff::tz::TimeZone::system());
        model.mouse = options.mouse;
        Ok(Self {
            model,
            crash_test: options.crash_test,
        })
    }

    /// Shows the screen on the terminal until it is left.
    ///
    /// # Errors
    /// When the terminal cannot be read or written. It is given back all the same.
    pub fn run(self, session: Arc<Session>) -> io::Result<Outcome> {
        let in_tmux = std::env::var_os("TMUX").is_some();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(run::run(self.model, session, in_tmux, self.crash_test));
        // A file that is still being written may take its time; the person need not.
        runtime.shutdown_background();
        outcome
    }
}

/// Gives the terminal back if it is taken. For panic hooks.
pub fn give_back_terminal() {
    term::give_back();
}

/// All keys as a Markdown table, made from the table of actions.
#[must_use]
pub fn keys_markdown() -> String {
    keymap::markdown()
}

#[cfg(test)]
mod tests;

//! Symbols, in Unicode or in plain ASCII.

use std::borrow::Cow;

use ratatui::symbols::border;

use crate::{config::SymbolSet, net::naming::Health, queue::state::State};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Symbols {
    pub(crate) ellipsis: &'static str,
    pub(crate) border: border::Set<'static>,
    pub(crate) pointer: &'static str,
    pub(crate) dot: &'static str,
    pub(crate) arrow: &'static str,
    /// Bars of growing height, the first of them empty.
    pub(crate) bars: [&'static str; 9],
    pub(crate) timeline_empty: &'static str,
    pub(crate) scroll: &'static str,
    pub(crate) unicode: bool,
}

const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

impl Symbols {
    pub(super) const fn new(set: SymbolSet) -> Self {
        match set {
            SymbolSet::Unicode => Self {
                ellipsis: "…",
                border: border::ROUNDED,
                pointer: "▌",
                dot: "·",
                arrow: "→",
                bars: [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
                timeline_empty: "·",
                scroll: "▐",
                unicode: true,
            },
            SymbolSet::Ascii => Self {
                ellipsis: "~",
                border: ASCII_BORDER,
                pointer: ">",
                dot: "-",
                arrow: "->",
                bars: [" ", ".", ".", ":", ":", "|", "|", "#", "#"],
                timeline_empty: ".",
                scroll: "#",
                unicode: false,
            },
        }
    }

    /// Returns the symbol of a task state; it is shown beside the word.
    pub(crate) const fn state(&self, state: State) -> &'static str {
        match (state, self.unicode) {
            (State::Running, true) => "▶",
            (State::Running, false) => ">",
            (State::Retrying, true) => "↻",
            (State::Retrying, false) => "@",
            (State::Received, true) => "◔",
            (State::Received, false) => "r",
            (State::Queued, true) => "◦",
            (State::Queued, false) => "o",
            (State::Scheduled, true) => "◷",
            (State::Scheduled, false) => "t",
            (State::Failed, true) => "✗",
            (State::Failed, false) => "x",
            (State::Rejected, true) => "⊗",
            (State::Rejected, false) => "#",
            (State::Cancelled, true) => "⊘",
            (State::Cancelled, false) => "-",
            (State::Expired, true) => "◌",
            (State::Expired, false) => "e",
            (State::Succeeded, true) => "✓",
            (State::Succeeded, false) => "+",
            (State::Unknown, _) => "?",
        }
    }

    /// Replaces the symbols in a text of the program by ASCII if needed.
    pub(crate) fn adapt<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        if self.unicode || text.is_ascii() {
            return text;
        }
        Cow::Owned(text.replace('µ', "u").replace('…', self.ellipsis))
    }

    pub(crate) const fn health(&self, health: Health) -> &'static str {
        match (health, self.unicode) {
            (Health::Live, true) => "●",
            (Health::Live, false) => "*",
            (Health::Suspect, true) => "◐",
            (Health::Suspect, false) => "?",
        }
    }
}

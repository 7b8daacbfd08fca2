//! The event log: events of the system, and the actions of this screen with their results.

use std::collections::VecDeque;

use super::list::{Motion, Selection};
use crate::{
    queue::clock::Timestamp,
    ui::theme::{StyleRole, Symbols},
};

/// The maximum number of lines in the log.
pub(crate) const CAPACITY: usize = 2_000;

/// The subject of a line; it decides the colour of the label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Name,
    Call,
    Task,
    Worker,
    Program,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Call => "call",
            Self::Task => "task",
            Self::Worker => "worker",
            Self::Program => "program",
        }
    }
}

/// The severity of a line or a toast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Warn,
    Bad,
}

impl Tone {
    pub(crate) const fn role(self) -> StyleRole {
        match self {
            Self::Plain => StyleRole::Text,
            Self::Good => StyleRole::Good,
            Self::Warn => StyleRole::Warn,
            Self::Bad => StyleRole::Bad,
        }
    }

    pub(crate) const fn sign(self, symbols: &Symbols) -> &'static str {
        match (self, symbols.unicode) {
            (Self::Plain, true) => "·",
            (Self::Plain, false) => "-",
            (Self::Good, true) => "✓",
            (Self::Good, false) => "+",
            (Self::Warn, _) => "!",
            (Self::Bad, true) => "✗",
            (Self::Bad, false) => "x",
        }
    }
}

/// A line of the event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    pub(crate) at: Timestamp,
    pub(crate) kind: Kind,
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    /// Oldest first.
    lines: VecDeque<LogLine>,
    /// Events that were dropped because too many came at once.
    pub(crate) dropped: u64,
    /// Lines written since the start; a reader can tell how many are new.
    pub(crate) written: u64,
}

impl Log {
    pub(crate) fn push(&mut self, line: LogLine) {
        if self.lines.len() == CAPACITY {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
        self.written += 1;
    }

    /// Returns the number of lines.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Returns the newest `max` lines, oldest first.
    pub(crate) fn newest(&self, max: usize) -> impl Iterator<Item = &LogLine> {
        self.lines.range(self.lines.len().saturating_sub(max)..)
    }

    /// Returns the lines that match a filter, oldest first.
    pub(crate) fn matching<'a>(&'a self, filter: &str) -> Vec<&'a LogLine> {
        let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
        self.lines
            .iter()
            .filter(|line| line.matches(&words))
            .collect()
    }
}

impl LogLine {
    fn matches(&self, words: &[String]) -> bool {
        if words.is_empty() {
            return true;
        }
        let text = format!("{} {}", self.kind.as_str(), self.text.to_lowercase());
        words.iter().all(|word| match word.strip_prefix('!') {
            Some(word) => !text.contains(word),
            None => text.contains(word.as_str()),
        })
    }
}

/// The scroll position and the filter of the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) selection: Selection,
    /// A line is selected; otherwise the log follows the newest line.
    pub(crate) held: bool,
    pub(crate) filter: String,
}

impl View {
    pub(crate) fn move_selection(&mut self, motion: Motion, length: usize) {
        if !self.held {
            self.selection.at = length.saturating_sub(1);
            self.selection.clamp(length);
        }
        self.selection.move_selection(motion, length);
        self.held = self.selection.at + 1 < length;
    }

    /// Returns the selection to draw, for a log of this length.
    pub(crate) fn selection(&self, length: usize, height: usize) -> Selection {
        let mut selection = self.selection;
        selection.height = height;
        if !self.held {
            selection.at = length.saturating_sub(1);
        }
        selection.clamp(length);
        selection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: u64) -> LogLine {
        LogLine {
            at: Timestamp(n),
            kind: Kind::Task,
            tone: Tone::Plain,
            text: format!("line {n}"),
        }
    }

    #[test]
    fn the_log_is_bounded_and_counts_its_lines() {
        let mut log = Log::default();
        for n in 0..CAPACITY as u64 + 5 {
            log.push(line(n));
        }
        assert_eq!(log.matching("").len(), CAPACITY);
        assert_eq!(log.written, CAPACITY as u64 + 5);
        assert_eq!(log.matching("task !line").len(), 0);
        assert_eq!(log.matching("LINE 2004").len(), 1);
    }

    #[test]
    fn the_log_follows_the_newest_line_until_one_is_selected() {
        let mut view = View::default();
        assert_eq!(view.selection(100, 10).visible(100), 90..100);
        view.selection.height = 10;
        view.move_selection(Motion::Up(1), 100);
        assert!(view.held);
        assert_eq!(view.selection(120, 10).at, 98);
        view.move_selection(Motion::Bottom, 120);
        assert!(!view.held);
        assert_eq!(view.selection(130, 10).at, 129);
    }
}

//! The log: what happened, and what the program did, with its result and how long it took.

use std::collections::VecDeque;

use super::list::{Motion, Selection};
use crate::queue::task::Timestamp;

/// Lines that are kept.
pub(crate) const KEPT: usize = 2_000;

/// What a line is about; it decides its sign and colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Name,
    Call,
    Task,
    Worker,
    Program,
}

impl Kind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Call => "call",
            Self::Task => "task",
            Self::Worker => "worker",
            Self::Program => "program",
        }
    }
}

/// How good or bad a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Warn,
    Bad,
}

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
    /// Events that came too fast to be shown.
    pub(crate) dropped: u64,
    /// Lines ever written: a view can tell how many went since it looked.
    pub(crate) written: u64,
}

impl Log {
    pub(crate) fn push(&mut self, line: LogLine) {
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
        self.written += 1;
    }

    /// How many lines are kept.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The newest lines, oldest first.
    pub(crate) fn newest(&self, most: usize) -> impl Iterator<Item = &LogLine> {
        self.lines.range(self.lines.len().saturating_sub(most)..)
    }

    /// Lines that match a filter, oldest first.
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
        let text = format!("{} {}", self.kind.word(), self.text.to_lowercase());
        words.iter().all(|word| match word.strip_prefix('!') {
            Some(word) => !text.contains(word),
            None => text.contains(word.as_str()),
        })
    }
}

/// Where the log is being read.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) selection: Selection,
    /// A line is held; otherwise the newest is followed.
    pub(crate) held: bool,
    pub(crate) filter: String,
}

impl View {
    pub(crate) fn go(&mut self, motion: Motion, length: usize) {
        if !self.held {
            self.selection.at = length.saturating_sub(1);
            self.selection.settle(length);
        }
        self.selection.go(motion, length);
        self.held = self.selection.at + 1 < length;
    }

    /// The place to draw from, for a log of this length.
    pub(crate) fn place(&self, length: usize, height: usize) -> Selection {
        let mut place = self.selection;
        place.height = height;
        if !self.held {
            place.at = length.saturating_sub(1);
        }
        place.settle(length);
        place
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
    fn the_log_is_bounded_and_says_how_much_it_has_seen() {
        let mut log = Log::default();
        for n in 0..KEPT as u64 + 5 {
            log.push(line(n));
        }
        assert_eq!(log.matching("").len(), KEPT);
        assert_eq!(log.written, KEPT as u64 + 5);
        assert_eq!(log.matching("task !line").len(), 0);
        assert_eq!(log.matching("LINE 2004").len(), 1);
    }

    #[test]
    fn the_newest_line_is_followed_until_one_is_held() {
        let mut view = View::default();
        assert_eq!(view.place(100, 10).visible(100), 90..100);
        view.selection.height = 10;
        view.go(Motion::Up(1), 100);
        assert!(view.held);
        assert_eq!(view.place(120, 10).at, 98);
        view.go(Motion::Bottom, 120);
        assert!(!view.held);
        assert_eq!(view.place(130, 10).at, 129);
    }
}

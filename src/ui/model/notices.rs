//! Notices to the person: lines of the log, and toasts.

use super::{
    Model,
    events::{Kind, LogLine, Tone},
};

impl Model {
    /// Writes a line into the log.
    pub(crate) fn log(&mut self, kind: Kind, tone: Tone, text: impl Into<String>) {
        let line = LogLine {
            at: self.now,
            kind,
            tone,
            text: text.into(),
        };
        self.live_mut().log.push(line);
    }

    /// Shows a text for a moment.
    pub(crate) fn toast(&mut self, tone: Tone, text: impl Into<String>) {
        self.toasts.push(self.now, tone, text);
    }
}

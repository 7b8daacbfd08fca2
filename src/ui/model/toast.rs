//! Short messages that go away by themselves.

use std::{collections::VecDeque, time::Duration};

use super::events::Tone;
use crate::queue::task::Timestamp;

const SHOWN: Duration = Duration::from_secs(4);
const BAD_SHOWN: Duration = Duration::from_secs(8);
const MOST: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Toast {
    pub(crate) text: String,
    pub(crate) tone: Tone,
    until: Timestamp,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Toasts {
    shown: VecDeque<Toast>,
    /// How many there have been.
    said: u64,
}

impl Toasts {
    pub(crate) fn push(&mut self, now: Timestamp, tone: Tone, text: impl Into<String>) {
        let text = text.into();
        // The same message again is the same message.
        self.shown.retain(|toast| toast.text != text);
        if self.shown.len() == MOST {
            self.shown.pop_front();
        }
        let shown = if tone == Tone::Bad { BAD_SHOWN } else { SHOWN };
        self.shown.push_back(Toast {
            text,
            tone,
            until: now.after(shown),
        });
        self.said += 1;
    }

    /// Takes away what has been shown long enough; answers whether anything went.
    pub(crate) fn expire(&mut self, now: Timestamp) -> bool {
        let before = self.shown.len();
        self.shown.retain(|toast| toast.until > now);
        self.shown.len() != before
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.shown.iter().map(|toast| toast.until).min()
    }

    /// How many there have been, and what those say that came since there were fewer.
    pub(crate) fn since(&self, said: u64) -> (u64, Vec<String>) {
        let new = usize::try_from(self.said.saturating_sub(said)).unwrap_or(usize::MAX);
        let old = self.shown.len().saturating_sub(new);
        let texts = self.shown.iter().skip(old);
        (self.said, texts.map(|toast| toast.text.clone()).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Toast> {
        self.shown.iter()
    }
}

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
pub(crate) struct Toasts(VecDeque<Toast>);

impl Toasts {
    pub(crate) fn push(&mut self, now: Timestamp, tone: Tone, text: impl Into<String>) {
        let text = text.into();
        // The same message again is the same message.
        self.0.retain(|toast| toast.text != text);
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        let shown = if tone == Tone::Bad { BAD_SHOWN } else { SHOWN };
        self.0.push_back(Toast {
            text,
            tone,
            until: now.after(shown),
        });
    }

    /// Takes away what has been shown long enough; answers whether anything went.
    pub(crate) fn expire(&mut self, now: Timestamp) -> bool {
        let before = self.0.len();
        self.0.retain(|toast| toast.until > now);
        self.0.len() != before
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.0.iter().map(|toast| toast.until).min()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Toast> {
        self.0.iter()
    }
}

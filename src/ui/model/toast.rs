//! Toasts: short messages that disappear by themselves.

use std::{collections::VecDeque, time::Duration};

use super::events::Tone;
use crate::queue::clock::Timestamp;

const DURATION: Duration = Duration::from_secs(4);
const BAD_DURATION: Duration = Duration::from_secs(8);
const MAX_TOASTS: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Toast {
    pub(crate) text: String,
    pub(crate) tone: Tone,
    until: Timestamp,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Toasts {
    shown: VecDeque<Toast>,
    /// Toasts shown since the start.
    total: u64,
}

impl Toasts {
    pub(crate) fn push(&mut self, now: Timestamp, tone: Tone, text: impl Into<String>) {
        let text = text.into();
        // A repeated message replaces the first one.
        self.shown.retain(|toast| toast.text != text);
        if self.shown.len() == MAX_TOASTS {
            self.shown.pop_front();
        }
        let duration = if tone == Tone::Bad {
            BAD_DURATION
        } else {
            DURATION
        };
        self.shown.push_back(Toast {
            text,
            tone,
            until: now.after(duration),
        });
        self.total += 1;
    }

    /// Removes the toasts whose time is over; returns true if there were any.
    pub(crate) fn expire(&mut self, now: Timestamp) -> bool {
        let before = self.shown.len();
        self.shown.retain(|toast| toast.until > now);
        self.shown.len() != before
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.shown.iter().map(|toast| toast.until).min()
    }

    /// Returns the number of toasts so far, and the texts of those after the first `seen`.
    pub(crate) fn since(&self, seen: u64) -> (u64, Vec<String>) {
        let new = usize::try_from(self.total.saturating_sub(seen)).unwrap_or(usize::MAX);
        let old = self.shown.len().saturating_sub(new);
        let texts = self.shown.iter().skip(old);
        (self.total, texts.map(|toast| toast.text.clone()).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Toast> {
        self.shown.iter()
    }
}

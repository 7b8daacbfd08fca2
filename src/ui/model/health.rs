//! The findings of the node.

use std::time::Duration;

use crate::{
    health::{Finding, FindingKind},
    queue::clock::Timestamp,
    text::pluralize,
};

/// The interval in which a node with upstreams is asked: their loss causes no other event.
const INTERVAL: Duration = Duration::from_secs(5);

/// The findings of the node.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    pub(crate) findings: Vec<Finding>,
    /// The time of the next request; `None` while one is pending, or without a reason for one.
    due: Option<Timestamp>,
}

impl Health {
    /// Takes a reply. A node with upstreams or with findings is asked again later.
    pub(crate) fn received(&mut self, reply: Option<(Vec<Finding>, usize)>, now: Timestamp) {
        if let Some((findings, upstreams)) = reply {
            let is_asked_again = upstreams > 0 || !findings.is_empty();
            self.due = is_asked_again.then(|| now.after(INTERVAL));
            self.findings = findings;
        }
    }

    /// Asks again soon, because something has changed.
    pub(crate) fn ask_at(&mut self, time: Timestamp) {
        self.due = Some(self.due.map_or(time, |due| due.min(time)));
    }

    pub(crate) const fn deadline(&self) -> Option<Timestamp> {
        self.due
    }

    /// Reports, once, whether it is time to ask.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    /// The badge of the status bar: `UPSTREAM LOST`, or the number of findings.
    pub(crate) fn badge(&self) -> Option<String> {
        let is_upstream = |finding: &&Finding| {
            matches!(
                finding.kind,
                FindingKind::UpstreamUnreachable | FindingKind::UpstreamRefused
            )
        };
        let upstreams = self.findings.iter().filter(is_upstream).count();
        match (upstreams, self.findings.len()) {
            (_, 0) => None,
            (1, 1) => Some(" UPSTREAM LOST ".to_owned()),
            (lost, all) if lost == all => Some(format!(" {lost} UPSTREAMS LOST ")),
            (0, all) => Some(format!(" {} ", pluralize(all, "FINDING").to_uppercase())),
            (_, all) => Some(format!(
                " UPSTREAM LOST, {} ",
                pluralize(all, "FINDING").to_uppercase()
            )),
        }
    }
}

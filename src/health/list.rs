//! The list of findings: plain data, with the time as an argument.

use serde::{Deserialize, Serialize};

use super::kind::{FindingKind, Lifetime, RECENT};

/// The most findings of one kind; a further one replaces the oldest.
pub(super) const MAX_PER_KIND: usize = 8;
/// The most characters of a finding's text; the rest is cut off.
pub(super) const MAX_TEXT: usize = 600;
/// The shortest time between two log lines about one finding, in microseconds.
const LOG_INTERVAL: u64 = 60_000_000;

/// Something that is wrong with a node, or was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its kind, which has the severity and the next step.
    pub kind: FindingKind,
    /// The part of the node that it is about, such as a file or the key of an upstream; empty if there is only one.
    pub subject: String,
    /// A sentence that says what was found.
    pub text: String,
    /// The time of the first report, in microseconds since 1970.
    pub since: u64,
    /// The time of the last report, in microseconds since 1970.
    pub last: u64,
    /// The number of reports.
    pub count: u64,
}

/// The findings of one node, oldest first.
#[derive(Debug, Default)]
pub(super) struct FindingList {
    findings: Vec<LoggedFinding>,
}

#[derive(Debug)]
struct LoggedFinding {
    finding: Finding,
    /// The time of the last log line about it.
    logged: u64,
}

/// The change that a report made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reported {
    /// The finding is new or its text has changed, and was not logged a short time ago.
    pub(super) log: bool,
    /// The list has another finding or text than before.
    pub(super) changed: bool,
}

impl FindingList {
    /// Adds a finding, or counts another report of it.
    pub(super) fn report(
        &mut self,
        kind: FindingKind,
        subject: &str,
        text: &str,
        now: u64,
    ) -> Reported {
        self.remove_expired(now);
        let text: String = text.chars().take(MAX_TEXT).collect();
        if let Some(known) = self.find(kind, subject) {
            let finding = &mut known.finding;
            let changed = finding.text != text;
            finding.text = text;
            finding.last = now;
            finding.count = finding.count.saturating_add(1);
            let log = changed && now.saturating_sub(known.logged) >= LOG_INTERVAL;
            if log {
                known.logged = now;
            }
            return Reported { log, changed };
        }
        let of_kind = |known: &LoggedFinding| known.finding.kind == kind;
        if self.findings.iter().filter(|known| of_kind(known)).count() >= MAX_PER_KIND
            && let Some(oldest) = self.findings.iter().position(of_kind)
        {
            self.findings.remove(oldest);
        }
        let finding = Finding {
            kind,
            subject: subject.to_owned(),
            text,
            since: now,
            last: now,
            count: 1,
        };
        self.add(finding, now);
        Reported {
            log: true,
            changed: true,
        }
    }

    /// Adds a finding of an earlier process.
    pub(super) fn restore(&mut self, finding: Finding, now: u64) {
        let of_kind = self.findings.iter();
        let of_kind = of_kind.filter(|known| known.finding.kind == finding.kind);
        if of_kind.count() < MAX_PER_KIND {
            self.add(finding, now);
        }
    }

    fn add(&mut self, finding: Finding, now: u64) {
        self.findings.push(LoggedFinding {
            finding,
            logged: now,
        });
    }

    /// Removes a finding whose condition has ended, and returns it.
    pub(super) fn resolve(&mut self, kind: FindingKind, subject: &str) -> Option<Finding> {
        let is_it =
            |known: &LoggedFinding| known.finding.kind == kind && known.finding.subject == subject;
        let at = self.findings.iter().position(is_it)?;
        Some(self.findings.remove(at).finding)
    }

    /// Removes the findings that are stored, and returns their number.
    pub(super) fn acknowledge(&mut self) -> usize {
        let before = self.findings.len();
        self.findings.retain(|known| !is_stored(&known.finding));
        before - self.findings.len()
    }

    /// Returns the current findings: the most severe kinds first, the oldest first among equals.
    pub(super) fn current(&mut self, now: u64) -> Vec<Finding> {
        self.remove_expired(now);
        let mut all: Vec<Finding> = self
            .findings
            .iter()
            .map(|known| known.finding.clone())
            .collect();
        all.sort_by_key(|finding| (std::cmp::Reverse(finding.kind.severity()), finding.since));
        all
    }

    /// Returns the findings that are stored.
    pub(super) fn stored(&self) -> Vec<Finding> {
        let findings = self.findings.iter().map(|known| &known.finding);
        findings
            .filter(|finding| is_stored(finding))
            .cloned()
            .collect()
    }

    fn find(&mut self, kind: FindingKind, subject: &str) -> Option<&mut LoggedFinding> {
        let is_it = |known: &&mut LoggedFinding| {
            known.finding.kind == kind && known.finding.subject == subject
        };
        self.findings.iter_mut().find(is_it)
    }

    fn remove_expired(&mut self, now: u64) {
        let recent = u64::try_from(RECENT.as_micros()).unwrap_or(u64::MAX);
        self.findings.retain(|known| {
            known.finding.kind.lifetime() != Lifetime::Recent
                || now.saturating_sub(known.finding.last) < recent
        });
    }
}

fn is_stored(finding: &Finding) -> bool {
    finding.kind.lifetime().is_stored()
}

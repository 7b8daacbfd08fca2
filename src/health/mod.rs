//! The health of a node: one list of findings, each something that is wrong or was lost, with what to do about it.
//! The log, `doctor`, the metrics and the screen report this list.

mod kind;
mod list;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use self::{kind::Lifetime, list::FindingList};
use crate::files;

pub use self::{
    kind::{FindingKind, Severity},
    list::Finding,
};

/// The file of findings that stay until they are acknowledged.
const FILE: &str = "health.json";
/// The maximum size of that file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The findings of one node. Clones share them. They are bounded: a few of each kind, each with a bounded text.
#[derive(Debug, Clone, Default)]
pub struct Findings(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    list: Mutex<FindingList>,
    /// The folder of [`FILE`]; without one nothing is stored.
    folder: Option<PathBuf>,
}

impl Findings {
    /// Opens the findings of a data folder. Those of earlier processes that are not acknowledged yet are listed and
    /// logged again.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        let findings = Self(Arc::new(Shared {
            list: Mutex::default(),
            folder: Some(folder.to_owned()),
        }));
        let (restored, ended): (Vec<_>, Vec<_>) = stored(folder)
            .into_iter()
            .partition(|finding| finding.kind.lifetime() == Lifetime::UntilAcknowledged);
        let mut list = findings.lock();
        for finding in restored {
            log(finding.kind, &finding.text);
            list.restore(finding, now());
        }
        if !ended.is_empty() {
            findings.store(&list);
        }
        drop(list);
        findings
    }

    /// Reports a finding: it is listed and logged, and counted if it is listed already. `subject` tells findings of
    /// one kind apart, and must not be text that peers without a key can choose.
    pub fn report(&self, kind: FindingKind, subject: &str, text: &str) {
        let mut list = self.lock();
        let reported = list.report(kind, subject, text, now());
        if reported.log {
            log(kind, text);
        }
        if reported.changed && kind.lifetime().is_stored() {
            self.store(&list);
        }
    }

    /// Removes a finding whose condition has ended.
    pub fn resolve(&self, kind: FindingKind, subject: &str) {
        let mut list = self.lock();
        let Some(resolved) = list.resolve(kind, subject) else {
            return;
        };
        tracing::info!(kind = kind.as_str(), subject, "resolved");
        if resolved.kind.lifetime().is_stored() {
            self.store(&list);
        }
    }

    /// Removes the findings that stay until they are acknowledged, and returns their number.
    ///
    /// # Errors
    /// The system's error if that cannot be stored; they are listed again after a restart then.
    pub fn acknowledge(&self) -> io::Result<usize> {
        let mut list = self.lock();
        let count = list.acknowledge();
        match &self.0.folder {
            Some(folder) if count > 0 => write(folder, &list.stored())?,
            _ => {}
        }
        Ok(count)
    }

    /// Returns the current findings: the most severe first, the oldest first among equals.
    #[must_use]
    pub fn list(&self) -> Vec<Finding> {
        self.lock().current(now())
    }

    fn store(&self, list: &FindingList) {
        let Some(folder) = &self.0.folder else {
            return;
        };
        if let Err(error) = write(folder, &list.stored()) {
            tracing::warn!(%error, "the findings could not be stored");
        }
    }

    fn lock(&self) -> MutexGuard<'_, FindingList> {
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compares the identity: clones are equal.
impl PartialEq for Findings {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Findings {}

/// Returns the findings of a data folder that are not acknowledged yet. A file that cannot be read has none.
#[must_use]
pub fn stored(folder: &Path) -> Vec<Finding> {
    match files::read(&folder.join(FILE), MAX_FILE) {
        Ok(Some(text)) => serde_json::from_str(&text).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Acknowledges the findings of a data folder on which no node runs, and returns their number.
///
/// # Errors
/// The system's error if that cannot be stored.
pub fn acknowledge_stored(folder: &Path) -> io::Result<usize> {
    let count = stored(folder).len();
    if count > 0 {
        write(folder, &[])?;
    }
    Ok(count)
}

fn write(folder: &Path, findings: &[Finding]) -> io::Result<()> {
    files::replace(&folder.join(FILE), &serde_json::to_vec_pretty(findings)?)
}

fn log(kind: FindingKind, text: &str) {
    let (kind, next_step, severity) = (kind.as_str(), kind.next_step(), kind.severity());
    match severity {
        Severity::Warning => tracing::warn!(kind, next_step, "{text}"),
        Severity::Error => tracing::error!(kind, next_step, "{text}"),
    }
}

/// Returns the microseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

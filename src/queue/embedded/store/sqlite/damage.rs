//! Damage of the task file that was found while it was in use: reported at once, and marked in the data
//! folder, so that the next start salvages the file.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::error::{explain, is_damage};
use crate::{
    cause::Cause,
    files,
    health::{FindingKind, Findings},
    queue::index::rows::StorageError,
};

/// The mark; its content is the error.
const MARK: &str = "tasks.damaged";
/// The most bytes of the mark that are read.
const MAX_MARK: u64 = 4 << 10;

/// The place where damage is reported. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct DamageReporter(Arc<ReporterState>);

#[derive(Debug)]
struct ReporterState {
    mark: PathBuf,
    findings: Findings,
    reported: AtomicBool,
}

impl DamageReporter {
    pub(super) fn new(folder: &Path, findings: &Findings) -> Self {
        Self(Arc::new(ReporterState {
            mark: folder.join(MARK),
            findings: findings.clone(),
            reported: AtomicBool::new(false),
        }))
    }

    /// Adds a message for people to an error of SQLite, and reports it if it is damage of the file; `part`
    /// is what could not be read or written.
    pub(super) fn explain(&self, part: &str, error: rusqlite::Error) -> StorageError {
        if !is_damage(&error) {
            return explain(error);
        }
        self.report(
            &format!("{part} cannot be read completely"),
            &error.to_string(),
        );
        let why = format!(
            "{part} cannot be read completely, because the task file is damaged ({error}); restart the \
             node to salvage what can be read"
        );
        StorageError(Cause::described(why, error))
    }

    /// Reports damage; only the first one of this process, since the next start salvages the whole file.
    pub(super) fn report(&self, part: &str, error: &str) {
        if self.0.reported.swap(true, Ordering::Relaxed) {
            return;
        }
        let marked = match files::replace(&self.0.mark, error.as_bytes()) {
            Ok(()) => "the next start salvages what can be read".to_owned(),
            Err(why) => format!("the file cannot be marked for the next start ({why})"),
        };
        let text = format!("the task file is damaged: {part} ({error}); {marked}");
        let kind = FindingKind::TaskFileDamaged;
        self.0.findings.report(kind, "", &text);
    }
}

/// Returns the damage that an earlier process has found, if it is not salvaged yet.
pub(super) fn marked(folder: &Path) -> Option<String> {
    match files::read(&folder.join(MARK), MAX_MARK) {
        Ok(error) => error,
        Err(error) => Some(error.to_string()),
    }
}

/// Removes the mark of a file that has been salvaged.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(MARK)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

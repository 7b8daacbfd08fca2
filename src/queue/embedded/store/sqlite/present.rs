//! Notices when the task file or its log is deleted or replaced while it is in use: what is written then
//! goes to a file that nobody can open any more.

use std::path::{Path, PathBuf};

use super::replace::with_suffix;
use crate::{
    cause::Cause,
    files::FileIdentity,
    health::{FindingKind, Findings},
    queue::index::rows::StorageError,
};

/// The suffixes of the files that SQLite holds open: the task file, its log and the index of that.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// The files as they were when the store was opened.
#[derive(Debug)]
pub(super) struct OpenFiles {
    files: Vec<(PathBuf, FileIdentity)>,
    findings: Findings,
    is_gone: bool,
    /// Something was written to a file that is gone.
    is_lost: bool,
}

impl OpenFiles {
    /// Remembers the files of an open database. SQLite holds them open, so that no other file can become
    /// equal; opening and closing them here would drop its locks.
    pub(super) fn of(path: &Path, findings: &Findings) -> Self {
        let files = SUFFIXES.into_iter().filter_map(|suffix| {
            let path = with_suffix(path, suffix);
            FileIdentity::of(&path).ok().map(|file| (path, file))
        });
        Self {
            files: files.collect(),
            findings: findings.clone(),
            is_gone: false,
            is_lost: false,
        }
    }

    /// Checks that every file is still there, and reports when that has changed.
    pub(super) fn verify(&mut self) -> Result<(), StorageError> {
        let kind = FindingKind::TaskFileGone;
        let gone = self
            .files
            .iter()
            .find_map(|(path, file)| file.verify(path).err());
        let Some(gone) = gone else {
            if self.is_lost {
                let why =
                    "the task file was away while changes were written to it; restart the node";
                return Err(StorageError(Cause::from_message(why)));
            }
            if std::mem::take(&mut self.is_gone) {
                self.findings.resolve(kind, "");
            }
            return Ok(());
        };
        self.is_gone = true;
        self.findings
            .report(kind, "", &format!("no more tasks are accepted: {gone}"));
        Err(StorageError(Cause::from_error(gone)))
    }

    /// Checks the files after something was written to them.
    pub(super) fn verify_written(&mut self) -> Result<(), StorageError> {
        let verified = self.verify();
        self.is_lost |= verified.is_err();
        verified
    }
}

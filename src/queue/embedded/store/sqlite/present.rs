//! Notices when the task file or its log is deleted or replaced while it is in use: what is written then
//! goes to a file that nobody can open any more.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::replace::with_suffix;
use crate::{
    cause::Cause,
    files::FileIdentity,
    health::{FindingKind, Findings},
    queue::index::rows::StorageError,
};

/// The suffixes of the files that SQLite holds open: the task file, its log and the index of that.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// The age of a folder's last change from which a further one has another time.
const SETTLED: Duration = Duration::from_secs(1);

/// The state of a folder: it changes with each file that is created, deleted or renamed in it.
#[derive(Debug, PartialEq, Eq)]
struct FolderStamp {
    identity: FileIdentity,
    modified: SystemTime,
}

impl FolderStamp {
    fn of(folder: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(folder)?;
        Ok(Self {
            identity: FileIdentity::from(&metadata),
            modified: metadata.modified()?,
        })
    }

    fn is_settled(&self) -> bool {
        self.modified.elapsed().is_ok_and(|age| age >= SETTLED)
    }
}

/// The files as they were when the store was opened.
#[derive(Debug)]
pub(super) struct OpenFiles {
    folder: PathBuf,
    /// The folder at the last check of the files: while it has not changed, they need no other check.
    stamp: Option<FolderStamp>,
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
            folder: path.parent().unwrap_or(Path::new(".")).to_owned(),
            stamp: None,
            files: files.collect(),
            findings: findings.clone(),
            is_gone: false,
            is_lost: false,
        }
    }

    /// Checks that every file is still there, and reports when that has changed.
    pub(super) fn verify(&mut self) -> Result<(), StorageError> {
        let stamp = FolderStamp::of(&self.folder).ok();
        if stamp.is_some() && stamp == self.stamp {
            return Ok(());
        }
        self.verify_each()?;
        self.stamp = stamp.filter(FolderStamp::is_settled);
        Ok(())
    }

    fn verify_each(&mut self) -> Result<(), StorageError> {
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
        self.stamp = None;
        self.findings
            .report(kind, "", &format!("no more tasks are accepted: {gone}"));
        Err(StorageError(Cause::from_error(gone)))
    }

    /// Checks the files after something was written to them.
    pub(super) fn verify_written(&mut self) -> Result<(), StorageError> {
        let verified = self.verify();
        if verified.is_err() {
            self.is_lost = true;
            self.stamp = None;
        }
        verified
    }
}

//! Replaces the task file by a new one, so that a crash at any moment leaves the old or the new one
//! whole, each with its own write-ahead log, and leaves the old one under a name of its own.
//!
//! The new file is written under [`NEW`], synced, and renamed to [`READY`]: from there on it counts, and a
//! start that finds it completes the replacement.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::files;

/// The suffix of a new file that is being written.
const NEW: &str = ".new";
/// The suffix of a new file that is complete.
const READY: &str = ".ready";
/// The suffixes of the files that belong to a task file: its write-ahead log and the index of that.
const LOGS: [&str; 2] = ["-wal", "-shm"];
/// Names that are tried for a file that is kept.
const MAX_NAMES: u32 = 1_000;

/// Returns a path with a suffix added to its file name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Creates the new file, empty; one that was left behind is removed.
pub(super) fn create_new(path: &Path) -> io::Result<PathBuf> {
    let new = with_suffix(path, NEW);
    for suffix in ["", "-journal", "-wal", "-shm"] {
        remove(&with_suffix(&new, suffix))?;
    }
    files::create_new(&new)?;
    Ok(new)
}

/// Replaces the task file by the new one, which is complete and closed.
pub(super) fn replace(path: &Path) -> io::Result<()> {
    let (new, ready) = (with_suffix(path, NEW), with_suffix(path, READY));
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, &ready)?;
    sync_folder_of(path)?;
    complete(path)
}

/// Completes a replacement that a crash has interrupted; does nothing if there is none.
pub(super) fn complete(path: &Path) -> io::Result<()> {
    let ready = with_suffix(path, READY);
    if !ready.try_exists()? {
        return Ok(());
    }
    // The log of the old file must never be applied to the new one.
    for suffix in LOGS {
        remove(&with_suffix(path, suffix))?;
    }
    sync_folder_of(path)?;
    fs::rename(&ready, path)?;
    sync_folder_of(path)
}

/// Gives the task file and its log a second name, `label` with the time, under which they stay when
/// they are replaced; returns that of the file. No file is ever overwritten.
pub(super) fn keep_old(path: &Path, label: &str) -> io::Result<PathBuf> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    for attempt in 0..MAX_NAMES {
        let millis = now.as_millis() + u128::from(attempt);
        let kept = with_suffix(path, &format!(".{label}-{millis}"));
        match second_name(path, &kept) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            named => named?,
        }
        match second_name(&with_suffix(path, "-wal"), &with_suffix(&kept, "-wal")) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            named => named?,
        }
        sync_folder_of(path)?;
        return Ok(kept);
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Removes what [`keep_old`] has named, because the file is not replaced after all.
pub(super) fn forget(kept: &Path) {
    for suffix in ["", "-wal"] {
        remove(&with_suffix(kept, suffix)).ok();
    }
}

/// Links a file, or copies it where the file system has no links.
fn second_name(path: &Path, kept: &Path) -> io::Result<()> {
    match fs::hard_link(path, kept) {
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
            ) =>
        {
            let mut from = fs::File::open(path)?;
            let mut to = files::create_new(kept)?;
            io::copy(&mut from, &mut to)?;
            to.sync_all()
        }
        linked => linked,
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    files::sync_folder(path.parent().unwrap_or(Path::new(".")))
}

//! Copies of the task file: a backup while an engine may run on it, and its restoration when none does.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};
use tempfile::NamedTempFile;

use super::{
    damage,
    error::explain,
    open::{DATABASE, IN_FLIGHT, OpenError, lock},
    replace,
    schema::{self, MigrateError},
    write::save_last_id,
};
use crate::{
    cause::Cause,
    files,
    queue::{executor::in_flight::InFlightFile, index::rows::StorageError},
};

/// Pages that are copied in one step.
const STEP_PAGES: i32 = 1_024;

/// A restored backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The number of tasks in it.
    pub tasks: usize,
    /// The path of the previous file; `None` if there was none.
    pub previous: Option<PathBuf>,
}

/// The reason why a backup was not made or not restored. The task file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no task file.
    #[error("there is no task file at {0}; choose another folder with --data-dir")]
    Missing(PathBuf),
    /// An engine runs on the data folder.
    #[error("the tasks cannot be restored now: {0}")]
    InUse(#[source] Cause),
    /// The file is no backup, or of a newer version.
    #[error("{path} cannot be restored: {why}")]
    Rejected {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        why: Cause,
    },
    /// The content of a file is damaged.
    #[error("{path} is damaged ({why}){advice}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The damage.
        why: String,
        /// The next step.
        advice: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{}", files::describe_file_error(path, error))]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: io::Error,
    },
    /// SQLite reports an error.
    #[error("cannot copy the tasks: {0}")]
    Copy(#[source] Cause),
}

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> Self {
        let StorageError(why) = explain(error);
        Self::Copy(why)
    }
}

/// Copies the task file of a data folder to a new file, as it is at one moment, while an engine may go on
/// writing; returns the number of tasks.
///
/// # Errors
/// [`BackupError`]; then there is no new file.
pub fn back_up(folder: &Path, target: &Path) -> Result<usize, BackupError> {
    let path = folder.join(DATABASE);
    if !path.exists() {
        return Err(BackupError::Missing(path));
    }
    let failed = |error| BackupError::Io {
        path: target.to_owned(),
        error,
    };
    let beside = target.parent().filter(|folder| *folder != Path::new(""));
    let beside = beside.unwrap_or(Path::new("."));
    // The crate creates files with mode 0600.
    let new = NamedTempFile::new_in(beside).map_err(failed)?;
    let advice = "; restart the node, which salvages what can be read, and try again";
    let tasks = copy(&path, new.path(), advice)?;
    new.as_file().sync_all().map_err(failed)?;
    new.persist_noclobber(target)
        .map_err(|refused| failed(refused.error))?;
    files::sync_folder(beside).map_err(failed)?;
    Ok(tasks)
}

/// Replaces the task file of a data folder by a backup. The previous file stays under another name, and ids
/// that were given out since the backup are not used again.
///
/// # Errors
/// [`BackupError`]; then nothing has changed.
pub fn restore(folder: &Path, backup: &Path) -> Result<Restored, BackupError> {
    let io_error = |path: &Path| {
        let path = path.to_owned();
        move |error| BackupError::Io { path, error }
    };
    if !backup.is_file() {
        return Err(io_error(backup)(io::ErrorKind::NotFound.into()));
    }
    files::create_folder(folder).map_err(io_error(folder))?;
    let _lock =
        lock(folder).map_err(|error: OpenError| BackupError::InUse(Cause::from_error(error)))?;
    let path = folder.join(DATABASE);
    let in_flight_path = folder.join(IN_FLIGHT);
    let (in_flight, recorded) =
        InFlightFile::open(&in_flight_path).map_err(io_error(&in_flight_path))?;
    replace::complete(&path).map_err(io_error(&path))?;
    let new = replace::create_new(&path).map_err(io_error(&path))?;
    let tasks = copy(backup, &new, "; choose an older backup")?;
    let mut db = Connection::open(&new)?;
    schema::migrate(&mut db).map_err(|error| match error {
        MigrateError::Sqlite(error) => error.into(),
        error => BackupError::Rejected {
            path: backup.to_owned(),
            why: Cause::from_error(error),
        },
    })?;
    save_last_id(&db, recorded.last_acknowledged)?;
    let last_id: i64 =
        db.query_row("SELECT value FROM meta WHERE name = 'last_id'", (), |row| {
            row.get(0)
        })?;
    db.close().map_err(|(_, error)| error)?;
    let previous = match path.exists() {
        true => Some(replace::keep_old(&path, "replaced").map_err(io_error(&path))?),
        false => None,
    };
    replace::replace(&path).map_err(io_error(&path))?;
    damage::clear(folder).map_err(io_error(folder))?;
    in_flight
        .reset(u64::try_from(last_id).unwrap_or_default())
        .map_err(io_error(&in_flight_path))?;
    Ok(Restored { tasks, previous })
}

/// Copies a task file and checks the copy; returns the number of tasks. `advice` is for a damaged file.
fn copy(from: &Path, to: &Path, advice: &'static str) -> Result<usize, BackupError> {
    let damaged = |why: String| BackupError::Damaged {
        path: from.to_owned(),
        why,
        advice,
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags)?;
    let checked = schema::check(&source).map_err(|error| match error {
        MigrateError::Sqlite(error) => damaged(error.to_string()),
        error => BackupError::Rejected {
            path: from.to_owned(),
            why: Cause::from_error(error),
        },
    });
    checked?;
    // A reader's view of one moment, which delays no writer.
    source.execute_batch("BEGIN")?;
    source.query_row("SELECT count(*) FROM meta", (), |_| Ok(()))?;
    let mut copy = Connection::open(to)?;
    let backup = Backup::new(&source, &mut copy)?;
    while backup.step(STEP_PAGES)? != StepResult::Done {}
    drop(backup);
    // One file, without a log beside it.
    copy.pragma_update(None, "journal_mode", "delete")?;
    let found: String = copy
        .query_row("PRAGMA integrity_check(1)", (), |row| row.get(0))
        .map_err(|error| damaged(error.to_string()))?;
    if found != "ok" {
        return Err(damaged(found));
    }
    let tasks: i64 = copy.query_row(
        "SELECT (SELECT count(*) FROM unfinished) + (SELECT count(*) FROM finished)",
        (),
        |row| row.get(0),
    )?;
    copy.close().map_err(|(_, error)| error)?;
    Ok(usize::try_from(tasks).unwrap_or_default())
}

//! Errors of SQLite in plain words.

use rusqlite::ErrorCode;

use crate::{cause::Cause, queue::index::rows::StorageError};

/// Adds a message for people to an error of SQLite.
pub(super) fn explain(error: rusqlite::Error) -> StorageError {
    use ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase,
        ReadOnly, SystemIoFailure,
    };
    let what = match error.sqlite_error_code() {
        Some(DiskFull) => "the disk is full",
        Some(DatabaseBusy | DatabaseLocked) => "another program is holding the task file",
        Some(ReadOnly) => "the task file is read-only",
        Some(SystemIoFailure) => "the disk reports an error",
        Some(DatabaseCorrupt | NotADatabase) => "the task file is damaged",
        Some(CannotOpen) => "the task file cannot be opened",
        _ => "SQLite reports an error",
    };
    StorageError(Cause::described(format!("{what} ({error})"), error))
}

pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// Returns true for errors that have nothing to do with the content of the file.
pub(super) fn is_of_system(error: &rusqlite::Error) -> bool {
    use ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, FileLockingProtocolFailed, OutOfMemory,
        PermissionDenied, SystemIoFailure,
    };
    matches!(
        error.sqlite_error_code(),
        Some(
            CannotOpen
                | DatabaseBusy
                | DatabaseLocked
                | DiskFull
                | FileLockingProtocolFailed
                | OutOfMemory
                | PermissionDenied
                | SystemIoFailure
        )
    )
}

//! Errors of SQLite in plain words.

use rusqlite::ErrorCode;

use crate::queue::index::rows::StorageError;

/// An error of SQLite as a message for people.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands in `map_err`, which passes by value"
)]
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
    StorageError(format!("{what} ({error})"))
}

pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

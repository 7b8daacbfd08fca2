//! The pragmas of both connections. SQLite ignores a pragma that it does not know, so they are verified.

use std::{path::Path, time::Duration};

use rusqlite::Connection;

use super::{
    error::{explain, is_damage, is_of_system},
    salvage,
    schema::MigrateError,
};
use crate::{
    cause::Cause,
    queue::{
        index::rows::StorageError,
        storage::{Durability, StorageConfig},
    },
};

/// The longest wait for another program, such as an `sqlite3` shell, to release the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages in the write-ahead log before a checkpoint: 16 MiB.
const CHECKPOINT_PAGES: i64 = 4_096;
/// The size to which an empty write-ahead log is truncated, in bytes.
const LOG_SIZE_LIMIT: i64 = 64 << 20;
/// The page cache, in KiB.
const CACHE_KIB: i64 = 16 << 10;
/// The cache of prepared statements.
const STATEMENT_CACHE: usize = 64;

/// An error that occurred while the file was opened.
pub(super) enum WriterSetupError {
    Sqlite(rusqlite::Error),
    Migrate(MigrateError),
    Setting(String),
    Salvage(Cause),
}

impl From<rusqlite::Error> for WriterSetupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<MigrateError> for WriterSetupError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Sqlite(error) => Self::Sqlite(error),
            error => Self::Migrate(error),
        }
    }
}

impl WriterSetupError {
    /// Returns the damage of the file at `path` that is behind the error, if it is damage. A changed byte
    /// may also make a file look like that of another program or version.
    pub(super) fn damage(&self, path: &Path) -> Option<String> {
        match self {
            Self::Sqlite(error) if is_damage(error) => Some(error.to_string()),
            Self::Sqlite(error) if is_of_system(error) => None,
            Self::Sqlite(error) => salvage::is_ours(path).then(|| error.to_string()),
            Self::Migrate(error @ MigrateError::Newer(_)) => {
                salvage::is_of_this_version(path).then(|| error.to_string())
            }
            Self::Migrate(error) => salvage::is_ours(path).then(|| error.to_string()),
            Self::Setting(_) | Self::Salvage(_) => None,
        }
    }

    pub(super) fn into_cause(self) -> Cause {
        match self {
            Self::Sqlite(error) => {
                let StorageError(why) = explain(error);
                why
            }
            Self::Migrate(error) => Cause::from_error(error),
            Self::Setting(why) => Cause::from_message(why),
            Self::Salvage(why) => why,
        }
    }
}

pub(super) fn set_up_writer(
    db: &Connection,
    config: &StorageConfig,
) -> Result<(), WriterSetupError> {
    // `full` syncs every commit, `normal` only checkpoints.
    let synchronous = match config.durability {
        Durability::Power => 2,
        Durability::Process | Durability::Memory => 1,
    };
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", synchronous)?;
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    db.pragma_update(None, "journal_size_limit", LOG_SIZE_LIMIT)?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.pragma_update(None, "temp_store", 2)?;
    db.pragma_update(None, "trusted_schema", false)?;
    // SQLite ignores what it does not know, so every value is read back.
    let mode: String = db.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode != "wal" {
        return Err(WriterSetupError::Setting(format!(
            "SQLite uses journal mode `{mode}` there instead of `wal`; choose a folder on another file \
             system with --data-dir"
        )));
    }
    let expected = [
        ("synchronous", synchronous),
        ("wal_autocheckpoint", CHECKPOINT_PAGES),
        ("journal_size_limit", LOG_SIZE_LIMIT),
        ("cache_size", -CACHE_KIB),
        ("temp_store", 2),
        ("trusted_schema", 0),
    ];
    for (name, wanted) in expected {
        let found: i64 = db.pragma_query_value(None, name, |row| row.get(0))?;
        if found != wanted {
            return Err(WriterSetupError::Setting(format!(
                "SQLite has set `{name}` to {found} instead of {wanted}"
            )));
        }
    }
    Ok(())
}

pub(super) fn set_up_reader(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    db.pragma_update(None, "query_only", true)?;
    db.pragma_update(None, "trusted_schema", false)
}

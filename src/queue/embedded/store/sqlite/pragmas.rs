//! What SQLite is told about the file, and that it has understood: it passes over what it does not know.

use std::time::Duration;

use rusqlite::Connection;

use super::{explain, is_damage, schema::MigrateError};
use crate::queue::embedded::store::{Durability, StoreConfig, StoreError};

/// How long to wait for somebody's `sqlite3` shell.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pages in the log before they are moved into the file: 16 MiB.
const CHECKPOINT: i64 = 4_096;
/// The log is cut to this size when it is empty, in bytes.
const MAX_ATTEMPTS_HISTORY: i64 = 64 << 20;
/// Memory for pages, in KiB.
const CACHE: i64 = 16 << 10;
/// Statements that are kept prepared.
const STATEMENTS: usize = 64;

/// Why the file is not open.
pub(super) enum Trouble {
    Sqlite(rusqlite::Error),
    Migrate(MigrateError),
    Setting(String),
    Salvage(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<MigrateError> for Trouble {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Sqlite(error) => Self::Sqlite(error),
            error => Self::Migrate(error),
        }
    }
}

impl Trouble {
    pub(super) fn is_damage(&self) -> bool {
        matches!(self, Self::Sqlite(error) if is_damage(error))
    }

    pub(super) fn words(self) -> String {
        match self {
            Self::Sqlite(error) => {
                let StoreError(why) = explain(error);
                why
            }
            Self::Migrate(error) => error.to_string(),
            Self::Setting(why) | Self::Salvage(why) => why,
        }
    }
}

pub(super) fn set_up_writer(db: &Connection, config: &StoreConfig) -> Result<(), Trouble> {
    // The others are sizes; these two are promises.
    let synchronous = match config.durability {
        Durability::Power => 2,
        Durability::Process | Durability::Memory => 1,
    };
    db.busy_timeout(PATIENCE)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", synchronous)?;
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
    db.pragma_update(None, "journal_size_limit", MAX_ATTEMPTS_HISTORY)?;
    db.pragma_update(None, "cache_size", -CACHE)?;
    db.pragma_update(None, "temp_store", 2)?;
    db.pragma_update(None, "trusted_schema", false)?;
    // SQLite passes over what it does not understand, so everything is read back.
    let mode: String = db.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Trouble::Setting(format!(
            "SQLite keeps its journal as `{mode}` there and not as a log; choose a folder on another \
             file system with --data-dir"
        )));
    }
    let expected = [
        ("synchronous", synchronous),
        ("wal_autocheckpoint", CHECKPOINT),
        ("journal_size_limit", MAX_ATTEMPTS_HISTORY),
        ("cache_size", -CACHE),
        ("temp_store", 2),
        ("trusted_schema", 0),
    ];
    for (name, wanted) in expected {
        let found: i64 = db.pragma_query_value(None, name, |row| row.get(0))?;
        if found != wanted {
            return Err(Trouble::Setting(format!(
                "SQLite has set `{name}` to {found} and not to {wanted}"
            )));
        }
    }
    Ok(())
}

pub(super) fn set_up_reader(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(PATIENCE)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.pragma_update(None, "query_only", true)?;
    db.pragma_update(None, "trusted_schema", false)
}

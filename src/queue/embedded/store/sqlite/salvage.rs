//! Salvages a damaged file: it is moved aside, and its intact tasks are copied to a new one.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rusqlite::Connection;

use super::pragmas::WriterSetupError;
use crate::cause::Cause;

/// Unreadable gaps after which a table is abandoned.
const MAX_GAPS: u32 = 10_000;

/// Renames the file and its write-ahead log; returns the new path.
pub(super) fn move_aside(path: &Path) -> Result<PathBuf, Cause> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let aside = with_suffix(path, &format!(".damaged-{}", now.as_millis()));
    for suffix in ["", "-wal"] {
        let (from, to) = (with_suffix(path, suffix), with_suffix(&aside, suffix));
        match std::fs::rename(&from, &to) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => {
                let context = format!("it is damaged and cannot be moved to {}", to.display());
                return Err(Cause::in_context(context, e));
            }
        }
    }
    // The index of the log, which is created again.
    std::fs::remove_file(with_suffix(path, "-shm")).ok();
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Copies the intact tasks of the damaged file; returns the number of tasks copied and lost.
pub(super) fn copy_intact(
    damaged: &Path,
    db: &mut Connection,
) -> Result<(usize, usize), WriterSetupError> {
    let name = damaged.to_string_lossy();
    if db.execute("ATTACH DATABASE ?1 AS old", [&name]).is_err() {
        return Ok((0, 0));
    }
    let tx = db.transaction()?;
    let (mut saved, mut lost) = (0, 0);
    for table in ["unfinished", "finished"] {
        let (copied, unreadable) = copy_table(&tx, table, &shared_columns(&tx, table)?);
        saved += copied;
        lost += unreadable;
    }
    for table in ["attempts", "submits"] {
        // Errors in these tables lose no task.
        let columns = shared_columns(&tx, table)?;
        tx.execute_batch(&format!(
            "INSERT OR IGNORE INTO {table} ({columns}) SELECT {columns} FROM old.{table}"
        ))
        .ok();
    }
    let last_id =
        "UPDATE meta SET value = max(value, (SELECT value FROM old.meta WHERE name = 'last_id'))";
    tx.execute_batch(last_id).ok();
    tx.commit()?;
    db.execute_batch("DETACH DATABASE old").ok();
    Ok((saved, lost))
}

/// The columns of a table that the damaged file has too: one of an older version has fewer.
fn shared_columns(db: &Connection, table: &str) -> rusqlite::Result<String> {
    let sql = "SELECT group_concat(name, ', ') FROM pragma_table_info(?1, 'main') \
               WHERE name IN (SELECT name FROM pragma_table_info(?1, 'old'))";
    let columns: Option<String> = db.query_row(sql, [table], |row| row.get(0))?;
    // A table that the file does not have has no columns to copy; copying fails and loses nothing.
    Ok(columns.unwrap_or_else(|| "id".to_owned()))
}

/// Copies a table row by row, and skips gaps that cannot be read.
fn copy_table(db: &Connection, table: &str, columns: &str) -> (usize, usize) {
    let next = format!("SELECT id FROM old.{table} WHERE id > ?1 ORDER BY id LIMIT 1");
    let one = format!(
        "INSERT OR IGNORE INTO {table} ({columns}) SELECT {columns} FROM old.{table} WHERE id = ?1"
    );
    let (mut saved, mut lost, mut gaps) = (0, 0, 0);
    let (mut at, mut leap) = (0_i64, 1_i64);
    while gaps < MAX_GAPS {
        let found = db
            .prepare_cached(&next)
            .and_then(|mut statement| statement.query_row([at], |row| row.get::<_, i64>(0)));
        match found {
            Ok(id) => {
                leap = 1;
                at = id;
                let copied = db
                    .prepare_cached(&one)
                    .and_then(|mut statement| statement.execute([id]));
                match copied {
                    Ok(n) => saved += n,
                    Err(_damaged) => lost += 1,
                }
            }
            Err(rusqlite::Error::QueryReturnedNoRows) => break,
            Err(_damaged) => {
                gaps += 1;
                let Some(further) = at.checked_add(leap) else {
                    break;
                };
                at = further;
                leap = leap.saturating_mul(2).min(1 << 40);
            }
        }
    }
    (saved, lost)
}

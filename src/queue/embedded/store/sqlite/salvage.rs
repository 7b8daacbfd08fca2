//! What to do with a damaged file: it is kept, and everything that is whole in it is taken over.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rusqlite::Connection;

use super::{
    pragmas::Trouble,
    schema::{COLUMNS, END_COLUMNS},
};

/// Gaps that are looked behind before a table is given up.
const MAX_GAPS: u32 = 10_000;

/// Renames the file and what belongs to it; answers where it is now.
pub(super) fn put_aside(path: &Path) -> Result<PathBuf, String> {
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
                return Err(format!(
                    "it is damaged and cannot be put aside as {}: {e}",
                    to.display()
                ));
            }
        }
    }
    // An index into the log, which is made anew.
    std::fs::remove_file(with_suffix(path, "-shm")).ok();
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Copies what can be read from the damaged file; answers how many tasks that were, and how many were
/// there and could not be copied.
pub(super) fn take_over(damaged: &Path, db: &mut Connection) -> Result<(usize, usize), Trouble> {
    let name = damaged.to_string_lossy();
    if db.execute("ATTACH DATABASE ?1 AS old", [&name]).is_err() {
        return Ok((0, 0));
    }
    let tx = db.transaction()?;
    let (mut saved, mut lost) = (0, 0);
    let tables = [
        ("waiting", COLUMNS.to_owned()),
        ("ended", format!("{COLUMNS}, {END_COLUMNS}")),
    ];
    for (table, columns) in tables {
        let (copied, refused) = copy(&tx, table, &columns);
        saved += copied;
        lost += refused;
    }
    for table in ["attempts", "submits"] {
        // These only belong to something; what cannot be read of them is no task less.
        tx.execute_batch(&format!(
            "INSERT OR IGNORE INTO {table} SELECT * FROM old.{table}"
        ))
        .ok();
    }
    let number =
        "UPDATE meta SET value = max(value, (SELECT value FROM old.meta WHERE name = 'last_id'))";
    tx.execute_batch(number).ok();
    tx.commit()?;
    db.execute_batch("DETACH DATABASE old").ok();
    Ok((saved, lost))
}

/// Walks the ids of a table, and behind each gap that cannot be read tries further on.
fn copy(db: &Connection, table: &str, columns: &str) -> (usize, usize) {
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

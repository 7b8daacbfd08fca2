//! Salvages a damaged task file: whatever can be read of it is copied to a new file, which replaces it,
//! and it is kept under another name.
//!
//! SQLite makes a connection read-only for good at the first damaged page, and gives up a whole table
//! for a damaged root. So the old file is read here page by page, without SQLite and without a change to
//! it: the trees past what is damaged, and then the pages that no tree reaches any more.

mod copy;
mod image;
mod log;
mod page;
#[cfg(test)]
mod tests;
mod tree;

use std::{convert::Infallible, io, path::Path};

use rusqlite::{Connection, types::Value};

use self::{
    copy::{Copied, Copier},
    image::Image,
    tree::{FoundRow, Gap, Trees},
};
use super::{
    error::explain,
    replace,
    schema::{self, MigrateError},
};
use crate::{
    cause::Cause,
    health::{FindingKind, Findings},
    queue::{id::TaskId, index::rows::StorageError, storage::Damage},
    text::pluralize,
};

/// The tables of tasks; the finished ones first, because a task that has finished does not run again.
const TASK_TABLES: [&str; 2] = ["finished", "unfinished"];
/// The tables without which no task is lost.
const SIDE_TABLES: [&str; 3] = ["attempts", "submits", "meta"];

/// The reason why a file cannot be salvaged; it is as it was.
#[derive(Debug, thiserror::Error)]
pub(super) enum SalvageError {
    #[error("it is damaged and cannot be copied: {0}")]
    Io(#[from] io::Error),
    #[error("it is damaged and no new file can be written: {0}")]
    Write(#[from] rusqlite::Error),
    #[error("it is damaged and no new file can be written: {0}")]
    Schema(#[from] MigrateError),
}

impl SalvageError {
    pub(super) fn into_cause(self) -> Cause {
        match self {
            Self::Write(error) => {
                let StorageError(why) = explain(error);
                Cause::in_context("it is damaged and no new file can be written", why)
            }
            error => Cause::from_error(error),
        }
    }
}

/// Replaces a damaged file by a new one with all tasks that can be read. `error` is the damage, and
/// `acknowledged` the highest id that was ever acknowledged, as far as it is known.
pub(super) fn salvage(
    path: &Path,
    error: String,
    acknowledged: u64,
    findings: &Findings,
) -> Result<Damage, SalvageError> {
    let mut image = Image::open(path)?;
    image.commit();
    let kept = replace::keep_old(path, "damaged")?;
    let copied = copy_all(&image, path, acknowledged).inspect_err(|_| replace::forget(&kept))?;
    let ids = |(first, last)| (TaskId::Sequence(first), TaskId::Sequence(last));
    let damage = Damage {
        error,
        moved_to: kept,
        salvaged: copied.salvaged,
        lost: copied.lost,
        range: copied.range.map(ids),
    };
    // First, so that no crash leaves a new file and nobody who knows.
    let subject = damage.moved_to.display().to_string();
    findings.report(FindingKind::TasksSalvaged, &subject, &damage.to_string());
    replace::replace(path)?;
    Ok(damage)
}

/// Returns what is wrong with the write-ahead log, if SQLite would silently drop committed parts of it:
/// everything behind a page that cannot be read, or all of it beside an empty file. `acknowledged` is the
/// highest id that was ever acknowledged, as far as it is known.
pub(super) fn log_damage(path: &Path, acknowledged: u64) -> io::Result<Option<String>> {
    let image = match Image::open(path) {
        Ok(image) => image,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    if image.is_log_alone() {
        return Ok(Some(
            "it is empty, and its write-ahead log is not".to_owned(),
        ));
    }
    if image.damaged_frames() > 0 {
        let damaged = pluralize(image.damaged_frames(), "committed page");
        return Ok(Some(format!(
            "{damaged} of its write-ahead log cannot be read"
        )));
    }
    // A crash leaves transactions without a commit, and nothing of them was acknowledged.
    let lost = image.is_uncommitted() && highest_id(&image) < acknowledged;
    Ok(lost.then(|| "the end of its write-ahead log cannot be read".to_owned()))
}

/// The highest id of a stored task.
fn highest_id(image: &Image) -> u64 {
    let mut trees = Trees::new(image);
    let schema = Schema::read(&mut trees);
    let roots = TASK_TABLES.iter().filter_map(|table| schema.root(table));
    let last = roots.filter_map(|root| trees.last_row_id(root)).max();
    last.map_or(0, |id| u64::try_from(id).unwrap_or_default())
}

/// Returns true if the file has the tables of this program, as far as it can be read.
pub(super) fn is_ours(path: &Path) -> bool {
    let schema = Image::open(path).map(|image| Schema::read(&mut Trees::new(&image)));
    schema.is_ok_and(|schema| TASK_TABLES.iter().all(|table| schema.root(table).is_some()))
}

/// Returns true if the tables of the file are exactly those of this version.
pub(super) fn is_of_this_version(path: &Path) -> bool {
    let schema = Image::open(path).map(|image| Schema::read(&mut Trees::new(&image)));
    let current = || -> Result<Vec<String>, MigrateError> {
        let mut db = Connection::open_in_memory()?;
        schema::migrate(&mut db)?;
        let mut statement =
            db.prepare("SELECT sql FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")?;
        let sql = statement.query_map((), |row| row.get(0))?;
        Ok(sql.collect::<rusqlite::Result<_>>()?)
    };
    schema.is_ok_and(|schema| {
        let tables = schema.tables.into_iter().map(|table| table.sql);
        current().is_ok_and(|current| current == tables.collect::<Vec<_>>())
    })
}

/// The tables of a file.
#[derive(Debug, Default)]
struct Schema {
    tables: Vec<TableEntry>,
    /// A part of it cannot be read.
    damaged: bool,
}

/// A table with the root of its tree.
#[derive(Debug)]
struct TableEntry {
    name: String,
    root: u32,
    sql: String,
}

impl Schema {
    fn read(trees: &mut Trees<'_, Image>) -> Self {
        let mut schema = Self::default();
        let each = |row: FoundRow| -> Result<(), Infallible> {
            let Some(values) = row.values else {
                schema.damaged = true;
                return Ok(());
            };
            schema.tables.extend(TableEntry::of(&values));
            Ok(())
        };
        let gaps = match trees.walk(1, each) {
            Ok(gaps) => gaps,
            Err(never) => match never {},
        };
        schema.damaged |= !gaps.is_empty();
        schema
    }

    fn root(&self, table: &str) -> Option<u32> {
        let found = self.tables.iter().find(|entry| entry.name == table);
        found.map(|entry| entry.root)
    }
}

impl TableEntry {
    /// The entry in a row of the schema; `None` when it is not about a table.
    fn of(values: &[Value]) -> Option<Self> {
        match values {
            [
                Value::Text(kind),
                Value::Text(name),
                _,
                Value::Integer(root),
                Value::Text(sql),
            ] if kind == "table" => Some(Self {
                name: name.clone(),
                root: u32::try_from(*root).ok()?,
                sql: sql.clone(),
            }),
            _ => None,
        }
    }
}

/// Copies everything to a new file beside the old one.
fn copy_all(image: &Image, path: &Path, acknowledged: u64) -> Result<Copied, SalvageError> {
    let new = replace::create_new(path)?;
    let mut db = Connection::open(&new)?;
    // The file counts only once it is complete and synced.
    db.pragma_update(None, "journal_mode", "off")?;
    db.pragma_update(None, "synchronous", 0)?;
    schema::migrate(&mut db)?;
    let tx = db.transaction()?;
    let copied = copy_rows(image, &tx, acknowledged)?;
    tx.commit()?;
    db.close().map_err(|(_, error)| error)?;
    Ok(copied)
}

fn copy_rows(image: &Image, db: &Connection, acknowledged: u64) -> rusqlite::Result<Copied> {
    let mut trees = Trees::new(image);
    let schema = Schema::read(&mut trees);
    let mut copier = Copier::new(db)?;
    let everything = Gap {
        after: None,
        to: None,
    };
    let mut gaps = Vec::new();
    let mut intact = !schema.damaged;
    if image.damaged_frames() > 0 {
        // A page of an earlier moment stands in for each: it is readable, and does not have what was newer.
        gaps.push(everything);
    }
    for table in TASK_TABLES {
        match schema.root(table) {
            Some(root) => gaps.extend(trees.walk(root, |row| copier.task(row))?),
            None if image.is_empty() => {}
            None => gaps.push(everything),
        }
    }
    for table in SIDE_TABLES {
        let found = match schema.root(table) {
            Some(root) => trees.walk(root, |row| match row.values {
                Some(values) => copier.side_row(values),
                None => Ok(()),
            })?,
            None => vec![everything],
        };
        intact &= found.is_empty();
    }
    if !(intact && gaps.is_empty()) {
        trees.each_unreached(|row| copier.stray(row))?;
    }
    copier.finish(&gaps, acknowledged)
}

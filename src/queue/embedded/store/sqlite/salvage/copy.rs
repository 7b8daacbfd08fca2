//! Rows of a damaged file, copied to a new one.

use std::collections::HashMap;

use rusqlite::{Connection, params_from_iter, types::Value};

use super::tree::{FoundRow, Gap};
use crate::queue::{embedded::store::sqlite::write::checksum_of, state::State};

/// The most bytes of rows with a wrong checksum that are kept until all others are copied.
const MAX_DOUBTFUL: usize = 64 << 20;
/// The size of a row without its texts, in bytes.
const ROW_OVERHEAD: usize = 512;
/// Bytes of an idempotency key.
const KEY_BYTES: usize = 16;

/// A table of the new file.
struct Table {
    columns: usize,
    insert: String,
    /// The place of each column.
    places: HashMap<String, usize>,
}

impl Table {
    fn of(db: &Connection, name: &str) -> rusqlite::Result<Self> {
        let sql = format!("SELECT name FROM pragma_table_info('{name}') ORDER BY cid");
        let mut statement = db.prepare(&sql)?;
        let names: Vec<String> = statement
            .query_map((), |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let marks = vec!["?"; names.len()].join(", ");
        Ok(Self {
            columns: names.len(),
            insert: format!("INSERT OR IGNORE INTO {name} VALUES ({marks})"),
            places: names.into_iter().zip(0..).collect(),
        })
    }

    fn place(&self, column: &str) -> usize {
        self.places.get(column).copied().unwrap_or(usize::MAX)
    }

    fn text<'a>(&self, values: &'a [Value], column: &str) -> Option<&'a str> {
        match values.get(self.place(column)) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn integer(&self, values: &[Value], column: &str) -> Option<i64> {
        match values.get(self.place(column)) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    /// Inserts a row; returns false if it violates a rule of the table or is there already. Columns that
    /// a file of an earlier version lacks are null.
    fn insert(&self, db: &Connection, mut values: Vec<Value>) -> rusqlite::Result<bool> {
        values.resize(self.columns, Value::Null);
        match db
            .prepare_cached(&self.insert)?
            .execute(params_from_iter(values))
        {
            Ok(rows) => Ok(rows > 0),
            Err(rusqlite::Error::SqliteFailure(error, _))
                if error.code == rusqlite::ErrorCode::ConstraintViolation
                    || error.code == rusqlite::ErrorCode::TypeMismatch =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// The result of copying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Copied {
    /// Intact tasks.
    pub(super) salvaged: usize,
    /// Tasks that are missing or changed, at most.
    pub(super) lost: usize,
    /// The first and the last id among which tasks are missing.
    pub(super) range: Option<(u64, u64)>,
}

/// Copies rows to a connection, whichever part of the damaged file they come from: a row tells by its
/// values to which table it belongs.
pub(super) struct Copier<'a> {
    db: &'a Connection,
    unfinished: Table,
    finished: Table,
    attempts: Table,
    submits: Table,
    /// Tasks with a wrong checksum.
    doubtful: Vec<Vec<Value>>,
    doubtful_bytes: usize,
    /// Rows of which nothing can be read.
    unreadable: usize,
}

impl<'a> Copier<'a> {
    pub(super) fn new(db: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            db,
            unfinished: Table::of(db, "unfinished")?,
            finished: Table::of(db, "finished")?,
            attempts: Table::of(db, "attempts")?,
            submits: Table::of(db, "submits")?,
            doubtful: Vec::new(),
            doubtful_bytes: 0,
            unreadable: 0,
        })
    }

    /// Copies a row of a tree of tasks.
    pub(super) fn task(&mut self, row: FoundRow) -> rusqlite::Result<()> {
        let Some(mut values) = row.values else {
            self.unreadable += 1;
            return Ok(());
        };
        if let Some(id) = values.first_mut() {
            // The row id is stored once, in front of the record.
            *id = Value::Integer(row.id);
        }
        if self.is_intact(&values) && self.insert_task(values.clone())? {
            return Ok(());
        }
        let size = ROW_OVERHEAD + values.iter().map(text_size).sum::<usize>();
        if self.doubtful_bytes + size > MAX_DOUBTFUL {
            self.unreadable += 1;
        } else {
            self.doubtful_bytes += size;
            self.doubtful.push(values);
        }
        Ok(())
    }

    /// Copies a row on a page that belongs to no readable tree: a task only if it is intact.
    pub(super) fn stray(&mut self, row: FoundRow) -> rusqlite::Result<()> {
        let Some(mut values) = row.values else {
            return Ok(());
        };
        if values.first() != Some(&Value::Null) {
            return self.side_row(values);
        }
        values[0] = Value::Integer(row.id);
        if self.is_intact(&values) {
            self.insert_task(values)?;
        }
        Ok(())
    }

    /// Copies an attempt, an idempotency key or the highest id. Errors in these lose no task.
    pub(super) fn side_row(&mut self, values: Vec<Value>) -> rusqlite::Result<()> {
        match values.as_slice() {
            [Value::Text(name), Value::Integer(last_id)] if name == "last_id" => {
                save_last_id(self.db, *last_id)
            }
            [Value::Blob(key), Value::Integer(_), Value::Text(_), ..] if key.len() == KEY_BYTES => {
                self.submits.insert(self.db, values).map(drop)
            }
            [Value::Integer(_), Value::Integer(_), ..] if values.len() > 4 => {
                self.attempts.insert(self.db, values).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn is_intact(&self, values: &[Value]) -> bool {
        let table = &self.unfinished;
        let text = |column| table.text(values, column);
        let id = table
            .integer(values, "id")
            .and_then(|id| u64::try_from(id).ok());
        let (Some(id), Some(name), Some(args)) = (id, text("name"), text("args")) else {
            return false;
        };
        let expected = checksum_of(id, name, args, text("key").unwrap_or_default());
        table.integer(values, "checksum") == Some(expected)
    }

    /// Inserts a task into the table of its state. A state that makes no sense becomes that of a task
    /// that waits or has failed.
    fn insert_task(&self, mut values: Vec<Value>) -> rusqlite::Result<bool> {
        let state = self.unfinished.text(&values, "state");
        let state: Option<State> = state.and_then(|word| word.parse().ok());
        let finished = match state {
            Some(state) => state.is_finished(),
            None => values.len() > self.unfinished.columns,
        };
        let table = if finished {
            &self.finished
        } else {
            &self.unfinished
        };
        if state.is_some() && table.insert(self.db, values.clone())? {
            return Ok(true);
        }
        let default = if finished {
            State::Failed
        } else {
            State::Queued
        };
        if let Some(state) = values.get_mut(table.place("state")) {
            *state = Value::Text(default.as_str().to_owned());
        }
        table.insert(self.db, values)
    }

    /// Copies the doubtful tasks, and counts what was copied and what is missing in the gaps.
    /// `acknowledged` is the highest id that was ever acknowledged, as far as it is known.
    pub(super) fn finish(mut self, gaps: &[Gap], acknowledged: u64) -> rusqlite::Result<Copied> {
        let number = |sql: &str| self.db.query_row(sql, (), |row| row.get::<_, i64>(0));
        let highest = number(
            "SELECT max((SELECT coalesce(max(id), 0) FROM unfinished), \
                        (SELECT coalesce(max(id), 0) FROM finished))",
        )?;
        let last = highest.max(i64::try_from(acknowledged).unwrap_or_default());
        let mut changed = 0;
        for values in std::mem::take(&mut self.doubtful) {
            let id = self.unfinished.integer(&values, "id").unwrap_or_default();
            // A changed id may belong to another task, or to none.
            if (1..=last).contains(&id) && self.insert_task(values)? {
                changed += 1;
            } else {
                self.unreadable += 1;
            }
        }
        // A page of an earlier moment may say that a task waits which another page says has finished.
        self.db
            .execute_batch("DELETE FROM unfinished WHERE id IN (SELECT id FROM finished)")?;
        save_last_id(self.db, highest)?;
        let copied =
            number("SELECT (SELECT count(*) FROM unfinished) + (SELECT count(*) FROM finished)")?;
        let copied = usize::try_from(copied).unwrap_or_default();
        let mut missing = 0;
        let mut range: Option<(u64, u64)> = None;
        for (from, to) in merged(gaps, last) {
            let found = self.db.query_row(
                "SELECT (SELECT count(*) FROM unfinished WHERE id BETWEEN ?1 AND ?2) \
                      + (SELECT count(*) FROM finished WHERE id BETWEEN ?1 AND ?2)",
                [from, to],
                |row| row.get::<_, i64>(0),
            )?;
            let here = usize::try_from(to - from + 1 - found).unwrap_or_default();
            if here > 0 {
                missing += here;
                let (from, to) = (from.unsigned_abs(), to.unsigned_abs());
                range = Some(range.map_or((from, to), |(first, _)| (first, to)));
            }
        }
        Ok(Copied {
            salvaged: copied - changed,
            lost: missing.max(self.unreadable) + changed,
            range,
        })
    }
}

/// The gaps as ranges of ids that do not overlap, in order.
fn merged(gaps: &[Gap], last: i64) -> Vec<(i64, i64)> {
    let range = |gap: &Gap| {
        let from = gap.after.unwrap_or_default().saturating_add(1).max(1);
        (from, gap.to.unwrap_or(last).min(last))
    };
    let mut ranges: Vec<_> = gaps.iter().map(range).collect();
    ranges.retain(|(from, to)| from <= to);
    ranges.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::new();
    for (from, to) in ranges {
        match merged.last_mut() {
            Some((_, end)) if from <= end.saturating_add(1) => *end = to.max(*end),
            _ => merged.push((from, to)),
        }
    }
    merged
}

fn save_last_id(db: &Connection, last_id: i64) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE meta SET value = max(value, ?1) WHERE name = 'last_id'")?
        .execute([last_id])?;
    Ok(())
}

fn text_size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        _ => 0,
    }
}

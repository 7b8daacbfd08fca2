//! Reads rows from the file.

use std::{borrow::Cow, cell::RefCell, collections::HashSet, sync::Arc};

use rusqlite::{Connection, OptionalExtension, Row as Columns};

use super::{
    super::{IdRange, SubmitRow},
    damage::DamageReporter,
    scan::{
        CHUNK_BYTES, CHUNK_ROWS, Chunk, ChunkIter, RowSource, TaskTable, highest, lowest, select,
        zero_keys,
    },
    schema::COLUMNS,
    values::ColumnValues,
    write::{checksum, number, result_checksum},
};
use crate::queue::{
    clock::Timestamp,
    id::IdempotencyKey,
    index::{
        merged,
        row::{ColdFields, ExecOverrides, Row},
        rows::{KeyRange, Rows, Scan, ScanIter, StorageError},
    },
    limits::MAX_ATTEMPTS_HISTORY,
    options::{TaskKey, TimeLimits},
    state::State,
    task::{Attempt, TaskFailure},
};

/// The error of a task whose checksum is wrong.
pub(super) const CORRUPT: &str = "the stored data of this task has changed on disk";

/// Returns true for the error of a task whose checksum is wrong.
pub(super) fn is_corrupt(error: &TaskFailure) -> bool {
    &*error.message == CORRUPT
}

/// Rows in a connection.
#[derive(Debug)]
pub(super) struct StoreReader<'a> {
    db: &'a Connection,
    damage: &'a DamageReporter,
    /// Names and queues, of which there are few distinct ones.
    interned: RefCell<HashSet<Arc<str>>>,
}

/// The most strings that are interned.
const MAX_INTERNED: usize = 1_000;

/// The statement that reads every unfinished row at a start. Arguments are read and verified when a task
/// is dispatched.
pub(super) fn select_unfinished() -> String {
    let columns = COLUMNS.replace(" args,", " '',");
    format!("SELECT {columns} FROM unfinished ORDER BY id")
}

impl<'a> StoreReader<'a> {
    pub(super) fn new(db: &'a Connection, damage: &'a DamageReporter) -> Self {
        Self {
            db,
            damage,
            interned: RefCell::default(),
        }
    }

    pub(super) fn for_each_unfinished(
        &self,
        each: &mut dyn FnMut(Row),
    ) -> Result<(), StorageError> {
        let failed = |error| self.failed(TaskTable::Unfinished, error);
        let mut statement = self.db.prepare(&select_unfinished()).map_err(failed)?;
        let mut rows = statement.query(()).map_err(failed)?;
        while let Some(columns) = rows.next().map_err(failed)? {
            each(self.decode(columns, TaskTable::Unfinished));
        }
        Ok(())
    }

    fn failed(&self, table: TaskTable, error: rusqlite::Error) -> StorageError {
        self.damage.explain(table.description(), error)
    }

    fn find(&self, table: TaskTable, id: u64) -> Result<Option<Row>, StorageError> {
        let failed = |error| self.failed(table, error);
        let sql = format!("{} WHERE id = ?1", select(table));
        let mut statement = self.db.prepare_cached(&sql).map_err(failed)?;
        let row = statement.query_row([number(id)], |columns| {
            Ok(self.decode_verified(columns, table))
        });
        row.optional().map_err(failed)
    }

    fn intern(&self, text: &str) -> Arc<str> {
        let mut interned = self.interned.borrow_mut();
        if let Some(shared) = interned.get(text) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = text.into();
        if interned.len() < MAX_INTERNED {
            interned.insert(Arc::clone(&shared));
        }
        shared
    }

    /// The error in the columns for its kind, message and traceback.
    fn failure(&self, values: ColumnValues<'_, '_>, columns: [usize; 3]) -> Option<TaskFailure> {
        let [kind, message, traceback] = columns.map(|column| values.text(column));
        Some(TaskFailure {
            kind: kind.map(|kind| self.intern(kind)),
            message: message?.into(),
            traceback: traceback.map(Into::into),
        })
    }

    /// Decodes a row of a file that may be corrupted: a value of a wrong type is left out, and then the
    /// checksum is wrong.
    fn decode(&self, columns: &Columns<'_>, table: TaskTable) -> Row {
        let values = ColumnValues(columns);
        let (name, args) = (
            values.text(2).unwrap_or_default(),
            values.text(3).unwrap_or_default(),
        );
        let mut row = Row::new(
            values.number(0).unwrap_or_default(),
            self.intern(name),
            args.into(),
            values.time(11).unwrap_or_default(),
        );
        row.ready_at = values.time(12).unwrap_or_default();
        row.state = match (values.text(1).and_then(|word| word.parse().ok()), table) {
            (Some(state), _) => state,
            (None, TaskTable::Unfinished) => State::Queued,
            (None, TaskTable::Finished) => State::Failed,
        };
        row.priority = values.small(7);
        row.attempts = values.small(8);
        row.max_attempts = values.small(9);
        row.crashes = values.small(10);
        let overrides = ExecOverrides {
            limits: TimeLimits {
                soft: values.duration(16),
                hard: values.duration(17),
            },
            result_ttl: values.duration(18),
        };
        row.set_cold(ColdFields {
            queue: values.text(4).map(|queue| self.intern(queue)),
            key: values.text(5).map(|text| {
                let rule = values.text(6).and_then(|word| word.parse().ok());
                Box::new(TaskKey {
                    text: text.into(),
                    policy: rule.unwrap_or_default(),
                })
            }),
            overrides: (overrides != ExecOverrides::default()).then(|| Box::new(overrides)),
            due_at: values.time(13),
            wall_clock: values.number(14) == Some(1),
            expires_at: values.time(15),
            error: self.failure(values, [21, 19, 22]).map(Box::new),
        });
        if table == TaskTable::Finished {
            row.end = Some(values.end());
        }
        row
    }

    /// Decodes a row and verifies its checksums; a corrupted one gets the error [`CORRUPT`].
    fn decode_verified(&self, columns: &Columns<'_>, table: TaskTable) -> Row {
        let mut row = self.decode(columns, table);
        let values = ColumnValues(columns);
        let result = row.end.as_ref().and_then(|end| end.result.as_deref());
        let result = result.map(|result| result_checksum(row.id, result));
        let intact = values.signed(20) == Some(checksum(&row))
            && (table == TaskTable::Unfinished || values.signed(30) == result);
        if !intact {
            row.update_cold(|cold| cold.error = Some(Box::new(CORRUPT.into())));
        }
        row
    }

    /// Up to [`CHUNK_ROWS`] rows of a source, and no more once they have [`CHUNK_BYTES`] of texts.
    pub(super) fn chunk(
        &self,
        source: RowSource,
        range: KeyRange,
        descending: bool,
    ) -> Result<Chunk, StorageError> {
        let (from, to) = (lowest(range.0), highest(range.1));
        let (Some(from), Some(to)) = (from, to) else {
            return Ok(Chunk::default());
        };
        let failed = |error| self.failed(source.table(), error);
        let mut statement = self
            .db
            .prepare_cached(&source.sql(descending))
            .map_err(failed)?;
        let chunk = i64::try_from(CHUNK_ROWS).unwrap_or(i64::MAX);
        let bounds = source.bounds(from, to);
        let params = rusqlite::params![bounds[0], bounds[1], bounds[2], bounds[3], chunk];
        let mut rows = statement.query(params).map_err(failed)?;
        let (mut chunk, mut bytes) = (Chunk::default(), 0);
        while let Some(columns) = rows.next().map_err(failed)? {
            let row = self.decode_verified(columns, source.table());
            bytes += row.text_size();
            let key = if source == RowSource::LongRuns {
                row.duration_key()
            } else {
                0
            };
            chunk.rows.push_back((key, row));
            if bytes >= CHUNK_BYTES || chunk.rows.len() == CHUNK_ROWS {
                chunk.is_cut_off = true;
                break;
            }
        }
        Ok(chunk)
    }

    fn scan_source(&self, source: RowSource, range: KeyRange, descending: bool) -> ScanIter<'_> {
        Box::new(ChunkIter::new(self, source, range, descending))
    }
}

impl Rows for StoreReader<'_> {
    fn row(&self, id: u64) -> Result<Option<Cow<'_, Row>>, StorageError> {
        let row = match self.find(TaskTable::Unfinished, id)? {
            Some(row) => Some(row),
            None => self.find(TaskTable::Finished, id)?,
        };
        Ok(row.map(Cow::Owned))
    }

    fn attempts(&self, id: u64) -> Result<Vec<Attempt>, StorageError> {
        let sql = "SELECT worker, wait_time, started_at, run_time, error_kind, error, traceback FROM attempts \
                   WHERE task = ?1 ORDER BY started_at DESC LIMIT ?2";
        let read = || -> rusqlite::Result<Vec<Attempt>> {
            let mut statement = self.db.prepare_cached(sql)?;
            let most = i64::try_from(MAX_ATTEMPTS_HISTORY).unwrap_or(i64::MAX);
            let attempts = statement.query_map((number(id), most), |columns| {
                let values = ColumnValues(columns);
                Ok(Attempt {
                    worker: values.worker(0).map(Into::into),
                    wait_time: values.duration(1).unwrap_or_default(),
                    started_at: values.time(2).unwrap_or_default(),
                    run_time: values.duration(3).unwrap_or_default(),
                    error: self
                        .failure(values, [4, 5, 6])
                        .unwrap_or_else(|| CORRUPT.into()),
                })
            })?;
            attempts.collect()
        };
        let failed = |error| self.damage.explain("the attempts of tasks", error);
        let mut attempts = read().map_err(failed)?;
        attempts.reverse();
        Ok(attempts)
    }

    fn scan(&self, scan: Scan, range: KeyRange, descending: bool) -> ScanIter<'_> {
        match scan {
            Scan::All => {
                let tables = [TaskTable::Unfinished, TaskTable::Finished];
                let scans =
                    tables.map(|table| self.scan_source(RowSource::All(table), range, descending));
                merged(scans.into(), descending)
            }
            Scan::State(state) => self.scan_source(RowSource::State(state), range, descending),
            Scan::RunTime => {
                let long = self.scan_source(RowSource::LongRuns, range, descending);
                // The key of short runs is 0, so they come before or after all others.
                let short = self.scan_source(RowSource::ShortRuns, zero_keys(range), descending);
                if descending {
                    Box::new(long.chain(short))
                } else {
                    Box::new(short.chain(long))
                }
            }
        }
    }
}

/// The time at which a task finished; `None` for one that has not, or does not exist.
pub(super) fn finished_at(db: &Connection, id: u64) -> rusqlite::Result<Option<Timestamp>> {
    db.prepare_cached("SELECT finished_at FROM finished WHERE id = ?1")?
        .query_row([number(id)], |columns| Ok(ColumnValues(columns).time(0)))
        .optional()
        .map(Option::flatten)
}

/// Submits with an idempotency key, the oldest first; corrupted ones are left out.
pub(super) fn submits(db: &Connection) -> rusqlite::Result<Vec<SubmitRow>> {
    let mut statement = db.prepare("SELECT key, at, receipts FROM submits ORDER BY at")?;
    let rows = statement.query_map((), |columns| {
        let values = ColumnValues(columns);
        let key: Option<[u8; 16]> = columns.get(0).ok();
        let ids: Option<Vec<IdRange>> = values
            .text(2)
            .and_then(|text| serde_json::from_str(text).ok());
        let ids = ids.filter(|ids| ids.iter().map(|range| range.count).sum::<u64>() <= MAX_IDS);
        Ok(key.zip(ids).map(|(key, ids)| SubmitRow {
            key: IdempotencyKey(u128::from_be_bytes(key)),
            at: Timestamp(values.number(1).unwrap_or_default()),
            ids,
        }))
    })?;
    rows.filter_map(Result::transpose).collect()
}

/// The most ids of one submit.
const MAX_IDS: u64 = 100_000_000;

//! The store in an SQLite file, which survives the process and can be opened with `sqlite3`.
//!
//! One connection writes, on the dispatcher's thread, so that the database is never locked by this
//! process. A second, read-only connection executes reads on a thread of its own.

pub(in crate::queue) mod backup;
mod check;
mod damage;
mod error;
mod open;
mod pragmas;
mod present;
mod read;
mod read_connection;
mod replace;
mod salvage;
mod scan;
mod schema;
mod values;
mod write;

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use rusqlite::{Connection, TransactionBehavior};

pub(in crate::queue) use self::open::OpenError;
use self::{
    check::Checker, damage::DamageReporter, present::OpenFiles, read::StoreReader,
    write::CountChanges,
};
use super::{
    ArmedFailPoint, FailPoint, OpenReport, Store, StoreChange, StoreUsage, SubmitRow, SweepReport,
    reader::Reader, reads::ActiveRead,
};
use crate::{
    cause::Cause,
    files::LockedFile,
    health::Findings,
    queue::{
        clock::Timestamp,
        error::BrokerError,
        executor::in_flight::InFlightFile,
        index::{
            row::Row,
            rows::{Rows, StorageError},
        },
        state::State,
        stats::Percentiles,
        storage::{Retention, StorageConfig},
    },
    units::fmt_bytes,
};

/// The most rows that one sweep deletes, which takes a few milliseconds.
const SWEEP_BATCH: usize = 500;
/// Commits between two checks of the size of the file.
const SIZE_CHECK_COMMITS: u32 = 64;
/// The size of the cache of arguments of new tasks, in bytes; all others are read from the file.
const ARGS_CACHE_BYTES: usize = 32 << 20;

/// The store in an SQLite file.
#[derive(Debug)]
pub(in crate::queue) struct Sqlite {
    db: Connection,
    reader: Option<Reader>,
    checker: Option<Checker>,
    damage: DamageReporter,
    config: StorageConfig,
    files: OpenFiles,
    in_flight: Arc<InFlightFile>,
    finished_counts: [usize; State::COUNT],
    args_cache: HashMap<u64, Arc<str>>,
    args_cache_bytes: usize,
    /// The highest id that was stored.
    last_id: u64,
    /// Bytes in use at the last size check, and the commits since.
    bytes: u64,
    commits_since_check: u32,
    commit_micros: Histogram<u64>,
    fail_point: Option<ArmedFailPoint>,
    /// Keeps other processes out; the system releases it when the process ends.
    _lock: LockedFile,
}

impl Sqlite {
    /// Opens or creates the file. A damaged file is replaced by one with everything that can be read of it,
    /// and is kept. Damage and losses are reported to `findings`.
    pub(in crate::queue) fn open(
        config: &StorageConfig,
        findings: &Findings,
        fail_point: Option<ArmedFailPoint>,
    ) -> Result<(Self, OpenReport), OpenError> {
        open::open(config, findings, fail_point)
    }

    fn failed(&self, error: rusqlite::Error) -> StorageError {
        self.damage.explain("the task file", error)
    }

    fn reader(&self) -> StoreReader<'_> {
        StoreReader::new(&self.db, &self.damage)
    }

    fn write(&mut self, changes: &[StoreChange]) -> rusqlite::Result<CountChanges> {
        let deletes = changes.iter().any(|c| matches!(c, StoreChange::Delete(_)));
        let last_id = self.last_id;
        self.transaction(FailPoint::BeforeCommit, |db| {
            let mut counts = CountChanges::default();
            write::apply(db, changes, &mut counts)?;
            if deletes {
                write::save_last_id(db, last_id)?;
            }
            Ok(counts)
        })
    }

    fn transaction<T>(
        &mut self,
        before_commit: FailPoint,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let tx = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        trip_fail_point(&mut self.fail_point, before_commit);
        tx.commit()?;
        Ok(done)
    }

    fn apply_counts(&mut self, changes: CountChanges) {
        for (count, by) in self.finished_counts.iter_mut().zip(changes) {
            *count = count.saturating_add_signed(by);
        }
    }

    /// Caches the arguments of committed new tasks, and records the highest id.
    fn drain_committed(&mut self, changes: &mut Vec<StoreChange>) {
        let mut highest = 0;
        for change in changes.drain(..) {
            let StoreChange::New(row) = change else {
                continue;
            };
            highest = highest.max(row.id);
            if self.args_cache_bytes + row.args.len() <= ARGS_CACHE_BYTES {
                self.args_cache_bytes += row.args.len();
                self.args_cache.insert(row.id, row.args);
            }
        }
        if highest > 0 {
            self.last_id = self.last_id.max(highest);
            self.in_flight.record_acknowledged(self.last_id);
        }
    }

    /// Fails when the file is at its maximum size and there are new tasks. Other changes are stored as
    /// long as the disk has room.
    fn check_room_for(&mut self, changes: &[StoreChange]) -> Result<(), StorageError> {
        let limit = self.config.max_file_bytes.unwrap_or(u64::MAX);
        let new = |change: &StoreChange| matches!(change, StoreChange::New(_));
        if self.bytes < limit || !changes.iter().any(new) {
            return Ok(());
        }
        self.check_size();
        if self.bytes < limit {
            return Ok(());
        }
        let limit = fmt_bytes(limit);
        Err(StorageError(Cause::from_message(format!(
            "the task file is full: it has reached `max-file-size`, which is {limit}"
        ))))
    }

    fn check_size(&mut self) {
        let pragma = |name: &str| -> rusqlite::Result<u64> {
            let value: i64 = self.db.pragma_query_value(None, name, |row| row.get(0))?;
            Ok(u64::try_from(value).unwrap_or_default())
        };
        let used = || -> rusqlite::Result<u64> {
            let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
            Ok(pages * pragma("page_size")?)
        };
        if let Ok(bytes) = used() {
            self.bytes = bytes;
        }
        self.commits_since_check = 0;
    }

    fn finished(&self) -> usize {
        self.finished_counts.iter().sum()
    }

    /// The number of finished tasks to delete before their time.
    fn excess(&self) -> usize {
        let Retention { count, bytes, .. } = self.config.retention;
        let too_many = self.finished().saturating_sub(count);
        // The size of a task is known on average only, so it is checked again after each step.
        let each = (self.bytes / (self.finished() as u64).max(1)).max(1);
        let too_large = self.bytes.saturating_sub(bytes).div_ceil(each);
        too_many.max(usize::try_from(too_large).unwrap_or(usize::MAX))
    }

    /// The ids of the finished tasks to delete next.
    fn eviction_batch(&self, now: Timestamp) -> rusqlite::Result<Vec<u64>> {
        let (until, limit) = match self.excess() {
            0 => (write::number(now.0), SWEEP_BATCH),
            excess => (i64::MAX, excess.min(SWEEP_BATCH)),
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = "SELECT id FROM finished WHERE evict_at <= ?1 ORDER BY evict_at LIMIT ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        let ids = statement.query_map((until, limit), |row| row.get::<_, i64>(0))?;
        ids.map(|id| Ok(u64::try_from(id?).unwrap_or_default()))
            .collect()
    }
}

/// Ends the process if a fail point is armed here and due.
fn trip_fail_point(armed: &mut Option<ArmedFailPoint>, here: FailPoint) {
    let Some(armed) = armed.as_mut().filter(|armed| armed.at == here) else {
        return;
    };
    if armed.after == 0 {
        std::process::abort();
    }
    armed.after -= 1;
}

impl Store for Sqlite {
    fn for_each_unfinished(&mut self, each: &mut dyn FnMut(Row)) -> Result<(), StorageError> {
        self.reader().for_each_unfinished(each)
    }

    fn commit(&mut self, changes: &mut Vec<StoreChange>) -> Result<(), StorageError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.files.verify()?;
        self.check_room_for(changes)?;
        let since = Instant::now();
        trip_fail_point(&mut self.fail_point, FailPoint::BeforeWrite);
        let counts = self.write(changes).map_err(|error| self.failed(error))?;
        self.files.verify_written()?;
        trip_fail_point(&mut self.fail_point, FailPoint::BeforeReply);
        self.apply_counts(counts);
        self.drain_committed(changes);
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.commit_micros.saturating_record(micros.max(1));
        self.commits_since_check += 1;
        if self.commits_since_check >= SIZE_CHECK_COMMITS {
            self.check_size();
            self.crash_mid_checkpoint();
        }
        Ok(())
    }

    fn args(&mut self, id: u64) -> Result<Arc<str>, StorageError> {
        if let Some(args) = self.args_cache.remove(&id) {
            self.args_cache_bytes -= args.len();
            return Ok(args);
        }
        match self.row(id)? {
            Some(row) if row.cold().error.as_deref().is_some_and(read::is_corrupt) => {
                Err(StorageError(Cause::from_message(read::CORRUPT)))
            }
            Some(row) => Ok(row.args),
            None => Err(StorageError(Cause::from_message(format!(
                "task #{id} is not in the file"
            )))),
        }
    }

    fn row(&mut self, id: u64) -> Result<Option<Row>, StorageError> {
        let row = self.reader().row(id)?.map(Cow::into_owned);
        Ok(row)
    }

    fn finished_at(&mut self, id: u64) -> Result<Option<Timestamp>, StorageError> {
        read::finished_at(&self.db, id).map_err(|error| self.failed(error))
    }

    fn read(&mut self, read: Box<dyn ActiveRead>) {
        match &self.reader {
            Some(reader) => reader.read(read),
            None => read.reject(BrokerError::Closed),
        }
    }

    fn finished_counts(&self) -> [usize; State::COUNT] {
        self.finished_counts
    }

    fn sweep(&mut self, now: Timestamp) -> Result<SweepReport, StorageError> {
        let batch = self
            .eviction_batch(now)
            .map_err(|error| self.failed(error))?;
        if !batch.is_empty() {
            let last_id = self.last_id;
            let counts = self.transaction(FailPoint::MidRetention, |db| {
                let mut counts = CountChanges::default();
                write::delete(db, &batch, &mut counts)?;
                write::save_last_id(db, last_id)?;
                Ok(counts)
            });
            let counts = counts.map_err(|error| self.failed(error))?;
            self.apply_counts(counts);
            self.check_size();
        }
        let next = self
            .db
            .prepare_cached("SELECT min(evict_at) FROM finished")
            .and_then(|mut statement| statement.query_row((), |row| row.get::<_, Option<i64>>(0)))
            .map_err(|error| self.failed(error))?;
        Ok(SweepReport {
            evicted: batch.len(),
            next: next.map(|at| Timestamp(u64::try_from(at).unwrap_or_default())),
        })
    }

    fn is_over_retention(&self) -> bool {
        self.excess() > 0 && self.finished() > 0
    }

    fn usage(&mut self) -> StoreUsage {
        self.check_size();
        // An idle engine notices here.
        self.files.verify().ok();
        StoreUsage {
            bytes: self.bytes,
            commits: Percentiles::from_histogram(&self.commit_micros),
            last_check: self.checker.as_ref().and_then(Checker::last),
        }
    }

    fn submits(&mut self) -> Result<Vec<SubmitRow>, StorageError> {
        // Without them no task is lost; a submit that is repeated is accepted twice at worst.
        read::submits(&self.db).or_else(|error| match error::is_damage(&error) {
            true => {
                self.damage
                    .explain("the idempotency keys of submits", error);
                Ok(Vec::new())
            }
            false => Err(self.failed(error)),
        })
    }

    fn reset_in_flight(&mut self) -> Result<(), StorageError> {
        let reset = self.in_flight.reset(self.last_id);
        reset.map_err(|e| StorageError(Cause::in_context("cannot write the in-flight record", e)))
    }

    fn in_flight(&self) -> Option<Arc<InFlightFile>> {
        Some(Arc::clone(&self.in_flight))
    }

    fn close(&mut self) {
        // The reader closes first: a checkpoint that truncates the log needs exclusive access.
        self.reader = None;
        self.checker = None;
        self.reset_in_flight().ok();
        if let Err(why) = checkpoint(&self.db) {
            tracing::warn!(%why, "the write-ahead log of the task file could not be truncated");
        }
    }
}

impl Sqlite {
    /// Ends the process in the middle of a checkpoint if that fail point is armed: another thread aborts
    /// while this one runs checkpoints.
    fn crash_mid_checkpoint(&mut self) {
        let armed = self.fail_point;
        let Some(armed) = armed.filter(|armed| armed.at == FailPoint::MidCheckpoint) else {
            return;
        };
        let after = Duration::from_micros(u64::from(armed.after));
        thread::spawn(move || {
            thread::sleep(after);
            std::process::abort();
        });
        loop {
            checkpoint(&self.db).ok();
        }
    }
}

/// Moves all pages from the write-ahead log into the file.
fn checkpoint(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
}

//! Tasks in a file of SQLite that survives the process, and that `sqlite3` opens.
//!
//! One connection writes, on the dispatcher's thread: that ends the whole class of "database is
//! locked". Another, that can only read, answers questions on a thread of its own.

mod open;
mod read;
mod salvage;
mod schema;
mod write;

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

pub(in crate::queue) use self::open::OpenError;
use self::{read::StoreReader, reader_thread::Pages, write::Tally};
use super::{
    ArmedFailPoint, FailPoint, OpenReport, Retention, Store, StoreChange, StoreConfig, StoreError,
    SubmitRow, SweepReport,
    list::list,
    reads::ReadRequest,
    row::Row,
    rows::{Rows, Running},
    slots::InFlightFile,
};
use crate::{
    files::LockedFile,
    queue::{
        broker::Percentiles,
        query::{Page, Query},
        task::{State, Timestamp},
    },
    units::show_bytes,
};

/// The most rows that one step forgets: a step takes a few milliseconds.
const STEP: usize = 500;
/// Commits between two looks at the size of the file.
const LOOK: u32 = 64;
/// Bytes of arguments that are kept at hand for tasks that will soon run; others are read when it is
/// their turn.
const MAX_WARM: usize = 32 << 20;

/// The store that survives.
#[derive(Debug)]
pub(in crate::queue) struct Sqlite {
    db: Connection,
    pages: Option<Pages>,
    config: StoreConfig,
    slots: Arc<InFlightFile>,
    ended: [usize; 8],
    warm: HashMap<u64, Arc<str>>,
    warm_bytes: usize,
    /// The highest id that was written.
    last_id: u64,
    /// Bytes in use when last looked at, and commits since.
    bytes: u64,
    unlooked: u32,
    commits: Histogram<u64>,
    crash: Option<ArmedFailPoint>,
    /// Keeps other processes out; held, and let go by the system when the process ends.
    _lock: LockedFile,
}

impl Sqlite {
    /// Opens the file or makes it. A damaged one is put aside and what is whole is taken over.
    pub(in crate::queue) fn open(config: &StoreConfig) -> Result<(Self, OpenReport), OpenError> {
        open::open(config)
    }

    fn reader(&self) -> StoreReader<'_> {
        StoreReader::new(&self.db)
    }

    fn write(&mut self, changes: &[StoreChange]) -> rusqlite::Result<Tally> {
        let forgets = changes.iter().any(|c| matches!(c, StoreChange::Delete(_)));
        let last_id = self.last_id;
        self.transaction(FailPoint::BeforeCommit, |db| {
            let mut tally = Tally::default();
            for change in changes {
                write::apply(db, change, &mut tally)?;
            }
            if forgets {
                write::remember(db, last_id)?;
            }
            Ok(tally)
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
        come_to(&mut self.crash, before_commit);
        tx.commit()?;
        Ok(done)
    }

    fn settle(&mut self, tally: Tally) {
        for (count, by) in self.ended.iter_mut().zip(tally) {
            *count = count.saturating_add_signed(by);
        }
    }

    /// Keeps arguments at hand, and tells the slot file the highest id.
    fn taken(&mut self, changes: &mut Vec<StoreChange>) {
        let mut highest = 0;
        for change in changes.drain(..) {
            let StoreChange::New(row) = change else {
                continue;
            };
            highest = highest.max(row.id);
            if self.warm_bytes + row.args.len() <= MAX_WARM {
                self.warm_bytes += row.args.len();
                self.warm.insert(row.id, row.args);
            }
        }
        if highest > 0 {
            self.last_id = self.last_id.max(highest);
            self.slots.acknowledged(self.last_id);
        }
    }

    /// Only new tasks need room: whatever has happened to the others is kept as long as the disk
    /// takes it.
    fn has_room_for(&mut self, changes: &[StoreChange]) -> Result<(), StoreError> {
        let most = self.config.most_bytes.unwrap_or(u64::MAX);
        let new = |change: &StoreChange| matches!(change, StoreChange::New(_));
        if self.bytes < most || !changes.iter().any(new) {
            return Ok(());
        }
        self.look_at_size();
        if self.bytes < most {
            return Ok(());
        }
        let most = show_bytes(most);
        Err(StoreError(format!(
            "the task file is full: it has reached `max-file`, which is {most}"
        )))
    }

    fn look_at_size(&mut self) {
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
        self.unlooked = 0;
    }

    fn finished(&self) -> usize {
        self.ended.iter().sum()
    }

    /// How many finished tasks have to go before their time.
    fn surplus(&self) -> usize {
        let Retention { count, bytes, .. } = self.config.retention;
        let too_many = self.finished().saturating_sub(count);
        // What a task takes is known on average only, so it is looked at again after a step.
        let each = (self.bytes / (self.finished() as u64).max(1)).max(1);
        let too_large = self.bytes.saturating_sub(bytes).div_ceil(each);
        too_many.max(usize::try_from(too_large).unwrap_or(usize::MAX))
    }

    /// The next that are to be forgotten.
    fn due(&self, now: Timestamp) -> rusqlite::Result<Vec<u64>> {
        let (until, most) = match self.surplus() {
            0 => (write::number(now.0), STEP),
            surplus => (i64::MAX, surplus.min(STEP)),
        };
        let step = i64::try_from(most).unwrap_or(i64::MAX);
        let sql = "SELECT id FROM ended WHERE forget_at <= ?1 ORDER BY forget_at LIMIT ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        let ids = statement.query_map((until, step), |row| row.get::<_, i64>(0))?;
        ids.map(|id| Ok(u64::try_from(id?).unwrap_or_default()))
            .collect()
    }
}

/// Ends the process, if this is the place and the time for it.
fn come_to(crash: &mut Option<ArmedFailPoint>, at: FailPoint) {
    let Some(crash) = crash.as_mut().filter(|crash| crash.at == at) else {
        return;
    };
    if crash.after == 0 {
        std::process::abort();
    }
    crash.after -= 1;
}

impl Store for Sqlite {
    fn waiting(&mut self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        self.reader().waiting(each)
    }

    fn commit(&mut self, changes: &mut Vec<StoreChange>) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.has_room_for(changes)?;
        let since = Instant::now();
        come_to(&mut self.crash, FailPoint::BeforeWrite);
        let tally = self.write(changes).map_err(explain)?;
        come_to(&mut self.crash, FailPoint::BeforeAnswer);
        self.settle(tally);
        self.taken(changes);
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.commits.saturating_record(micros.max(1));
        self.unlooked += 1;
        if self.unlooked >= LOOK {
            self.look_at_size();
            self.checkpoint_and_crash();
        }
        Ok(())
    }

    fn args(&mut self, id: u64) -> Result<Arc<str>, StoreError> {
        if let Some(args) = self.warm.remove(&id) {
            self.warm_bytes -= args.len();
            return Ok(args);
        }
        match self.row(id)? {
            Some(row) if row.rare().error.as_deref() == Some(read::CHANGED) => {
                Err(StoreError(read::CHANGED.into()))
            }
            Some(row) => Ok(row.args),
            None => Err(StoreError(format!("task #{id} is not in the file"))),
        }
    }

    fn row(&mut self, id: u64) -> Result<Option<Row>, StoreError> {
        let row = self.reader().row(id)?.map(Cow::into_owned);
        Ok(row)
    }

    fn list(&mut self, running: &Running, query: &Query) -> Result<Page, StoreError> {
        list(&self.reader(), running, query)
    }

    fn ask(&mut self, running: &Arc<Running>, question: ReadRequest) {
        match &self.pages {
            Some(pages) => pages.ask(Arc::clone(running), question),
            None => question.answer(&self.reader(), running),
        }
    }

    fn ended(&self) -> [usize; 8] {
        self.ended
    }

    fn sweep(&mut self, now: Timestamp) -> Result<SweepReport, StoreError> {
        let due = self.due(now).map_err(explain)?;
        if !due.is_empty() {
            let last_id = self.last_id;
            let tally = self.transaction(FailPoint::MidRetention, |db| {
                let mut tally = Tally::default();
                write::apply(db, &StoreChange::Delete(due.clone()), &mut tally)?;
                write::remember(db, last_id)?;
                Ok(tally)
            });
            self.settle(tally.map_err(explain)?);
            self.look_at_size();
        }
        let next = self
            .db
            .prepare_cached("SELECT min(forget_at) FROM ended")
            .and_then(|mut statement| statement.query_row((), |row| row.get::<_, Option<i64>>(0)))
            .map_err(explain)?;
        Ok(SweepReport {
            forgotten: due.len(),
            next: next.map(|at| Timestamp(u64::try_from(at).unwrap_or_default())),
        })
    }

    fn is_over(&self) -> bool {
        self.surplus() > 0 && self.finished() > 0
    }

    fn size(&mut self) -> (u64, Percentiles) {
        self.look_at_size();
        (self.bytes, Percentiles::of(&self.commits))
    }

    fn submits(&mut self) -> Result<Vec<SubmitRow>, StoreError> {
        read::submits(&self.db).map_err(explain)
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        let cleared = self.slots.clear(self.last_id);
        cleared.map_err(|e| StoreError(format!("the slot file cannot be written: {e}")))
    }

    fn slots(&self) -> Option<Arc<InFlightFile>> {
        Some(Arc::clone(&self.slots))
    }

    fn close(&mut self) {
        // The reader goes first: a checkpoint that empties the log wants to be alone.
        self.pages = None;
        self.begin().ok();
        if let Err(why) = checkpoint(&self.db) {
            tracing::warn!(%why, "the log of the task file stays");
        }
    }
}

impl Sqlite {
    /// Dies in the middle of a checkpoint, if that is asked for: another thread ends the process while
    /// this one goes on moving pages.
    fn checkpoint_and_crash(&mut self) {
        let Some(crash) = self.crash.filter(|c| c.at == FailPoint::MidCheckpoint) else {
            return;
        };
        let after = Duration::from_micros(u64::from(crash.after));
        thread::spawn(move || {
            thread::sleep(after);
            std::process::abort();
        });
        loop {
            checkpoint(&self.db).ok();
        }
    }
}

/// Moves everything from the log into the file.
fn checkpoint(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
}

/// An error of SQLite in words that say what to do.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands in `map_err`, which passes by value"
)]
fn explain(error: rusqlite::Error) -> StoreError {
    use ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase,
        ReadOnly, SystemIoFailure,
    };
    let what = match error.sqlite_error_code() {
        Some(DiskFull) => "the disk is full",
        Some(DatabaseBusy | DatabaseLocked) => "another program is holding the task file",
        Some(ReadOnly) => "the task file may not be written",
        Some(SystemIoFailure) => "the disk reports an error",
        Some(DatabaseCorrupt | NotADatabase) => "the task file is damaged",
        Some(CannotOpen) => "the task file cannot be opened",
        _ => "SQLite reports an error",
    };
    StoreError(format!("{what} ({error})"))
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// Ended tasks by state.
fn count_ended(db: &Connection) -> rusqlite::Result<[usize; 8]> {
    let mut counts = [0; 8];
    let mut put = |state: State, count: i64| {
        if let Some(place) = counts.get_mut(state.index()) {
            *place = usize::try_from(count).unwrap_or_default();
        }
    };
    // Every row is in the index by time, and all but the successes are in the index by state.
    let all: i64 = db.query_row(
        "SELECT count(*) FROM ended INDEXED BY ended_forget",
        (),
        |row| row.get(0),
    )?;
    let sql = "SELECT state, count(*) FROM ended WHERE state <> 'succeeded' GROUP BY state";
    let mut statement = db.prepare(sql)?;
    let mut others = 0;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let count: i64 = row.get(1)?;
        others += count;
        if let Ok(state) = row.get_ref(0)?.as_str()?.parse() {
            put(state, count);
        }
    }
    put(State::Succeeded, all - others);
    Ok(counts)
}
mod pragmas;
mod reader_thread;

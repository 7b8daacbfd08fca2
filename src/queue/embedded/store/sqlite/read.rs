//! Rows out of the file.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::{HashSet, VecDeque},
    ops::Bound,
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension, Row as Columns, types::ValueRef};

use super::{
    super::{
        IdRange, StoreError, SubmitRow,
        ids::SortKey,
        list::merged,
        row::{ColdFields, EndRow, ExecOverrides, LastRun, Row},
        rows::{KeyRange, Rows, Scan, ScanItem, ScanIter},
    },
    explain,
    schema::{COLUMNS, END_COLUMNS},
    write::{checksum, number, result_checksum},
};
use crate::queue::task::{
    Attempt, IdempotencyKey, Key, MAX_ATTEMPTS_HISTORY, State, TimeLimits, Timestamp, WorkerId,
};

/// Rows that are fetched at once.
const CHUNK: usize = 128;

/// Says that a value is not what it was when it was written.
pub(super) const CHANGED: &str = "what is stored of this task has changed on disk";

/// A connection as rows.
#[derive(Debug)]
pub(super) struct StoreReader<'a> {
    db: &'a Connection,
    /// Names and queues are few and come again and again.
    words: RefCell<HashSet<Arc<str>>>,
}

/// The most words that are kept for sharing.
const MAX_WORDS: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    Waiting,
    Completion,
}

impl<'a> StoreReader<'a> {
    pub(super) fn new(db: &'a Connection) -> Self {
        Self {
            db,
            words: RefCell::default(),
        }
    }

    pub(super) fn waiting(&self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        // Arguments are read, and checked, when it is a task's turn.
        let columns = COLUMNS.replace(" args,", " '',");
        let sql = format!("SELECT {columns} FROM waiting ORDER BY id");
        let mut statement = self.db.prepare(&sql).map_err(explain)?;
        let mut rows = statement.query(()).map_err(explain)?;
        while let Some(columns) = rows.next().map_err(explain)? {
            each(self.decode(columns, Table::Waiting));
        }
        Ok(())
    }

    fn find(&self, table: Table, id: u64) -> Result<Option<Row>, StoreError> {
        let sql = format!("{} WHERE id = ?1", select(table));
        let mut statement = self.db.prepare_cached(&sql).map_err(explain)?;
        let row = statement.query_row([number(id)], |columns| Ok(self.checked(columns, table)));
        row.optional().map_err(explain)
    }

    fn word(&self, text: &str) -> Arc<str> {
        let mut words = self.words.borrow_mut();
        if let Some(word) = words.get(text) {
            return Arc::clone(word);
        }
        let word: Arc<str> = text.into();
        if words.len() < MAX_WORDS {
            words.insert(Arc::clone(&word));
        }
        word
    }

    /// A row, whatever the disk has made of it: what is not what it should be is left out, and then
    /// the checksum says so.
    fn decode(&self, columns: &Columns<'_>, table: Table) -> Row {
        let see = Columned(columns);
        let (name, args) = (
            see.text(2).unwrap_or_default(),
            see.text(3).unwrap_or_default(),
        );
        let mut row = Row::new(
            see.number(0).unwrap_or_default(),
            self.word(name),
            args.into(),
            see.time(11).unwrap_or_default(),
        );
        row.ready_at = see.time(12).unwrap_or_default();
        row.state = match (see.text(1).and_then(|word| word.parse().ok()), table) {
            (Some(state), _) => state,
            (None, Table::Waiting) => State::Queued,
            (None, Table::Completion) => State::Failed,
        };
        row.priority = see.small(7);
        row.attempts = see.small(8);
        row.max_attempts = see.small(9);
        row.crashes = see.small(10);
        let terms = ExecOverrides {
            limits: TimeLimits {
                soft: see.duration(16),
                hard: see.duration(17),
            },
            keep: see.duration(18),
        };
        row.set_rare(ColdFields {
            queue: see.text(4).map(|queue| self.word(queue)),
            key: see.text(5).map(|text| {
                let rule = see.text(6).and_then(|word| word.parse().ok());
                Box::new(Key {
                    text: text.into(),
                    rule: rule.unwrap_or_default(),
                })
            }),
            terms: (terms != ExecOverrides::default()).then(|| Box::new(terms)),
            due_at: see.time(13),
            wall_clock: see.number(14) == Some(1),
            expires_at: see.time(15),
            error: see.text(19).map(Into::into),
        });
        if table == Table::Completion {
            row.end = Some(see.end());
        }
        row
    }

    /// A row that says so when it is not what was written.
    fn checked(&self, columns: &Columns<'_>, table: Table) -> Row {
        let mut row = self.decode(columns, table);
        let see = Columned(columns);
        let result = row.end.as_ref().and_then(|end| end.result.as_deref());
        let result = result.map(|result| result_checksum(row.id, result));
        let whole = see.signed(20) == Some(checksum(&row))
            && (table == Table::Waiting || see.signed(28) == result);
        if !whole {
            row.change_rare(|rare| rare.error = Some(CHANGED.into()));
        }
        row
    }

    /// Up to [`CHUNK`] rows of a table.
    fn chunk(&self, source: Source, places: KeyRange, down: bool) -> Result<Chunk, StoreError> {
        let (from, to) = (lowest(places.0), highest(places.1));
        let (Some(from), Some(to)) = (from, to) else {
            return Ok(Chunk::new());
        };
        let mut statement = self.db.prepare_cached(&source.sql(down)).map_err(explain)?;
        let chunk = i64::try_from(CHUNK).unwrap_or(i64::MAX);
        let bounds = source.bounds(from, to);
        let rows = statement.query_map(
            rusqlite::params![bounds[0], bounds[1], bounds[2], bounds[3], chunk],
            |columns| {
                let row = self.checked(columns, source.table());
                let key = if source == Source::Slow {
                    row.slowness()
                } else {
                    0
                };
                Ok((key, row))
            },
        );
        rows.and_then(Iterator::collect).map_err(explain)
    }

    fn source(&self, source: Source, places: KeyRange, down: bool) -> ScanIter<'_> {
        Box::new(Chunks {
            reader: self,
            source,
            rest: Some(places),
            down,
            ready: Chunk::new(),
        })
    }
}

type Chunk = VecDeque<(u64, Row)>;

/// What one statement walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    All(Table),
    State(State),
    Slow,
    Brief,
}

impl Source {
    const fn table(self) -> Table {
        match self {
            Self::All(table) => table,
            Self::State(state) if !state.is_finished() => Table::Waiting,
            Self::State(_) | Self::Slow | Self::Brief => Table::Completion,
        }
    }

    /// States stand in the text itself, because a partial index serves only what is known when the
    /// statement is prepared.
    fn sql(self, down: bool) -> String {
        let which = match self {
            Self::All(_) => "",
            Self::State(state) => &format!(" AND state = '{state}'{}", index_hint(state)),
            Self::Slow => " AND ran >= 1000 AND (ran, id) >= (?1, ?2) AND (ran, id) <= (?3, ?4)",
            Self::Brief => " AND (ran IS NULL OR ran < 1000)",
        };
        let order = match (self, down) {
            (Self::Slow, false) => "ran, id",
            (Self::Slow, true) => "ran DESC, id DESC",
            (_, false) => "id",
            (_, true) => "id DESC",
        };
        let ids = match self {
            Self::Slow => "true",
            _ => "?1 = 0 AND id >= ?2 AND id <= ?4",
        };
        let select = select(self.table());
        format!("{select} WHERE {ids}{which} ORDER BY {order} LIMIT ?5")
    }

    /// From key and id, to key and id.
    fn bounds(self, from: SortKey, to: SortKey) -> [i64; 4] {
        let place = |(key, id): SortKey| (number(key), number(id));
        let ((from_key, from_id), (to_key, to_id)) = (place(from), place(to));
        [from_key, from_id, to_key, to_id]
    }
}

const fn index_hint(state: State) -> &'static str {
    match state {
        State::Succeeded => "",
        state if state.is_finished() => " AND state <> 'succeeded'",
        State::Queued => "",
        _ => " AND state <> 'queued'",
    }
}

/// Fetches chunk after chunk, so that a page costs what a page costs and no statement stays open.
struct Chunks<'a> {
    reader: &'a StoreReader<'a>,
    source: Source,
    /// What has not been fetched.
    rest: Option<KeyRange>,
    down: bool,
    ready: Chunk,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = ScanItem<'a>;

    fn next(&mut self) -> Option<ScanItem<'a>> {
        if self.ready.is_empty()
            && let Some((from, to)) = self.rest.take()
        {
            match self.reader.chunk(self.source, (from, to), self.down) {
                Ok(chunk) => self.ready = chunk,
                Err(why) => return Some(Err(why)),
            }
            if self.ready.len() == CHUNK {
                let last = self.ready.back().map(|(key, row)| (*key, row.id));
                self.rest = last.map(|last| {
                    if self.down {
                        (from, Bound::Excluded(last))
                    } else {
                        (Bound::Excluded(last), to)
                    }
                });
            }
        }
        let (key, row) = self.ready.pop_front()?;
        Some(Ok((key, Cow::Owned(row))))
    }
}

impl Rows for StoreReader<'_> {
    fn row(&self, id: u64) -> Result<Option<Cow<'_, Row>>, StoreError> {
        let row = match self.find(Table::Waiting, id)? {
            Some(row) => Some(row),
            None => self.find(Table::Completion, id)?,
        };
        Ok(row.map(Cow::Owned))
    }

    fn log(&self, id: u64) -> Result<Vec<Attempt>, StoreError> {
        let sql = "SELECT worker, waited, started_at, ran, error FROM attempts \
                   WHERE task = ?1 ORDER BY started_at DESC LIMIT ?2";
        let read = || -> rusqlite::Result<Vec<Attempt>> {
            let mut statement = self.db.prepare_cached(sql)?;
            let most = i64::try_from(MAX_ATTEMPTS_HISTORY).unwrap_or(i64::MAX);
            let attempts = statement.query_map((number(id), most), |columns| {
                let see = Columned(columns);
                Ok(Attempt {
                    worker: see.worker(0),
                    waited: see.duration(1).unwrap_or_default(),
                    started_at: see.time(2).unwrap_or_default(),
                    ran: see.duration(3).unwrap_or_default(),
                    error: see.text(4).unwrap_or(CHANGED).into(),
                })
            })?;
            attempts.collect()
        };
        let mut attempts = read().map_err(explain)?;
        attempts.reverse();
        Ok(attempts)
    }

    fn walk(&self, part: Scan, places: KeyRange, down: bool) -> ScanIter<'_> {
        match part {
            Scan::All => {
                let waiting = self.source(Source::All(Table::Waiting), places, down);
                let ended = self.source(Source::All(Table::Completion), places, down);
                merged(vec![waiting, ended], down)
            }
            Scan::State(state) => self.source(Source::State(state), places, down),
            Scan::Slowest => {
                let slow = self.source(Source::Slow, places, down);
                // Those that were brief have 0 for a key, and so come before or after all others.
                let brief = self.source(Source::Brief, of_zero(places), down);
                if down {
                    Box::new(slow.chain(brief))
                } else {
                    Box::new(brief.chain(slow))
                }
            }
        }
    }
}

/// Submits that have a name, the oldest first; one that the disk has made nonsense of is left out.
pub(super) fn submits(db: &Connection) -> rusqlite::Result<Vec<SubmitRow>> {
    let mut statement = db.prepare("SELECT id, at, answer FROM submits ORDER BY at")?;
    let rows = statement.query_map((), |columns| {
        let see = Columned(columns);
        let id: Option<[u8; 16]> = columns.get(0).ok();
        let runs: Option<Vec<IdRange>> =
            see.text(2).and_then(|text| serde_json::from_str(text).ok());
        let runs = runs.filter(|runs| runs.iter().map(|run| run.count).sum::<u64>() <= MOST_IDS);
        Ok(id.zip(runs).map(|(id, runs)| SubmitRow {
            id: IdempotencyKey(u128::from_be_bytes(id)),
            at: Timestamp(see.number(1).unwrap_or_default()),
            runs,
        }))
    })?;
    rows.filter_map(Result::transpose).collect()
}

/// More tasks are not taken at once.
const MOST_IDS: u64 = 100_000_000;

fn select(table: Table) -> String {
    match table {
        Table::Waiting => format!("SELECT {COLUMNS} FROM waiting"),
        Table::Completion => format!("SELECT {COLUMNS}, {END_COLUMNS} FROM ended"),
    }
}

/// The part of a range in which the key is 0.
fn of_zero((from, to): KeyRange) -> KeyRange {
    let to = match to {
        Bound::Included((key, _)) | Bound::Excluded((key, _)) if key > 0 => {
            Bound::Included((0, u64::MAX))
        }
        to => to,
    };
    (from, to)
}

/// The first place of a range; nothing when there is none.
fn lowest(bound: Bound<SortKey>) -> Option<SortKey> {
    match bound {
        Bound::Unbounded => Some((0, 0)),
        Bound::Included(place) => Some(place),
        Bound::Excluded((key, id)) => Some((key, id.checked_add(1)?)),
    }
}

/// The last place of a range; nothing when there is none.
fn highest(bound: Bound<SortKey>) -> Option<SortKey> {
    match bound {
        Bound::Unbounded => Some((u64::MAX, u64::MAX)),
        Bound::Included(place) => Some(place),
        Bound::Excluded((key, id)) => match id.checked_sub(1) {
            Some(id) => Some((key, id)),
            None => Some((key.checked_sub(1)?, u64::MAX)),
        },
    }
}

/// Columns as they are, each of the type that it should have or not there.
#[derive(Clone, Copy)]
struct Columned<'a, 'b>(&'a Columns<'b>);

impl<'a> Columned<'a, '_> {
    fn text(self, i: usize) -> Option<&'a str> {
        match self.0.get_ref(i) {
            Ok(ValueRef::Text(bytes)) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    fn signed(self, i: usize) -> Option<i64> {
        match self.0.get_ref(i) {
            Ok(ValueRef::Integer(number)) => Some(number),
            _ => None,
        }
    }

    fn number(self, i: usize) -> Option<u64> {
        self.signed(i).and_then(|number| u64::try_from(number).ok())
    }

    fn small(self, i: usize) -> u8 {
        let number = self.number(i).unwrap_or_default();
        u8::try_from(number).unwrap_or(u8::MAX)
    }

    fn time(self, i: usize) -> Option<Timestamp> {
        self.number(i).map(Timestamp)
    }

    fn duration(self, i: usize) -> Option<Duration> {
        self.number(i).map(Duration::from_micros)
    }

    fn worker(self, i: usize) -> Option<WorkerId> {
        let number = self.number(i)?;
        u16::try_from(number).ok().map(WorkerId)
    }

    fn end(self) -> EndRow {
        let last = self.time(21).zip(self.worker(24));
        EndRow {
            finished_at: self.time(25).unwrap_or_default(),
            forget_at: self.time(26).unwrap_or_default(),
            last: last.map(|(started_at, worker)| LastRun {
                started_at,
                waited: self.number(22).unwrap_or_default(),
                ran: self.number(23).unwrap_or_default(),
                worker,
            }),
            result: self.text(27).map(Into::into),
        }
    }
}

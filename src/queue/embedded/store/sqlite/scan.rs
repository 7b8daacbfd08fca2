//! Ordered scans of the tables, one chunk of rows after the other.

use std::{borrow::Cow, collections::VecDeque, ops::Bound};

use super::{
    read::StoreReader,
    schema::{COLUMNS, END_COLUMNS},
    write::number,
};
use crate::queue::{
    index::{
        bitmap::SortKey,
        row::Row,
        rows::{KeyRange, ScanItem, Scanned},
    },
    state::State,
};

/// Rows that are fetched at once.
pub(super) const CHUNK_ROWS: usize = 128;
/// Bytes of texts after which no more rows are fetched at once.
pub(super) const CHUNK_BYTES: usize = 256 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaskTable {
    Unfinished,
    Finished,
}

/// Rows that were fetched at once, with their sort keys.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) rows: VecDeque<(u64, Row)>,
    /// More may follow.
    pub(super) is_cut_off: bool,
}

impl TaskTable {
    /// The tasks in it, for messages.
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::Unfinished => "the unfinished tasks",
            Self::Finished => "the finished tasks",
        }
    }
}

/// The rows of one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowSource {
    All(TaskTable),
    State(State),
    /// Runs that are sorted by their run time.
    LongRuns,
    /// All other finished tasks, by id.
    ShortRuns,
}

impl RowSource {
    pub(super) const fn table(self) -> TaskTable {
        match self {
            Self::All(table) => table,
            Self::State(state) if !state.is_finished() => TaskTable::Unfinished,
            Self::State(_) | Self::LongRuns | Self::ShortRuns => TaskTable::Finished,
        }
    }

    /// Returns true for a row that belongs to the source. Without an index, a statement returns the rows
    /// that it has to pass as well: otherwise it could search for as long as there are rows.
    fn contains(self, row: &Row) -> bool {
        match self {
            Self::State(state) => row.state == state,
            Self::ShortRuns => row.duration_key() == 0,
            Self::All(_) | Self::LongRuns => true,
        }
    }

    /// The statement. The state is part of its text, because a partial index is used only for what is
    /// known when the statement is prepared.
    pub(super) fn sql(self, descending: bool) -> String {
        let condition = match self {
            Self::All(_) | Self::ShortRuns => "",
            Self::State(state) => match index_hint(state) {
                Some(hint) => &format!(" AND state = '{state}' AND {hint}"),
                None => "",
            },
            Self::LongRuns => {
                " AND run_time >= 1000 AND (run_time, id) >= (?1, ?2) AND (run_time, id) <= (?3, ?4)"
            }
        };
        let order = match (self, descending) {
            (Self::LongRuns, false) => "run_time, id",
            (Self::LongRuns, true) => "run_time DESC, id DESC",
            (_, false) => "id",
            (_, true) => "id DESC",
        };
        let ids = match self {
            Self::LongRuns => "true",
            _ => "?1 = 0 AND id >= ?2 AND id <= ?4",
        };
        let select = select(self.table());
        format!("{select} WHERE {ids}{condition} ORDER BY {order} LIMIT ?5")
    }

    /// The parameters of a range: first key and id, last key and id.
    pub(super) fn bounds(self, from: SortKey, to: SortKey) -> [i64; 4] {
        let params = |(key, id): SortKey| (number(key), number(id));
        let ((from_key, from_id), (to_key, to_id)) = (params(from), params(to));
        [from_key, from_id, to_key, to_id]
    }
}

/// The condition by which a statement uses the index for a state, if there is one.
const fn index_hint(state: State) -> Option<&'static str> {
    match state {
        State::Succeeded | State::Queued => None,
        state if state.is_finished() => Some("state <> 'succeeded'"),
        _ => Some("state <> 'queued'"),
    }
}

/// Fetches one chunk after the other, so that a page reads few rows and no statement stays open.
pub(super) struct ChunkIter<'a> {
    reader: &'a StoreReader<'a>,
    source: RowSource,
    /// The range that has not been fetched yet.
    rest: Option<KeyRange>,
    descending: bool,
    ready: VecDeque<(u64, Row)>,
}

impl<'a> ChunkIter<'a> {
    pub(super) fn new(
        reader: &'a StoreReader<'a>,
        source: RowSource,
        range: KeyRange,
        descending: bool,
    ) -> Self {
        Self {
            reader,
            source,
            rest: Some(range),
            descending,
            ready: VecDeque::new(),
        }
    }
}

impl<'a> Iterator for ChunkIter<'a> {
    type Item = ScanItem<'a>;

    fn next(&mut self) -> Option<ScanItem<'a>> {
        if self.ready.is_empty()
            && let Some((from, to)) = self.rest.take()
        {
            let chunk = match self.reader.chunk(self.source, (from, to), self.descending) {
                Ok(chunk) => chunk,
                Err(why) => return Some(Err(why)),
            };
            self.ready = chunk.rows;
            if chunk.is_cut_off {
                let last = self.ready.back().map(|(key, row)| (*key, row.id));
                self.rest = last.map(|last| {
                    if self.descending {
                        (from, Bound::Excluded(last))
                    } else {
                        (Bound::Excluded(last), to)
                    }
                });
            }
        }
        let (key, row) = self.ready.pop_front()?;
        Some(Ok(Scanned {
            key,
            wanted: self.source.contains(&row),
            row: Cow::Owned(row),
        }))
    }
}

pub(super) fn select(table: TaskTable) -> String {
    match table {
        TaskTable::Unfinished => format!("SELECT {COLUMNS} FROM unfinished"),
        TaskTable::Finished => format!("SELECT {COLUMNS}, {END_COLUMNS} FROM finished"),
    }
}

/// The part of a range in which the key is 0.
pub(super) fn zero_keys((from, to): KeyRange) -> KeyRange {
    let to = match to {
        Bound::Included((key, _)) | Bound::Excluded((key, _)) if key > 0 => {
            Bound::Included((0, u64::MAX))
        }
        to => to,
    };
    (from, to)
}

/// The first sort key of a range; `None` when the range is empty.
pub(super) fn lowest(bound: Bound<SortKey>) -> Option<SortKey> {
    match bound {
        Bound::Unbounded => Some((0, 0)),
        Bound::Included(key) => Some(key),
        Bound::Excluded((key, id)) => Some((key, id.checked_add(1)?)),
    }
}

/// The last sort key of a range; `None` when the range is empty.
pub(super) fn highest(bound: Bound<SortKey>) -> Option<SortKey> {
    match bound {
        Bound::Unbounded => Some((u64::MAX, u64::MAX)),
        Bound::Included(key) => Some(key),
        Bound::Excluded((key, id)) => match id.checked_sub(1) {
            Some(id) => Some((key, id)),
            None => Some((key.checked_sub(1)?, u64::MAX)),
        },
    }
}

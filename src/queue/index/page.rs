//! Tasks by id, pages of tasks, and counts. Every order scans the rows from a sort key, so a page in the
//! middle of a million costs as much as the first.

use std::{ops::Bound, sync::Arc};

use super::{
    bitmap::SortKey,
    merge::merged,
    row::{Row, RunningInfo},
    rows::{KeyRange, Rows, Running, Scan, ScanIter, Scanned, StorageError},
    step::{Budget, Progress, SteppedRead},
};
use crate::queue::{
    clock::Timestamp,
    id::TaskId,
    query::{Cursor, Filter, MAX_PAGE, Order, Page, PageRow, PageStart, Query},
    state::{State, StateSet},
    stats::Count,
    task::Task,
};

/// The most rows that one call for a page examines. A rare match among many tasks then takes several
/// calls, and none of them is long.
const SCAN_ROWS: usize = 10_000;
/// The most bytes that one call for a page examines; a byte counts once for each word.
const SCAN_BYTES: u64 = 64 << 20;
/// The most bytes of texts on a page, but for its first task. A frame carries about as much, and callers
/// that ask for many pages at once hold that much for each.
const PAGE_BYTES: usize = 512 << 10;
/// The most rows, and bytes, that a count examines. Beyond them it is a lower bound.
const COUNT_ROWS: usize = 2_000_000;
const COUNT_BYTES: u64 = 4 << 30;

/// The bytes that are examined to match a row.
fn cost(row: &Row, filter: &Filter) -> usize {
    /// Those of the columns without texts.
    const COLUMNS: usize = 128;
    row.text_size()
        .saturating_mul(1 + filter.words())
        .saturating_add(COLUMNS)
}

/// A scan that pauses when the budget of a step is spent, and ends at a limit of its own.
#[derive(Debug)]
struct PausedScan {
    order: Order,
    from: PageStart,
    rows_left: usize,
    bytes_left: u64,
    /// The last row that was examined.
    last: Option<Cursor>,
}

/// The decision on a matching row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowDecision {
    /// It was taken; more are wanted.
    Taken,
    /// It was taken as the last one.
    TakenAsLast,
    /// There is no room for it.
    NoRoom,
}

/// The reason why a scan has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScanEnd {
    /// The budget of the step is spent.
    Step,
    /// The scan is at its limit, or the receiver of its rows wants no more.
    Limit,
    /// There are no more rows.
    Complete,
}

impl From<ScanEnd> for Progress {
    fn from(end: ScanEnd) -> Self {
        match end {
            ScanEnd::Step => Self::Paused,
            ScanEnd::Limit | ScanEnd::Complete => Self::Complete,
        }
    }
}

impl PausedScan {
    const fn new(order: Order, from: PageStart, rows: usize, bytes: u64) -> Self {
        Self {
            order,
            from,
            rows_left: rows,
            bytes_left: bytes,
            last: None,
        }
    }

    /// Passes matching rows to `each` as long as it wants more.
    fn run(
        &mut self,
        scan: ListScan<'_>,
        budget: &mut Budget,
        mut each: impl FnMut(Cursor, &Row, Option<&RunningInfo>) -> RowDecision,
    ) -> Result<ScanEnd, StorageError> {
        let mut end = ScanEnd::Complete;
        for (examined, item) in scan.items(self.order, &self.from).enumerate() {
            if self.rows_left == 0 || self.bytes_left == 0 {
                end = ScanEnd::Limit;
                break;
            }
            // Every step examines a row, however long it took to fetch it.
            if examined > 0 && budget.is_spent() {
                end = ScanEnd::Step;
                break;
            }
            let Scanned { key, row, wanted } = item?;
            let cursor = Cursor::new(key, row.id);
            let bytes = cost(&row, scan.filter);
            budget.spend(bytes);
            self.rows_left -= 1;
            self.bytes_left = self.bytes_left.saturating_sub(bytes as u64);
            let run = scan.running.get(&row.id);
            let matches = wanted && row.matches(scan.filter, run);
            let decision = if matches {
                each(cursor, &row, run)
            } else {
                RowDecision::Taken
            };
            if decision != RowDecision::NoRoom {
                self.last = Some(cursor);
            }
            if decision != RowDecision::Taken {
                end = ScanEnd::Limit;
                break;
            }
        }
        if end == ScanEnd::Step
            && let Some(last) = self.last
        {
            self.from = if self.from.is_backwards() {
                PageStart::Before(last)
            } else {
                PageStart::After(last)
            };
        }
        Ok(end)
    }
}

/// The read of a page of the tasks that match a query.
#[derive(Debug)]
pub(in crate::queue) struct PageRead {
    filter: Filter,
    limit: usize,
    scan: PausedScan,
    bytes: usize,
    page: Page,
}

impl PageRead {
    pub(in crate::queue) fn new(query: Query) -> Self {
        Self {
            filter: query.filter,
            limit: query.limit.clamp(1, MAX_PAGE),
            scan: PausedScan::new(query.order, query.from, SCAN_ROWS, SCAN_BYTES),
            bytes: 0,
            page: Page::default(),
        }
    }

    fn is_full(&self) -> bool {
        self.page.rows.len() >= self.limit
    }
}

impl SteppedRead for PageRead {
    type Output = Page;
    const IS_SCAN: bool = false;

    fn step(
        &mut self,
        rows: &dyn Rows,
        running: &Running,
        budget: &mut Budget,
    ) -> Result<Progress, StorageError> {
        let scan = ListScan {
            rows,
            running,
            filter: &self.filter,
        };
        let (page, page_bytes, limit) = (&mut self.page.rows, &mut self.bytes, self.limit);
        let end = self.scan.run(scan, budget, |cursor, row, run| {
            let bytes = row.text_size();
            let fits = page.is_empty() || *page_bytes + bytes <= PAGE_BYTES;
            if !fits {
                return RowDecision::NoRoom;
            }
            *page_bytes += bytes;
            page.push(PageRow {
                cursor,
                task: row.to_task(run),
            });
            if page.len() < limit {
                RowDecision::Taken
            } else {
                RowDecision::TakenAsLast
            }
        })?;
        if end == ScanEnd::Limit && !self.is_full() {
            self.page.resume_at = self.scan.last;
        }
        Ok(end.into())
    }

    fn finish(mut self) -> Page {
        if self.scan.from.is_backwards() {
            self.page.rows.reverse();
        }
        self.page
    }
}

/// The read of one task with its attempts.
#[derive(Debug)]
pub(in crate::queue) struct TaskRead {
    id: TaskId,
    task: Option<Task>,
}

impl TaskRead {
    pub(in crate::queue) const fn new(id: TaskId) -> Self {
        Self { id, task: None }
    }
}

impl SteppedRead for TaskRead {
    type Output = Option<Task>;
    const IS_SCAN: bool = false;

    fn step(
        &mut self,
        rows: &dyn Rows,
        running: &Running,
        _: &mut Budget,
    ) -> Result<Progress, StorageError> {
        if let Some(key) = self.id.sequence()
            && let Some(row) = rows.row(key)?
        {
            let mut task = row.to_task(running.get(&key));
            task.attempts_history = rows.attempts(key)?;
            self.task = Some(task);
        }
        Ok(Progress::Complete)
    }

    fn finish(self) -> Option<Task> {
        self.task
    }
}

/// The count of the tasks that match a filter. Each task is counted as it is when the scan, which goes
/// from the oldest to the newest, comes to it.
#[derive(Debug)]
pub(in crate::queue) struct CountRead {
    filter: Filter,
    scan: PausedScan,
    count: usize,
    exact: bool,
}

impl CountRead {
    pub(in crate::queue) const fn new(filter: Filter) -> Self {
        Self {
            filter,
            scan: PausedScan::new(Order::Oldest, PageStart::First, COUNT_ROWS, COUNT_BYTES),
            count: 0,
            exact: true,
        }
    }
}

impl SteppedRead for CountRead {
    type Output = Count;
    const IS_SCAN: bool = true;

    fn step(
        &mut self,
        rows: &dyn Rows,
        running: &Running,
        budget: &mut Budget,
    ) -> Result<Progress, StorageError> {
        let scan = ListScan {
            rows,
            running,
            filter: &self.filter,
        };
        let count = &mut self.count;
        let end = self.scan.run(scan, budget, |_, _, _| {
            *count += 1;
            RowDecision::Taken
        })?;
        self.exact = end != ScanEnd::Limit;
        Ok(end.into())
    }

    fn finish(self) -> Count {
        if self.exact {
            Count::Exact(self.count)
        } else {
            Count::AtLeast(self.count)
        }
    }
}

/// A task that a bulk action may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) struct Candidate {
    pub(in crate::queue) id: u64,
    /// Its state, attempts and end when it was read; they differ when it has changed since.
    pub(in crate::queue) state: State,
    pub(in crate::queue) attempts: u8,
    pub(in crate::queue) finished_at: Option<Timestamp>,
    /// The bytes of its texts.
    pub(in crate::queue) bytes: usize,
}

/// The next candidates of a bulk action, oldest first.
#[derive(Debug, Default)]
pub(in crate::queue) struct Candidates {
    pub(in crate::queue) found: Vec<Candidate>,
    /// The last task that was examined; `None` when there are no more.
    pub(in crate::queue) resume_after: Option<u64>,
}

/// The read of the next candidates of a bulk action.
#[derive(Debug)]
pub(in crate::queue) struct CandidateRead {
    filter: Arc<Filter>,
    limit: usize,
    scan: PausedScan,
    candidates: Candidates,
}

impl CandidateRead {
    /// The candidates after a task, or the first ones, at most `limit`.
    pub(in crate::queue) fn new(filter: Arc<Filter>, after: Option<u64>, limit: usize) -> Self {
        let from = after.map_or(PageStart::First, |id| PageStart::After(Cursor::new(0, id)));
        Self {
            filter,
            limit,
            scan: PausedScan::new(Order::Oldest, from, SCAN_ROWS, SCAN_BYTES),
            candidates: Candidates::default(),
        }
    }
}

impl SteppedRead for CandidateRead {
    type Output = Candidates;
    const IS_SCAN: bool = true;

    fn step(
        &mut self,
        rows: &dyn Rows,
        running: &Running,
        budget: &mut Budget,
    ) -> Result<Progress, StorageError> {
        let scan = ListScan {
            rows,
            running,
            filter: &self.filter,
        };
        let (found, limit) = (&mut self.candidates.found, self.limit);
        let end = self.scan.run(scan, budget, |_, row, run| {
            found.push(Candidate {
                id: row.id,
                state: row.current_state(run),
                attempts: run.map_or(row.attempts, |run| run.attempts),
                finished_at: row.end.as_ref().map(|end| end.finished_at),
                bytes: row.text_size(),
            });
            if found.len() < limit {
                RowDecision::Taken
            } else {
                RowDecision::TakenAsLast
            }
        })?;
        if end == ScanEnd::Limit {
            self.candidates.resume_after = self.scan.last.map(|last| last.position().1);
        }
        Ok(end.into())
    }

    fn finish(self) -> Candidates {
        self.candidates
    }
}

/// A filtered scan in the order of a query.
#[derive(Clone, Copy)]
struct ListScan<'a> {
    rows: &'a dyn Rows,
    running: &'a Running,
    filter: &'a Filter,
}

impl<'a> ListScan<'a> {
    fn items(self, order: Order, from: &PageStart) -> ScanIter<'a> {
        match order {
            Order::Newest => self.by_age(from, true),
            Order::Oldest => self.by_age(from, false),
            Order::State => self.by_state(from),
            Order::Slowest => self.by_run_time(from),
        }
    }

    fn by_age(self, from: &PageStart, newest_first: bool) -> ScanIter<'a> {
        // Exactly one of the two reverses the scan; both together do not.
        let descending = newest_first != from.is_backwards();
        let edge = match from {
            PageStart::First | PageStart::Last => Bound::Unbounded,
            PageStart::At(cursor) => Bound::Included((0, cursor.position().1)),
            PageStart::After(cursor) | PageStart::Before(cursor) => {
                Bound::Excluded((0, cursor.position().1))
            }
        };
        let range = if descending {
            (Bound::Unbounded, edge)
        } else {
            (edge, Bound::Unbounded)
        };
        if let Some(ids) = &self.filter.ids {
            let ids = ids.iter().filter_map(TaskId::sequence);
            let ids: Vec<u64> = ids.filter(|id| within(range, (0, *id))).collect();
            return if descending {
                self.by_ids(ids.into_iter().rev())
            } else {
                self.by_ids(ids.into_iter())
            };
        }
        let states = self.filter.states;
        if states == StateSet::ALL {
            return self.rows.scan(Scan::All, range, descending);
        }
        let scans = states
            .iter()
            .map(|state| self.in_state(state, range, descending));
        merged(scans.collect(), descending)
    }

    /// One state after the other, and the newest first within each.
    fn by_state(self, from: &PageStart) -> ScanIter<'a> {
        let backwards = from.is_backwards();
        let start = match from {
            PageStart::First | PageStart::Last => None,
            PageStart::At(c) | PageStart::After(c) | PageStart::Before(c) => Some(c.position()),
        };
        let inclusive = matches!(from, PageStart::At(_));
        let rows_of = move |state: State| -> ScanIter<'a> {
            let key = state.index() as u64;
            let edge = match start {
                Some((at, id)) if at == key && inclusive => Bound::Included((0, id)),
                Some((at, id)) if at == key => Bound::Excluded((0, id)),
                _ => Bound::Unbounded,
            };
            let range = if backwards {
                (edge, Bound::Unbounded)
            } else {
                (Bound::Unbounded, edge)
            };
            let rows = self.in_state(state, range, !backwards);
            Box::new(rows.map(move |item| item.map(|scanned| Scanned { key, ..scanned })))
        };
        let beyond = move |state: &State| {
            let key = state.index() as u64;
            start.is_none_or(|(at, _)| if backwards { key <= at } else { key >= at })
        };
        let wanted: Vec<State> = self.filter.states.iter().filter(beyond).collect();
        if backwards {
            Box::new(wanted.into_iter().rev().flat_map(rows_of))
        } else {
            Box::new(wanted.into_iter().flat_map(rows_of))
        }
    }

    fn by_run_time(self, from: &PageStart) -> ScanIter<'a> {
        let (range, descending) = match from {
            PageStart::First => ((Bound::Unbounded, Bound::Unbounded), true),
            PageStart::At(c) => ((Bound::Unbounded, Bound::Included(c.position())), true),
            PageStart::After(c) => ((Bound::Unbounded, Bound::Excluded(c.position())), true),
            PageStart::Last => ((Bound::Unbounded, Bound::Unbounded), false),
            PageStart::Before(c) => ((Bound::Excluded(c.position()), Bound::Unbounded), false),
        };
        self.rows.scan(Scan::RunTime, range, descending)
    }

    /// Rows in their current state: a running task is stored in the state before.
    fn in_state(self, state: State, range: KeyRange, descending: bool) -> ScanIter<'a> {
        if state == State::Running {
            let ids = self.running.keys().copied();
            let ids = ids.filter(move |id| within(range, (0, *id)));
            return if descending {
                self.by_ids(ids.rev())
            } else {
                self.by_ids(ids)
            };
        }
        let rows = self.rows.scan(Scan::State(state), range, descending);
        if state.is_finished() {
            return rows;
        }
        let running = self.running;
        Box::new(rows.map(move |item| {
            item.map(|scanned| Scanned {
                wanted: scanned.wanted && !running.contains_key(&scanned.row.id),
                ..scanned
            })
        }))
    }

    fn by_ids(self, ids: impl Iterator<Item = u64> + 'a) -> ScanIter<'a> {
        Box::new(ids.filter_map(move |id| match self.rows.row(id) {
            Ok(row) => row.map(|row| Ok(Scanned::new(0, row))),
            Err(why) => Some(Err(why)),
        }))
    }
}

fn within(range: KeyRange, key: SortKey) -> bool {
    std::ops::RangeBounds::contains(&range, &key)
}

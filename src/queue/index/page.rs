//! Tasks by id, pages of tasks, and counts. Every order scans the rows from a sort key, so a page in the
//! middle of a million costs as much as the first.

use std::ops::Bound;

use super::{
    bitmap::SortKey,
    merge::merged,
    rows::{KeyRange, Rows, Running, Scan, ScanItem, ScanIter, StorageError},
};
use crate::queue::{
    id::TaskId,
    query::{Cursor, Filter, MAX_PAGE, Order, Page, PageRow, PageStart, Query},
    state::{State, StateSet},
    task::Task,
};

/// The most rows that one call scans. A rare match among many tasks then takes several calls, and none
/// of them is long.
const SCAN_LIMIT: usize = 10_000;

/// A page of the tasks that match a query.
pub(in crate::queue) fn list(
    rows: &dyn Rows,
    running: &Running,
    query: &Query,
) -> Result<Page, StorageError> {
    let limit = query.limit.clamp(1, MAX_PAGE);
    let mut page = Page::default();
    let mut last = None;
    let scan = ListScan {
        rows,
        running,
        filter: &query.filter,
    };
    for (scanned, item) in scan.items(query.order, &query.from).enumerate() {
        if page.rows.len() >= limit {
            break;
        }
        if scanned >= SCAN_LIMIT {
            page.resume_at = last;
            break;
        }
        let (key, row) = item?;
        let cursor = Cursor::new(key, row.id);
        last = Some(cursor);
        let run = running.get(&row.id);
        if row.matches(&query.filter, run) {
            page.rows.push(PageRow {
                cursor,
                task: row.to_task(run),
            });
        }
    }
    if query.from.is_backwards() {
        page.rows.reverse();
    }
    Ok(page)
}

/// One task with its attempts.
pub(in crate::queue) fn get(
    rows: &dyn Rows,
    running: &Running,
    id: &TaskId,
) -> Result<Option<Task>, StorageError> {
    let Some(key) = id.sequence() else {
        return Ok(None);
    };
    let Some(row) = rows.row(key)? else {
        return Ok(None);
    };
    let mut task = row.to_task(running.get(&key));
    task.attempts_history = rows.attempts(key)?;
    Ok(Some(task))
}

/// The number of tasks that match a filter.
pub(in crate::queue) fn count(
    rows: &dyn Rows,
    running: &Running,
    filter: &Filter,
) -> Result<usize, StorageError> {
    let mut count = 0;
    for item in matching(rows, running, filter) {
        item?;
        count += 1;
    }
    Ok(count)
}

/// Every row that matches a filter, oldest first, without a scan limit.
fn matching<'a>(
    rows: &'a dyn Rows,
    running: &'a Running,
    filter: &'a Filter,
) -> impl Iterator<Item = ScanItem<'a>> {
    let scan = ListScan {
        rows,
        running,
        filter,
    };
    scan.items(Order::Oldest, &PageStart::First)
        .filter(move |item| match item {
            Ok((_, row)) => row.matches(filter, running.get(&row.id)),
            Err(_) => true,
        })
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
            Box::new(rows.map(move |item| item.map(|(_, row)| (key, row))))
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
        Box::new(rows.filter(move |item| match item {
            Ok((_, row)) => !running.contains_key(&row.id),
            Err(_) => true,
        }))
    }

    fn by_ids(self, ids: impl Iterator<Item = u64> + 'a) -> ScanIter<'a> {
        Box::new(ids.filter_map(move |id| match self.rows.row(id) {
            Ok(row) => row.map(|row| Ok((0, row))),
            Err(why) => Some(Err(why)),
        }))
    }
}

fn within(range: KeyRange, key: SortKey) -> bool {
    std::ops::RangeBounds::contains(&range, &key)
}

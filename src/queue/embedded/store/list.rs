//! Pages of tasks: every order walks the rows from a key, so a page in the middle of a million costs
//! as much as the first.

use std::{cmp::Ordering, ops::Bound};

use super::{
    StoreError,
    ids::SortKey,
    rows::{KeyRange, Rows, Running, Scan, ScanItem, ScanIter},
};
use crate::queue::{
    query::{Cursor, Filter, From, MAX_PAGE, Order, Page, Query, StateSet},
    task::{State, TaskId},
};

/// The most rows that one call looks at. A rare word among many tasks then takes several calls, and
/// none of them is long.
const MAX_LOOK: usize = 10_000;

/// A page of the tasks that match.
pub(super) fn list(rows: &dyn Rows, running: &Running, query: &Query) -> Result<Page, StoreError> {
    let limit = query.limit.clamp(1, MAX_PAGE);
    let mut page = Page::default();
    let mut last = None;
    let asked = Asked {
        rows,
        running,
        filter: &query.filter,
    };
    for (looked, step) in asked.walk(query.order, query.from).enumerate() {
        if page.tasks.len() >= limit {
            break;
        }
        if looked >= MAX_LOOK {
            page.more_from = last;
            break;
        }
        let (key, row) = step?;
        last = Some(Cursor {
            key,
            id: TaskId(row.id.into()),
        });
        let live = running.get(&row.id);
        if row.matches(&query.filter, live) {
            page.tasks.push(row.task(live));
        }
    }
    if query.from.is_backwards() {
        page.tasks.reverse();
    }
    Ok(page)
}

/// Every row that matches, the oldest first, however long that takes.
pub(super) fn matching<'a>(
    rows: &'a dyn Rows,
    running: &'a Running,
    filter: &'a Filter,
) -> impl Iterator<Item = ScanItem<'a>> {
    let asked = Asked {
        rows,
        running,
        filter,
    };
    asked
        .walk(Order::Oldest, From::First)
        .filter(move |step| match step {
            Ok((_, row)) => row.matches(filter, running.get(&row.id)),
            Err(_) => true,
        })
}

/// What is asked, of whom.
#[derive(Clone, Copy)]
struct Asked<'a> {
    rows: &'a dyn Rows,
    running: &'a Running,
    filter: &'a Filter,
}

impl<'a> Asked<'a> {
    fn walk(self, order: Order, from: From) -> ScanIter<'a> {
        match order {
            Order::Newest => self.by_age(from, true),
            Order::Oldest => self.by_age(from, false),
            Order::State => self.by_state(from),
            Order::Slowest => self.by_slowness(from),
        }
    }

    fn by_age(self, from: From, newest_first: bool) -> ScanIter<'a> {
        // The walk goes down the ids when exactly one of the two turns it round.
        let down = newest_first != from.is_backwards();
        let edge = match from {
            From::First | From::Last => Bound::Unbounded,
            From::At(cursor) => Bound::Included((0, id(cursor))),
            From::After(cursor) | From::Before(cursor) => Bound::Excluded((0, id(cursor))),
        };
        let places = if down {
            (Bound::Unbounded, edge)
        } else {
            (edge, Bound::Unbounded)
        };
        if let Some(ids) = &self.filter.ids {
            let ids = ids.iter().filter_map(|id| u64::try_from(id.0).ok());
            let ids: Vec<u64> = ids.filter(|id| within(places, (0, *id))).collect();
            return if down {
                self.these(ids.into_iter().rev())
            } else {
                self.these(ids.into_iter())
            };
        }
        let states = self.filter.states;
        if states == StateSet::ALL {
            return self.rows.walk(Scan::All, places, down);
        }
        let walks = states.iter().map(|state| self.state(state, places, down));
        merged(walks.collect(), down)
    }

    /// State after state, and the newest first within each.
    fn by_state(self, from: From) -> ScanIter<'a> {
        let back = from.is_backwards();
        let place = match from {
            From::First | From::Last => None,
            From::At(c) | From::After(c) | From::Before(c) => Some((c.key, id(c))),
        };
        let inclusive = matches!(from, From::At(_));
        let rows_of = move |state: State| -> ScanIter<'a> {
            let key = state.index() as u64;
            let edge = match place {
                Some((at, id)) if at == key && inclusive => Bound::Included((0, id)),
                Some((at, id)) if at == key => Bound::Excluded((0, id)),
                _ => Bound::Unbounded,
            };
            let places = if back {
                (edge, Bound::Unbounded)
            } else {
                (Bound::Unbounded, edge)
            };
            let walk = self.state(state, places, !back);
            Box::new(walk.map(move |step| step.map(|(_, row)| (key, row))))
        };
        let beyond = move |state: &State| {
            let key = state.index() as u64;
            place.is_none_or(|(at, _)| if back { key <= at } else { key >= at })
        };
        let wanted: Vec<State> = self.filter.states.iter().filter(beyond).collect();
        if back {
            Box::new(wanted.into_iter().rev().flat_map(rows_of))
        } else {
            Box::new(wanted.into_iter().flat_map(rows_of))
        }
    }

    fn by_slowness(self, from: From) -> ScanIter<'a> {
        let place = |c: Cursor| (c.key, id(c));
        let (places, down) = match from {
            From::First => ((Bound::Unbounded, Bound::Unbounded), true),
            From::At(c) => ((Bound::Unbounded, Bound::Included(place(c))), true),
            From::After(c) => ((Bound::Unbounded, Bound::Excluded(place(c))), true),
            From::Last => ((Bound::Unbounded, Bound::Unbounded), false),
            From::Before(c) => ((Bound::Excluded(place(c)), Bound::Unbounded), false),
        };
        self.rows.walk(Scan::Slowest, places, down)
    }

    /// Rows that are in a state now: what runs is kept as what it was before.
    fn state(self, state: State, places: KeyRange, down: bool) -> ScanIter<'a> {
        if state == State::Running {
            let ids = self.running.keys().copied();
            let ids = ids.filter(move |id| within(places, (0, *id)));
            return if down {
                self.these(ids.rev())
            } else {
                self.these(ids)
            };
        }
        let walk = self.rows.walk(Scan::State(state), places, down);
        if state.is_finished() {
            return walk;
        }
        let running = self.running;
        Box::new(walk.filter(move |step| match step {
            Ok((_, row)) => !running.contains_key(&row.id),
            Err(_) => true,
        }))
    }

    fn these(self, ids: impl Iterator<Item = u64> + 'a) -> ScanIter<'a> {
        Box::new(ids.filter_map(move |id| match self.rows.row(id) {
            Ok(row) => row.map(|row| Ok((0, row))),
            Err(why) => Some(Err(why)),
        }))
    }
}

fn id(cursor: Cursor) -> u64 {
    u64::try_from(cursor.id.0).unwrap_or(u64::MAX)
}

fn within(places: KeyRange, place: SortKey) -> bool {
    std::ops::RangeBounds::contains(&places, &place)
}

/// Several walks by id as one.
pub(super) fn merged(walks: Vec<ScanIter<'_>>, down: bool) -> ScanIter<'_> {
    let walks = walks.into_iter().map(Iterator::peekable).collect();
    Box::new(Merge { walks, down })
}

struct Merge<'a> {
    walks: Vec<std::iter::Peekable<ScanIter<'a>>>,
    down: bool,
}

impl<'a> Iterator for Merge<'a> {
    type Item = ScanItem<'a>;

    fn next(&mut self) -> Option<ScanItem<'a>> {
        let mut first: Option<(usize, Option<u64>)> = None;
        for (i, walk) in self.walks.iter_mut().enumerate() {
            let Some(head) = walk.peek() else { continue };
            // What went wrong is told before anything else.
            let id = head.as_ref().ok().map(|(_, row)| row.id);
            let sooner = match (id, first) {
                (_, None) | (None, _) => true,
                (Some(_), Some((_, None))) => false,
                (Some(id), Some((_, Some(best)))) => {
                    id.cmp(&best)
                        == if self.down {
                            Ordering::Greater
                        } else {
                            Ordering::Less
                        }
                }
            };
            if sooner {
                first = Some((i, id));
            }
        }
        let (i, _) = first?;
        self.walks.get_mut(i)?.next()
    }
}

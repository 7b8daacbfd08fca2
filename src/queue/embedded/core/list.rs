//! Pages of tasks: every order walks an index from a key, so a page in the middle of a million costs
//! as much as the first.

use std::ops::Bound;

use super::Core;
use crate::queue::{
    query::{Cursor, From, MAX_PAGE, Order, Page, Query, States},
    task::{State, TaskId},
};

/// The most tasks that one call looks at. A rare word among many tasks then takes several calls, and
/// none of them holds up the workers.
const MAX_LOOK: usize = 20_000;

/// Ids with the first half of their cursor, walking one way.
type Walk<'a> = Box<dyn Iterator<Item = (u64, u64)> + 'a>;

impl Core {
    pub(in crate::queue::embedded) fn list(&self, query: &Query) -> Page {
        let limit = query.limit.clamp(1, MAX_PAGE);
        let mut page = Page::default();
        let mut last = None;
        for (looked, (key, id)) in self.walk(query).enumerate() {
            if page.tasks.len() >= limit {
                break;
            }
            if looked >= MAX_LOOK {
                page.more_from = last;
                break;
            }
            last = Some(Cursor {
                key,
                id: TaskId(id.into()),
            });
            if let Some(record) = self.tasks.get(&id)
                && record.matches(id, &query.filter)
            {
                page.tasks.push(record.task(id));
            }
        }
        if query.from.is_backwards() {
            page.tasks.reverse();
        }
        page
    }

    fn walk(&self, query: &Query) -> Walk<'_> {
        let states = query.filter.wanted();
        match query.order {
            Order::Newest => self.by_age(states, query.from, true),
            Order::Oldest => self.by_age(states, query.from, false),
            Order::State => self.by_state(states, query.from),
            Order::Slowest => self.by_duration(query.from),
        }
    }

    fn by_age(&self, states: States, from: From, newest_first: bool) -> Walk<'_> {
        let id = |cursor: Cursor| u64::try_from(cursor.id.0).unwrap_or(u64::MAX);
        // The walk goes down the ids when exactly one of the two turns it round.
        let down = newest_first != from.is_backwards();
        let edge = match from {
            From::First | From::Last => Bound::Unbounded,
            From::At(cursor) => Bound::Included(id(cursor)),
            From::After(cursor) | From::Before(cursor) => Bound::Excluded(id(cursor)),
        };
        let range = if down {
            (Bound::Unbounded, edge)
        } else {
            (edge, Bound::Unbounded)
        };
        if states == States::ALL {
            let ids = self.tasks.range(range).map(|(id, _)| (0, *id));
            return if down {
                Box::new(ids.rev())
            } else {
                Box::new(ids)
            };
        }
        let walks = states.iter().map(|state| -> Walk<'_> {
            let ids = self.index.range(state, range).map(|id| (0, id));
            if down {
                Box::new(ids.rev())
            } else {
                Box::new(ids)
            }
        });
        Box::new(Merge::new(walks.collect(), down))
    }

    /// State after state, and the newest first within each.
    fn by_state(&self, states: States, from: From) -> Walk<'_> {
        let back = from.is_backwards();
        let place = match from {
            From::First | From::Last => None,
            From::At(c) | From::After(c) | From::Before(c) => {
                Some((c.key, u64::try_from(c.id.0).unwrap_or(u64::MAX)))
            }
        };
        let inclusive = matches!(from, From::At(_));
        let ids_of = move |state: State| -> Walk<'_> {
            let key = state.index() as u64;
            let edge = match place {
                Some((at, id)) if at == key && inclusive => Bound::Included(id),
                Some((at, id)) if at == key => Bound::Excluded(id),
                _ => Bound::Unbounded,
            };
            if back {
                let ids = self.index.range(state, (edge, Bound::Unbounded));
                Box::new(ids.map(move |id| (key, id)))
            } else {
                let ids = self.index.range(state, (Bound::Unbounded, edge));
                Box::new(ids.rev().map(move |id| (key, id)))
            }
        };
        let beyond = move |state: &State| {
            let key = state.index() as u64;
            place.is_none_or(|(at, _)| if back { key <= at } else { key >= at })
        };
        let wanted: Vec<State> = states.iter().filter(beyond).collect();
        if back {
            Box::new(wanted.into_iter().rev().flat_map(ids_of))
        } else {
            Box::new(wanted.into_iter().flat_map(ids_of))
        }
    }

    fn by_duration(&self, from: From) -> Walk<'_> {
        let place = |c: Cursor| (c.key, u64::try_from(c.id.0).unwrap_or(u64::MAX));
        match from {
            From::First => Box::new(self.index.slowest(..).rev()),
            From::At(c) => Box::new(self.index.slowest(..=place(c)).rev()),
            From::After(c) => Box::new(self.index.slowest(..place(c)).rev()),
            From::Last => Box::new(self.index.slowest(..)),
            From::Before(c) => {
                let behind = (Bound::Excluded(place(c)), Bound::Unbounded);
                Box::new(self.index.slowest(behind))
            }
        }
    }
}

/// Several walks in one order, as one.
struct Merge<'a> {
    walks: Vec<std::iter::Peekable<Walk<'a>>>,
    down: bool,
}

impl<'a> Merge<'a> {
    fn new(walks: Vec<Walk<'a>>, down: bool) -> Self {
        Self {
            walks: walks.into_iter().map(Iterator::peekable).collect(),
            down,
        }
    }
}

impl Iterator for Merge<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        let heads = self.walks.iter_mut().enumerate();
        let heads = heads.filter_map(|(i, walk)| walk.peek().map(|head| (*head, i)));
        let (_, i) = if self.down { heads.max() } else { heads.min() }?;
        self.walks.get_mut(i)?.next()
    }
}

//! A window on the broker's tasks. The broker has them all; the screen has those around the selected
//! one, and asks for more when the selection comes near an edge.

use std::collections::{BTreeSet, VecDeque};

use super::list::{Motion, Selection};
use crate::queue::{
    query::{Filter, From, Order, Page, Query},
    task::{State, Task, TaskId},
};

/// Rows that are kept around the selected one.
const WINDOW: usize = 300;
/// The most tasks that are marked at once.
pub(crate) const MAX_MARKED: usize = 1_000;
/// Rows that are asked for at once.
const PAGE: usize = 120;

/// Which part of the window a page is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchKind {
    /// The window as it is, brought up to date.
    Refresh,
    /// The beginning or the end of all tasks, in place of the window.
    Jump,
    /// Rows before the window.
    Before,
    /// Rows behind it.
    Behind,
}

/// A page that is to be fetched. An answer with an old number is thrown away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetch {
    pub(crate) number: u64,
    pub(crate) part: FetchKind,
    pub(crate) query: Query,
}

#[derive(Debug, Default)]
pub(crate) struct Tasks {
    rows: VecDeque<Task>,
    /// Whether nothing comes before the first row, or behind the last.
    at_start: bool,
    at_end: bool,
    pub(crate) order: Order,
    pub(crate) filter: Filter,
    pub(crate) filter_text: String,
    pub(crate) selection: Selection,
    /// Tasks that are to be dealt with together; at most [`MAX_MARKED`].
    pub(crate) marked: BTreeSet<TaskId>,
    /// The selected task; `None` follows the first row, whatever it is.
    pinned: Option<TaskId>,
    number: u64,
    waiting: Option<Fetch>,
    /// Something changed while a page was under way, which may not show it.
    behind: bool,
    /// A movement that the edge of the window stopped; it goes on when more has come.
    stopped: Option<Motion>,
    /// Whether an answer has come since the filter or the order changed.
    pub(crate) loaded: bool,
}

impl Tasks {
    pub(crate) fn rows(&self) -> &VecDeque<Task> {
        &self.rows
    }

    pub(crate) fn selected(&self) -> Option<&Task> {
        self.rows.get(self.selection.at)
    }

    /// Marks the selected task, or takes its mark away; answers whether there was room for another.
    pub(crate) fn toggle_mark(&mut self) -> bool {
        let Some(id) = self.selected().map(|task| task.id) else {
            return true;
        };
        if self.marked.remove(&id) {
            return true;
        }
        let room = self.marked.len() < MAX_MARKED;
        if room {
            self.marked.insert(id);
        }
        room
    }

    /// Whether a task on the screen may tell how far it is.
    pub(crate) fn shows_running(&self) -> bool {
        self.seen().any(|task| task.state == State::Running)
    }

    /// Whether a task on the screen counts down to its time.
    pub(crate) fn counts_down(&self) -> bool {
        self.seen().any(|task| task.due_at.is_some())
    }

    fn seen(&self) -> impl Iterator<Item = &Task> {
        let visible = self.selection.visible(self.rows.len());
        self.rows.range(visible)
    }

    /// Moves the selection; answers with what must be fetched for it.
    pub(crate) fn go(&mut self, motion: Motion) -> Option<Fetch> {
        let jump = match motion {
            Motion::Top if !self.at_start => Some(From::First),
            Motion::Bottom if !self.at_end => Some(From::Last),
            _ => None,
        };
        if let Some(from) = jump {
            return Some(self.fetch(FetchKind::Jump, from));
        }
        let before = self.selection.at;
        self.selection.go(motion, self.rows.len());
        self.pin();
        let upwards = matches!(motion, Motion::Up(_) | Motion::PageUp);
        let edge = if upwards {
            0
        } else {
            self.rows.len().saturating_sub(1)
        };
        self.stopped = (before == edge && self.selection.at == edge).then_some(motion);
        // Before the first frame a list does not know how high it is.
        let height = self.selection.height.max(1);
        let near_start = self.selection.top < height;
        let near_end = self.selection.top + 2 * height >= self.rows.len();
        let (part, from) = if near_start && !self.at_start {
            let first = self.rows.front().map(|task| self.order.cursor(task))?;
            (FetchKind::Before, From::Before(first))
        } else if near_end && !self.at_end {
            let last = self.rows.back().map(|task| self.order.cursor(task))?;
            (FetchKind::Behind, From::After(last))
        } else {
            return None;
        };
        let under_way = self
            .waiting
            .as_ref()
            .is_some_and(|fetch| fetch.part == part);
        (!under_way).then(|| self.fetch(part, from))
    }

    pub(crate) fn select(&mut self, row: usize) -> Option<Fetch> {
        self.selection.at = row;
        self.go(Motion::Down(0))
    }

    /// The window again, as it is now.
    pub(crate) fn refresh(&mut self) -> Option<Fetch> {
        if self.waiting.is_some() {
            self.behind = true;
            return None;
        }
        let from = match self.rows.front() {
            Some(first) if !self.at_start => From::At(self.order.cursor(first)),
            _ => From::First,
        };
        Some(self.fetch(FetchKind::Refresh, from))
    }

    /// Shows other tasks, or in another order, from the beginning.
    pub(crate) fn show(&mut self, filter: Filter, text: &str, order: Order) -> Fetch {
        self.filter = filter;
        text.clone_into(&mut self.filter_text);
        self.order = order;
        self.pinned = None;
        self.loaded = false;
        self.fetch(FetchKind::Jump, From::First)
    }

    /// Takes a page if it is the one that is waited for.
    pub(crate) fn take(&mut self, number: u64, page: Page) {
        let Some(fetch) = self.waiting.take_if(|fetch| fetch.number == number) else {
            return;
        };
        self.loaded = true;
        let full = page.tasks.len() >= fetch.query.limit;
        match fetch.part {
            FetchKind::Refresh => {
                self.rows = page.tasks.into();
                self.at_end = !full;
                self.at_start = fetch.query.from == From::First;
            }
            FetchKind::Jump => {
                let backwards = fetch.query.from.is_backwards();
                self.rows = page.tasks.into();
                self.at_start = !backwards || !full;
                self.at_end = backwards || !full;
                self.selection.at = if backwards { self.rows.len() } else { 0 };
                self.selection.settle(self.rows.len());
                self.pinned = None;
                self.pin();
                return;
            }
            FetchKind::Before => {
                self.at_start = !full;
                let new = page.tasks.len();
                for task in page.tasks.into_iter().rev() {
                    self.rows.push_front(task);
                }
                self.selection.top += new;
                self.selection.at += new;
                if self.rows.len() > WINDOW {
                    self.rows.truncate(WINDOW);
                    self.at_end = false;
                }
            }
            FetchKind::Behind => {
                self.at_end = !full;
                self.rows.extend(page.tasks);
                let surplus = self
                    .rows
                    .len()
                    .saturating_sub(WINDOW)
                    .min(self.selection.top);
                if surplus > 0 {
                    self.rows.drain(..surplus);
                    self.selection.top -= surplus;
                    self.selection.at -= surplus;
                    self.at_start = false;
                }
            }
        }
        self.find_selected();
        if let Some(motion) = self.stopped.take_if(|_| fetch.part != FetchKind::Refresh) {
            self.selection.go(motion, self.rows.len());
            self.pin();
        }
    }

    /// Whether the window must be asked for again, because what came was asked for too early.
    pub(crate) fn was_behind(&mut self) -> bool {
        self.waiting.is_none() && std::mem::take(&mut self.behind)
    }

    /// A page that could not be had; the next refresh asks again.
    pub(crate) fn missed(&mut self, number: u64) {
        self.waiting.take_if(|fetch| fetch.number == number);
    }

    fn fetch(&mut self, part: FetchKind, from: From) -> Fetch {
        self.number += 1;
        let limit = match part {
            FetchKind::Refresh => self.rows.len().clamp(PAGE, WINDOW),
            _ => PAGE.max(2 * self.selection.height).min(WINDOW),
        };
        let fetch = Fetch {
            number: self.number,
            part,
            query: Query {
                filter: self.filter.clone(),
                order: self.order,
                from,
                limit,
            },
        };
        self.waiting = Some(fetch.clone());
        fetch
    }

    /// Remembers the selected task, unless it is the very first and new ones should show.
    fn pin(&mut self) {
        let first = self.at_start && self.selection.at == 0;
        self.pinned = self.selected().map(|task| task.id).filter(|_| !first);
    }

    /// Keeps the selection on its task, and its task in its place on the screen.
    fn find_selected(&mut self) {
        match self.pinned {
            None => {
                self.selection.at = 0;
                self.selection.top = 0;
            }
            Some(id) => {
                if let Some(at) = self.rows.iter().position(|task| task.id == id) {
                    let offset = self.selection.at.saturating_sub(self.selection.top);
                    self.selection.at = at;
                    self.selection.top = at.saturating_sub(offset);
                }
            }
        }
        self.selection.settle(self.rows.len());
        if self.pinned.is_some() {
            self.pin();
        }
    }
}

//! A window on the broker's tasks: the rows around the selected one. More are fetched when the selection
//! comes near an edge.

use std::collections::{BTreeSet, VecDeque};

use super::list::{Motion, Selection};
use crate::queue::{
    id::TaskId,
    query::{Filter, Order, Page, PageRow, PageStart, Query},
    state::State,
    task::Task,
};

/// The maximum number of rows in memory.
const WINDOW: usize = 300;
/// The maximum number of marked tasks.
pub(crate) const MAX_MARKED: usize = 1_000;
/// The minimum number of rows to fetch at once.
const PAGE: usize = 120;

/// The part of the window that a page is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchKind {
    /// The current window, updated.
    Refresh,
    /// The first or the last tasks, in place of the window.
    Jump,
    /// Rows before the window.
    Before,
    /// Rows after the window.
    After,
}

/// A page to fetch. A response with an old number is ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetch {
    pub(crate) number: u64,
    pub(crate) kind: FetchKind,
    pub(crate) query: Query,
}

#[derive(Debug, Default)]
pub(crate) struct Tasks {
    rows: VecDeque<PageRow>,
    /// The first row is the first of all matching tasks; likewise the last.
    at_start: bool,
    at_end: bool,
    pub(crate) order: Order,
    pub(crate) filter: Filter,
    pub(crate) filter_text: String,
    pub(crate) selection: Selection,
    /// Marked tasks, for a bulk action; at most [`MAX_MARKED`].
    pub(crate) marked: BTreeSet<TaskId>,
    /// The selected task; `None` keeps the selection on the first row.
    pinned: Option<TaskId>,
    number: u64,
    pending: Option<Fetch>,
    /// Something changed while a page was being fetched, which may not include it.
    stale: bool,
    /// A movement that stopped at the edge of the window; it continues when more rows arrive.
    blocked: Option<Motion>,
    /// A page has arrived since the filter or the order changed.
    pub(crate) loaded: bool,
}

impl Tasks {
    /// The number of rows in the window.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The tasks in the window.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Task> {
        self.rows.iter().map(|row| &row.task)
    }

    /// Returns the task in a row of the window.
    pub(crate) fn get(&self, row: usize) -> Option<&Task> {
        self.rows.get(row).map(|row| &row.task)
    }

    pub(crate) fn selected(&self) -> Option<&Task> {
        self.get(self.selection.at)
    }

    /// Marks or unmarks the selected task; returns false if too many are marked.
    pub(crate) fn toggle_mark(&mut self) -> bool {
        let Some(id) = self.selected().map(|task| task.id.clone()) else {
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

    /// Removes the marks of these tasks.
    pub(crate) fn unmark(&mut self, ids: &[TaskId]) {
        for id in ids {
            self.marked.remove(id);
        }
    }

    /// Reports whether a visible task may show progress.
    pub(crate) fn shows_running(&self) -> bool {
        self.visible().any(|task| task.state == State::Running)
    }

    /// Reports whether a visible task counts down to its due time.
    pub(crate) fn counts_down(&self) -> bool {
        self.visible().any(|task| task.due_at.is_some())
    }

    fn visible(&self) -> impl Iterator<Item = &Task> {
        let visible = self.selection.visible(self.rows.len());
        self.rows.range(visible).map(|row| &row.task)
    }

    /// Moves the selection; returns the page that this requires.
    pub(crate) fn move_selection(&mut self, motion: Motion) -> Option<Fetch> {
        let jump = match motion {
            Motion::Top if !self.at_start => Some(PageStart::First),
            Motion::Bottom if !self.at_end => Some(PageStart::Last),
            _ => None,
        };
        if let Some(from) = jump {
            return Some(self.fetch(FetchKind::Jump, from));
        }
        let before = self.selection.at;
        self.selection.move_selection(motion, self.rows.len());
        self.pin();
        let upwards = matches!(motion, Motion::Up(_) | Motion::PageUp);
        let edge = if upwards {
            0
        } else {
            self.rows.len().saturating_sub(1)
        };
        self.blocked = (before == edge && self.selection.at == edge).then_some(motion);
        // The height of the list is unknown before the first frame.
        let height = self.selection.height.max(1);
        let near_start = self.selection.top < height;
        let near_end = self.selection.top + 2 * height >= self.rows.len();
        let (kind, from) = if near_start && !self.at_start {
            let first = self.rows.front()?.cursor;
            (FetchKind::Before, PageStart::Before(first))
        } else if near_end && !self.at_end {
            let last = self.rows.back()?.cursor;
            (FetchKind::After, PageStart::After(last))
        } else {
            return None;
        };
        let is_pending = self
            .pending
            .as_ref()
            .is_some_and(|fetch| fetch.kind == kind);
        (!is_pending).then(|| self.fetch(kind, from))
    }

    pub(crate) fn select(&mut self, row: usize) -> Option<Fetch> {
        self.selection.at = row;
        self.move_selection(Motion::Down(0))
    }

    /// Fetches the window again, or later if a page is pending.
    pub(crate) fn refresh(&mut self) -> Option<Fetch> {
        if self.pending.is_some() {
            self.stale = true;
            return None;
        }
        let from = match self.rows.front() {
            Some(first) if !self.at_start => PageStart::At(first.cursor),
            _ => PageStart::First,
        };
        Some(self.fetch(FetchKind::Refresh, from))
    }

    /// Changes the filter and the order, and starts from the first task.
    pub(crate) fn set_query(&mut self, filter: Filter, text: &str, order: Order) -> Fetch {
        self.filter = filter;
        text.clone_into(&mut self.filter_text);
        self.order = order;
        self.pinned = None;
        self.loaded = false;
        self.fetch(FetchKind::Jump, PageStart::First)
    }

    /// Applies a page if it is the pending one.
    pub(crate) fn apply_page(&mut self, number: u64, page: Page) {
        let Some(fetch) = self.pending.take_if(|fetch| fetch.number == number) else {
            return;
        };
        self.loaded = true;
        let full = page.rows.len() >= fetch.query.limit;
        match fetch.kind {
            FetchKind::Refresh => {
                self.rows = page.rows.into();
                self.at_end = !full;
                self.at_start = fetch.query.from == PageStart::First;
            }
            FetchKind::Jump => {
                let backwards = fetch.query.from.is_backwards();
                self.rows = page.rows.into();
                self.at_start = !backwards || !full;
                self.at_end = backwards || !full;
                self.selection.at = if backwards { self.rows.len() } else { 0 };
                self.selection.clamp(self.rows.len());
                self.pinned = None;
                self.pin();
                return;
            }
            FetchKind::Before => {
                self.at_start = !full;
                let new = page.rows.len();
                for row in page.rows.into_iter().rev() {
                    self.rows.push_front(row);
                }
                self.selection.top += new;
                self.selection.at += new;
                if self.rows.len() > WINDOW {
                    self.rows.truncate(WINDOW);
                    self.at_end = false;
                }
            }
            FetchKind::After => {
                self.at_end = !full;
                self.rows.extend(page.rows);
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
        self.restore_selection();
        if let Some(motion) = self.blocked.take_if(|_| fetch.kind != FetchKind::Refresh) {
            self.selection.move_selection(motion, self.rows.len());
            self.pin();
        }
    }

    /// Reports, once, whether the window must be refreshed because the last page was fetched too early.
    pub(crate) fn take_stale(&mut self) -> bool {
        self.pending.is_none() && std::mem::take(&mut self.stale)
    }

    /// Discards a page that could not be fetched; the next refresh fetches it again.
    pub(crate) fn fetch_failed(&mut self, number: u64) {
        self.pending.take_if(|fetch| fetch.number == number);
    }

    /// Discards the page that is being fetched: its reply does not come.
    pub(crate) fn discard_pending(&mut self) {
        self.pending = None;
    }

    fn fetch(&mut self, kind: FetchKind, from: PageStart) -> Fetch {
        self.number += 1;
        let limit = match kind {
            FetchKind::Refresh => self.rows.len().clamp(PAGE, WINDOW),
            _ => PAGE.max(2 * self.selection.height).min(WINDOW),
        };
        let fetch = Fetch {
            number: self.number,
            kind,
            query: Query {
                filter: self.filter.clone(),
                order: self.order,
                from,
                limit,
            },
        };
        self.pending = Some(fetch.clone());
        fetch
    }

    /// Remembers the selected task, unless it is the first of all: then new tasks push it down.
    fn pin(&mut self) {
        let first = self.at_start && self.selection.at == 0;
        self.pinned = self
            .selected()
            .map(|task| task.id.clone())
            .filter(|_| !first);
    }

    /// Keeps the selection on its task, and the task in its row on the screen.
    fn restore_selection(&mut self) {
        match &self.pinned {
            None => {
                self.selection.at = 0;
                self.selection.top = 0;
            }
            Some(id) => {
                let at = self.iter().position(|task| task.id == *id);
                if let Some(at) = at {
                    let offset = self.selection.at.saturating_sub(self.selection.top);
                    self.selection.at = at;
                    self.selection.top = at.saturating_sub(offset);
                }
            }
        }
        self.selection.clamp(self.rows.len());
        if self.pinned.is_some() {
            self.pin();
        }
    }
}

/// The most characters of the arguments by position, and by name, that a call shows.
const MAX_CALL: usize = 400;

/// Formats a task as a call: `add(2, 3)`.
pub(crate) fn call_text(task: &Task) -> String {
    let (open, close) = if task.payload.is_complete() {
        ('[', ']')
    } else {
        ('(', ')')
    };
    let texts = task.payload.texts().map(|text| {
        let text = text.trim();
        let inside = text.strip_prefix(open);
        let inside = inside.and_then(|rest| rest.strip_suffix(close));
        inside.unwrap_or(text)
    });
    let mut head = String::new();
    for text in texts.filter(|text| !matches!(*text, "" | "{}")) {
        head.push_str(if head.is_empty() { "" } else { "," });
        head.extend(text.chars().take(MAX_CALL));
    }
    if !task.payload.is_complete() {
        return format!("{}({head})", task.name);
    }
    format!("{}({})", task.name, head.replace(',', ", "))
}

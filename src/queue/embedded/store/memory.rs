//! Tasks in the memory of this process.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use super::{
    Completion, Reschedule, Retention, Store, StoreChange, StoreError, SubmitRow, SweepReport,
    ids::{IdBitmap, SortKey},
    index::Index,
    list::list,
    reads::ReadRequest,
    row::{EndRow, Row},
    rows::{KeyRange, Rows, Running, Scan, ScanIter},
};
use crate::queue::{
    broker::Percentiles,
    query::{Page, Query},
    task::{Attempt, MAX_ATTEMPTS_HISTORY, State, Timestamp},
};

/// What a row takes beside its texts, in bytes: measured with a million of them.
const ROW: u64 = 320;
const SECOND: u64 = 1_000_000;
/// The most rows that one step forgets.
const STEP: usize = 512;

/// The store that ends with the process.
#[derive(Debug)]
pub(in crate::queue) struct Memory {
    retention: Retention,
    tables: Tables,
    /// In which second which row is to be forgotten.
    forget: IdBitmap,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Tables {
    rows: BTreeMap<u64, Box<Row>>,
    logs: BTreeMap<u64, Vec<Attempt>>,
    index: Index,
}

impl Memory {
    pub(in crate::queue) fn new(retention: Retention) -> Self {
        Self {
            retention,
            tables: Tables::default(),
            forget: IdBitmap::default(),
            bytes: 0,
        }
    }

    fn apply(&mut self, change: StoreChange) {
        match change {
            StoreChange::New(row) => {
                self.bytes += size(&row);
                self.tables.index.put_in(&row);
                self.tables.rows.insert(row.id, row);
            }
            StoreChange::Reschedule(waits) | StoreChange::Requeue(waits) => self.wait(waits),
            StoreChange::Attempt(id, attempt) => {
                let log = self.tables.logs.entry(id).or_default();
                if log.len() >= MAX_ATTEMPTS_HISTORY {
                    log.remove(0);
                }
                log.push(attempt);
            }
            StoreChange::Completion(id, ended) => self.end(id, ended),
            StoreChange::Delete(ids) => {
                for id in ids {
                    self.forget(id);
                }
            }
            // The names of submits live as long as the dispatcher, which has them at hand.
            StoreChange::Submit(_) | StoreChange::ExpireKeys(_) => {}
        }
    }

    fn wait(&mut self, waits: Reschedule) {
        self.change(waits.id, |row| {
            row.end = None;
            row.state = waits.state;
            row.ready_at = waits.ready_at;
            row.attempts = waits.attempts;
            row.crashes = waits.crashes;
            row.change_rare(|rare| {
                rare.due_at = waits.due_at;
                rare.wall_clock = waits.wall_clock;
                rare.expires_at = waits.expires_at;
                rare.error = waits.error.or(rare.error.take());
            });
        });
    }

    fn end(&mut self, id: u64, ended: Completion) {
        self.change(id, |row| {
            row.state = ended.state;
            row.attempts = ended.attempts;
            row.crashes = ended.crashes;
            if ended.error.is_some() {
                row.change_rare(|rare| rare.error = ended.error);
            }
            row.end = Some(ended.end);
        });
    }

    fn change(&mut self, id: u64, change: impl FnOnce(&mut Row)) {
        let Some(row) = self.tables.rows.get_mut(&id) else {
            return;
        };
        self.tables.index.take_out(row);
        self.bytes -= size(row);
        if let Some(end) = &row.end {
            self.forget.remove(place(end, id));
        }
        change(row);
        self.tables.index.put_in(row);
        self.bytes += size(row);
        if let Some(end) = &row.end {
            self.forget.insert(place(end, id));
        }
    }

    fn forget(&mut self, id: u64) -> bool {
        let Some(end) = self.tables.rows.get(&id).and_then(|row| row.end.as_ref()) else {
            return false;
        };
        self.forget.remove(place(end, id));
        if let Some(row) = self.tables.rows.remove(&id) {
            self.bytes -= size(&row);
            self.tables.index.take_out(&row);
        }
        self.tables.logs.remove(&id);
        true
    }

    fn finished(&self) -> usize {
        self.forget.len()
    }
}

fn place(end: &EndRow, id: u64) -> SortKey {
    (end.forget_at.0 / SECOND, id)
}

fn size(row: &Row) -> u64 {
    let result = row.end.as_ref().and_then(|end| end.result.as_ref());
    let texts = row.args.len()
        + result.map_or(0, |text| text.len())
        + row.rare().error.as_ref().map_or(0, |text| text.len());
    ROW + texts as u64
}

impl Store for Memory {
    fn waiting(&mut self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        let waiting = self.tables.rows.values().filter(|row| row.end.is_none());
        waiting.for_each(|row| each(Row::clone(row)));
        Ok(())
    }

    fn commit(&mut self, changes: &mut Vec<StoreChange>) -> Result<(), StoreError> {
        for change in changes.drain(..) {
            self.apply(change);
        }
        Ok(())
    }

    fn args(&mut self, id: u64) -> Result<Arc<str>, StoreError> {
        match self.tables.rows.get(&id) {
            Some(row) => Ok(Arc::clone(&row.args)),
            None => Err(StoreError(format!("task #{id} is not there"))),
        }
    }

    fn row(&mut self, id: u64) -> Result<Option<Row>, StoreError> {
        Ok(self.tables.rows.get(&id).map(|row| Row::clone(row)))
    }

    fn list(&mut self, running: &Running, query: &Query) -> Result<Page, StoreError> {
        list(&self.tables, running, query)
    }

    fn ask(&mut self, running: &Arc<Running>, question: ReadRequest) {
        question.answer(&self.tables, running);
    }

    fn ended(&self) -> [usize; 8] {
        let mut counts = self.tables.index.counts();
        for state in State::ALL {
            if !state.is_finished()
                && let Some(count) = counts.get_mut(state.index())
            {
                *count = 0;
            }
        }
        counts
    }

    fn sweep(&mut self, now: Timestamp) -> Result<SweepReport, StoreError> {
        let mut swept = SweepReport::default();
        while swept.forgotten < STEP {
            let over = self.is_over();
            let goes = self.forget.first();
            let Some((_, id)) = goes.filter(|(second, _)| over || *second < now.0 / SECOND) else {
                break;
            };
            swept.forgotten += usize::from(self.forget(id));
        }
        let next = self.forget.first();
        swept.next = next.map(|(second, _)| Timestamp((second + 1) * SECOND));
        Ok(swept)
    }

    fn is_over(&self) -> bool {
        self.finished() > self.retention.count
            || (self.bytes > self.retention.bytes && self.finished() > 0)
    }

    fn size(&mut self) -> (u64, Percentiles) {
        (self.bytes, Percentiles::default())
    }

    fn submits(&mut self) -> Result<Vec<SubmitRow>, StoreError> {
        Ok(Vec::new())
    }

    fn close(&mut self) {}
}

impl Rows for Tables {
    fn row(&self, id: u64) -> Result<Option<Cow<'_, Row>>, StoreError> {
        Ok(self.rows.get(&id).map(|row| Cow::Borrowed(&**row)))
    }

    fn log(&self, id: u64) -> Result<Vec<Attempt>, StoreError> {
        Ok(self.logs.get(&id).cloned().unwrap_or_default())
    }

    fn walk(&self, part: Scan, places: KeyRange, down: bool) -> ScanIter<'_> {
        let row = |(key, id)| {
            let row = self.rows.get(&id)?;
            Some(Ok((key, Cow::Borrowed(&**row))))
        };
        match part {
            Scan::All => {
                let ids = (places.0.map(|(_, id)| id), places.1.map(|(_, id)| id));
                let rows = self
                    .rows
                    .range(ids)
                    .map(|(_, row)| Ok((0, Cow::Borrowed(&**row))));
                turned(rows, down)
            }
            Scan::State(state) => turned(self.index.of(state, places).filter_map(row), down),
            Scan::Slowest => turned(self.index.slowest(places).filter_map(row), down),
        }
    }
}

fn turned<'a, T>(
    walk: impl DoubleEndedIterator<Item = T> + 'a,
    down: bool,
) -> Box<dyn Iterator<Item = T> + 'a> {
    if down {
        Box::new(walk.rev())
    } else {
        Box::new(walk)
    }
}

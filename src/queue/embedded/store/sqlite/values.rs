//! The columns of a row as typed values.

use std::time::Duration;

use rusqlite::{Row as Columns, types::ValueRef};

use crate::queue::{
    clock::Timestamp,
    id::WorkerNumber,
    index::row::{EndRow, Run},
};

/// The columns of a row, each `None` when it does not have the expected type.
#[derive(Clone, Copy)]
pub(super) struct ColumnValues<'a, 'b>(pub(super) &'a Columns<'b>);

impl<'a> ColumnValues<'a, '_> {
    pub(super) fn text(self, i: usize) -> Option<&'a str> {
        match self.0.get_ref(i) {
            Ok(ValueRef::Text(bytes)) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    pub(super) fn signed(self, i: usize) -> Option<i64> {
        match self.0.get_ref(i) {
            Ok(ValueRef::Integer(number)) => Some(number),
            _ => None,
        }
    }

    pub(super) fn number(self, i: usize) -> Option<u64> {
        self.signed(i).and_then(|number| u64::try_from(number).ok())
    }

    pub(super) fn small(self, i: usize) -> u8 {
        let number = self.number(i).unwrap_or_default();
        u8::try_from(number).unwrap_or(u8::MAX)
    }

    pub(super) fn time(self, i: usize) -> Option<Timestamp> {
        self.number(i).map(Timestamp)
    }

    pub(super) fn duration(self, i: usize) -> Option<Duration> {
        self.number(i).map(Duration::from_micros)
    }

    pub(super) fn worker(self, i: usize) -> Option<WorkerNumber> {
        let number = self.number(i)?;
        u16::try_from(number).ok().map(WorkerNumber)
    }

    pub(super) fn end(self) -> EndRow {
        let last_run = self.time(23).zip(self.worker(26));
        EndRow {
            finished_at: self.time(27).unwrap_or_default(),
            evict_at: self.time(28).unwrap_or_default(),
            last_run: last_run.map(|(started_at, worker)| Run {
                started_at,
                wait_micros: self.number(24).unwrap_or_default(),
                run_micros: self.number(25).unwrap_or_default(),
                worker,
            }),
            result: self.text(29).map(Into::into),
        }
    }
}

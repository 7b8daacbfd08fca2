//! The task store.
//!
//! A store commits changes, all of them or none, and executes reads. There are two: one in the memory
//! of this process, and one in an SQLite file that survives it. The dispatcher knows only the trait,
//! and one test suite covers both.
//!
//! Unfinished and finished tasks live in separate tables, so accepting a task appends one row, and a
//! start reads only the unfinished ones.

mod memory;
mod reader;
pub(super) mod reads;
pub(super) mod sqlite;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::reads::ActiveRead;
pub(super) use self::{memory::Memory, sqlite::Sqlite};
use crate::queue::{
    clock::Timestamp,
    executor::in_flight::InFlightFile,
    id::IdempotencyKey,
    index::{
        row::{Completion, Reschedule, Row},
        rows::StorageError,
    },
    state::State,
    stats::Percentiles,
    storage::{Damage, StorageCheck},
    task::Attempt,
};

/// A point at which the process ends when it reaches it for the `after`-th time.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArmedFailPoint {
    pub at: FailPoint,
    pub after: u32,
}

/// Points at which a crash must lose nothing.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailPoint {
    BeforeWrite,
    BeforeCommit,
    BeforeReply,
    MidCheckpoint,
    MidRetention,
}

/// A change to be stored.
#[derive(Debug)]
pub(super) enum StoreChange {
    /// A task was accepted.
    New(Box<Row>),
    /// An unfinished task waits in another way than before.
    Reschedule(Reschedule),
    /// An attempt failed.
    Attempt(u64, Attempt),
    /// A task finished.
    Completion(u64, Completion),
    /// A finished task waits again.
    Requeue(Reschedule),
    /// Finished tasks are deleted.
    Delete(Vec<u64>),
    /// A submit with an idempotency key was accepted.
    Submit(SubmitRow),
    /// Idempotency keys from before this time are deleted.
    ExpireKeys(Timestamp),
}

impl StoreChange {
    /// The ids of the tasks that the change is about.
    pub(super) fn task_ids(&self) -> &[u64] {
        match self {
            Self::New(row) => std::slice::from_ref(&row.id),
            Self::Reschedule(change) | Self::Requeue(change) => std::slice::from_ref(&change.id),
            Self::Attempt(id, _) | Self::Completion(id, _) => std::slice::from_ref(id),
            Self::Delete(ids) => ids,
            Self::Submit(_) | Self::ExpireKeys(_) => &[],
        }
    }

    /// Applies the change to the row with this id, if it concerns it.
    pub(super) fn apply_to(&self, id: u64, row: &mut Option<Row>) {
        match (self, row) {
            (Self::New(new), row) if new.id == id => *row = Some(Row::clone(new)),
            (Self::Reschedule(change) | Self::Requeue(change), Some(row)) if change.id == id => {
                row.reschedule(change.clone());
            }
            (Self::Completion(done, completion), Some(row)) if *done == id => {
                row.complete(completion.clone());
            }
            (Self::Delete(ids), row) if ids.contains(&id) => {
                // Unfinished tasks are never deleted.
                *row = row.take().filter(|row| row.end.is_none());
            }
            _ => {}
        }
    }
}

/// An idempotency key with the receipts of its submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SubmitRow {
    pub(super) key: IdempotencyKey,
    pub(super) at: Timestamp,
    pub(super) ids: Vec<IdRange>,
}

/// Consecutive ids of receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct IdRange {
    pub(super) first: u64,
    pub(super) count: u64,
    /// The ids are those of earlier tasks with the same unique key.
    pub(super) deduplicated: bool,
}

/// The report of an opened store.
#[derive(Debug, Default)]
pub(super) struct OpenReport {
    /// The highest id that was ever used.
    pub(super) last_id: u64,
    /// The tasks that were running when the previous process crashed.
    pub(super) running: std::collections::BTreeSet<u64>,
    /// Acknowledged ids that are missing: first, last.
    pub(super) missing: Option<(u64, u64)>,
    /// The damage that was repaired.
    pub(super) damage: Option<Damage>,
}

/// The result of one step of [`Store::sweep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct SweepReport {
    /// Tasks that were deleted.
    pub(super) evicted: usize,
    /// The time of the next step.
    pub(super) next: Option<Timestamp>,
}

/// The use of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct StoreUsage {
    /// The bytes that tasks and results take.
    pub(super) bytes: u64,
    /// The duration of commits.
    pub(super) commits: Percentiles,
    /// The last complete check of the file, if there is one.
    pub(super) last_check: Option<StorageCheck>,
}

/// A store of tasks.
pub(super) trait Store: Send {
    /// Calls `each` with every unfinished row, in the order of their ids; arguments may be left out.
    fn for_each_unfinished(&mut self, each: &mut dyn FnMut(Row)) -> Result<(), StorageError>;

    /// Stores changes, all or none, and removes those it has stored from the list.
    fn commit(&mut self, changes: &mut Vec<StoreChange>) -> Result<(), StorageError>;

    /// The arguments of a task to run.
    fn args(&mut self, id: u64) -> Result<Arc<str>, StorageError>;

    /// A row as of the last commit.
    fn row(&mut self, id: u64) -> Result<Option<Row>, StorageError>;

    /// The time at which a task finished as of the last commit; `None` for one that has not.
    fn finished_at(&mut self, id: u64) -> Result<Option<Timestamp>, StorageError>;

    /// Hands a read over to the reader thread, which executes it on the rows as of the last commit.
    fn read(&mut self, read: Box<dyn ActiveRead>);

    /// The number of finished tasks by state, in the order of [`State::ALL`].
    fn finished_counts(&self) -> [usize; State::COUNT];

    /// Deletes finished tasks that are over the retention, a bounded number in one step.
    fn sweep(&mut self, now: Timestamp) -> Result<SweepReport, StorageError>;

    /// Returns true while the finished tasks are over the retention by number or size.
    fn is_over_retention(&self) -> bool;

    /// The use of the store.
    fn usage(&mut self) -> StoreUsage;

    /// The submits with an idempotency key, the oldest first.
    fn submits(&mut self) -> Result<Vec<SubmitRow>, StorageError>;

    /// Resets the in-flight record, after the crash of the previous process was attributed.
    fn reset_in_flight(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    /// The in-flight record in which workers note the tasks that they run.
    fn in_flight(&self) -> Option<Arc<InFlightFile>> {
        None
    }

    /// Closes the store in order.
    fn close(&mut self);
}

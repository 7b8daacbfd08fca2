//! What is kept of tasks.
//!
//! A store takes what has changed, all of it or nothing, and answers questions. There are two: one
//! keeps everything in the memory of this process, the other in a file of SQLite that survives it. The
//! dispatcher sees only the trait, and one suite of tests holds both to it.
//!
//! Rows that wait are apart from rows that have ended: to take a task is then to write one row at the
//! end of a table and nothing else, and to start is to read what waits and nothing else.

pub(super) mod ids;
mod index;
mod list;
mod memory;
pub(super) mod row;
pub(super) mod rows;
pub(crate) mod slots;
mod sqlite;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc, time::Duration};

pub(super) use self::{memory::Memory, sqlite::Sqlite};
use self::{
    reads::ReadRequest,
    row::{EndRow, Row},
    rows::Running,
    slots::InFlightFile,
};
use crate::queue::{
    broker::Percentiles,
    query::{Page, Query},
    task::{Attempt, IdempotencyKey, State, Timestamp},
};

/// How safely tasks are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// What was acknowledged survives a power cut: the disk has it before anybody is told.
    #[default]
    Power,
    /// What was acknowledged survives the end of the process, however it ends. A power cut or a crash
    /// of the system may take the last moments.
    Process,
    /// Nothing survives, and there is no file.
    Memory,
}

impl Durability {
    /// Every one, the safest first.
    pub const ALL: [Self; 3] = [Self::Power, Self::Process, Self::Memory];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Process => "process",
            Self::Memory => "memory",
        }
    }

    /// What it risks, for people.
    #[must_use]
    pub const fn risk(self) -> &'static str {
        match self {
            Self::Power => "what was acknowledged survives a power cut",
            Self::Process => {
                "what was acknowledged survives a crash of the program; a power cut may take the last moments"
            }
            Self::Memory => "everything is gone when the program ends",
        }
    }
}

/// How long finished tasks are kept. What is over any of the limits is forgotten, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// What succeeded, was cancelled or expired.
    pub age: Duration,
    /// What failed.
    pub failed_age: Duration,
    /// Bytes that tasks and results may take.
    pub bytes: u64,
    /// How many may be kept.
    pub count: usize,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            age: DAY * 7,
            failed_age: DAY * 30,
            bytes: 512 << 20,
            count: 1_000_000,
        }
    }
}

/// How tasks are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreConfig {
    /// How safely; [`Durability::Memory`] needs no folder.
    pub durability: Durability,
    /// The folder of the file; without one everything is kept in memory.
    pub folder: Option<PathBuf>,
    /// How long.
    pub retention: Retention,
    /// With this many bytes in use the file takes no new tasks; what it has goes on.
    pub most_bytes: Option<u64>,
    /// Ends the process at a certain point, to see that nothing is lost.
    #[doc(hidden)]
    pub crash: Option<ArmedFailPoint>,
}

/// Where a process is to end, and the how many-th time that it comes there.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArmedFailPoint {
    pub at: FailPoint,
    pub after: u32,
}

/// Places where it matters that nothing is lost.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailPoint {
    BeforeWrite,
    BeforeCommit,
    BeforeAnswer,
    MidCheckpoint,
    MidRetention,
}

/// Something that has changed and is to be kept.
#[derive(Debug)]
pub(super) enum StoreChange {
    /// A task was taken.
    New(Box<Row>),
    /// A task waits, in another way than before.
    Reschedule(Reschedule),
    /// An attempt did not succeed.
    Attempt(u64, Attempt),
    /// A task has ended.
    Completion(u64, Completion),
    /// An ended task waits again.
    Requeue(Reschedule),
    /// Ended tasks are to be forgotten.
    Delete(Vec<u64>),
    /// A submit with a name of its own was taken.
    Submit(SubmitRow),
    /// The names of submits before this time are no longer known.
    ExpireKeys(Timestamp),
}

/// A submit that has a name of its own, and what it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SubmitRow {
    pub(super) id: IdempotencyKey,
    pub(super) at: Timestamp,
    pub(super) runs: Vec<IdRange>,
}

/// Consecutive ids that a submit was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct IdRange {
    pub(super) first: u64,
    pub(super) count: u64,
    /// They were there before it.
    pub(super) deduplicated: bool,
}

/// How a task waits now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reschedule {
    pub(super) id: u64,
    pub(super) state: State,
    pub(super) ready_at: Timestamp,
    pub(super) due_at: Option<Timestamp>,
    pub(super) wall_clock: bool,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) attempts: u8,
    pub(super) crashes: u8,
    /// Replaces the last error, if there is a new one.
    pub(super) error: Option<Box<str>>,
}

/// How a task has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Completion {
    pub(super) state: State,
    pub(super) attempts: u8,
    pub(super) crashes: u8,
    /// Replaces the last error, if there is a new one.
    pub(super) error: Option<Box<str>>,
    pub(super) end: EndRow,
}

/// Why something cannot be kept or read, in words for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct StoreError(pub(super) String);

/// What a store knows when it opens.
#[derive(Debug, Default)]
pub(super) struct OpenReport {
    /// The highest id that was ever given.
    pub(super) last_id: u64,
    /// Which tasks were running when the process before ended without a word.
    pub(super) running: std::collections::BTreeSet<u64>,
    /// Ids that were acknowledged and are not there: from, to.
    pub(super) missing: Option<(u64, u64)>,
    /// What had to be mended.
    pub(super) damage: Option<Damage>,
}

/// A file that was damaged, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Damage {
    /// What was wrong with it.
    pub what: String,
    /// Where it was put aside.
    pub kept_at: PathBuf,
    /// Tasks that were whole and were taken over.
    pub salvaged: usize,
    /// Tasks that were there and could not be read whole.
    pub lost: usize,
}

/// What a step of forgetting did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct SweepReport {
    /// Tasks that were forgotten.
    pub(super) forgotten: usize,
    /// When to look again.
    pub(super) next: Option<Timestamp>,
}

/// Keeps tasks.
pub(super) trait Store: Send {
    /// Tells every row that waits, in the order of their ids, without its arguments where those are
    /// not at hand.
    fn waiting(&mut self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError>;

    /// Takes what has changed, all or nothing. What it took it takes out of the list.
    fn commit(&mut self, changes: &mut Vec<StoreChange>) -> Result<(), StoreError>;

    /// The arguments of a task that is to run now.
    fn args(&mut self, id: u64) -> Result<Arc<str>, StoreError>;

    /// A row, for a decision that must not be overtaken.
    fn row(&mut self, id: u64) -> Result<Option<Row>, StoreError>;

    /// A page, for a decision that must not be overtaken.
    fn list(&mut self, running: &Running, query: &Query) -> Result<Page, StoreError>;

    /// Answers a question, now or as soon as it can.
    fn ask(&mut self, running: &Arc<Running>, question: ReadRequest);

    /// Ended tasks by state, in the order of [`State::ALL`].
    fn ended(&self) -> [usize; 8];

    /// Forgets what is to be forgotten, a small step at a time.
    fn sweep(&mut self, now: Timestamp) -> Result<SweepReport, StoreError>;

    /// Whether [`Store::sweep`] should be called before its time.
    fn is_over(&self) -> bool;

    /// Bytes that it takes, and how long commits took.
    fn size(&mut self) -> (u64, Percentiles);

    /// The submits that have a name, the oldest first.
    fn submits(&mut self) -> Result<Vec<SubmitRow>, StoreError>;

    /// What the process before has left is dealt with, and a new life begins.
    fn begin(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Where workers note what they run.
    fn slots(&self) -> Option<Arc<InFlightFile>> {
        None
    }

    /// Ends in order.
    fn close(&mut self);
}
pub(super) mod reads;

//! The part of an unfinished task that is held in memory. There can be a million, so it is small:
//! arguments, and everything else that is only displayed, stay in the store.

use std::sync::Arc;

use super::{UniqueKey, accounts::AccountId, rank};
use crate::queue::{
    clock::{ClockStep, Timestamp},
    index::row::{ExecOverrides, Reschedule, Row},
    options::{KeyPolicy, TaskKey},
    registry::TaskFunction,
    state::State,
};

/// The index of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueueId(pub(super) u16);

#[derive(Debug)]
pub(super) struct LiveTask {
    pub(super) name: Arc<str>,
    /// `None` when this program has no task of that name.
    pub(super) function: Option<Arc<TaskFunction>>,
    pub(super) key: Option<Box<TaskKey>>,
    pub(super) overrides: Option<Box<ExecOverrides>>,
    /// The run that was dispatched; 0 when there is none.
    pub(super) run: u64,
    /// The sort key among ready tasks.
    pub(super) rank: u64,
    pub(super) ready_at: Timestamp,
    pub(super) due_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    /// The account of its submitter, and the bytes that count there; the owner has none.
    pub(super) account: Option<(AccountId, u32)>,
    pub(super) queue: QueueId,
    pub(super) state: State,
    pub(super) wall_clock: bool,
    pub(super) cancelling: bool,
    pub(super) priority: u8,
    pub(super) attempts: u8,
    pub(super) max_attempts: u8,
    pub(super) crashes: u8,
}

impl LiveTask {
    pub(super) fn new(row: &Row, queue: QueueId, function: Option<Arc<TaskFunction>>) -> Self {
        Self {
            name: Arc::clone(&row.name),
            function,
            key: row.cold().key.clone(),
            overrides: row.cold().overrides.clone(),
            run: 0,
            rank: rank(row.ready_at, row.priority),
            ready_at: row.ready_at,
            due_at: row.cold().due_at,
            expires_at: row.cold().expires_at,
            account: None,
            queue,
            state: row.state,
            wall_clock: row.cold().wall_clock,
            cancelling: false,
            priority: row.priority,
            attempts: row.attempts,
            max_attempts: row.max_attempts,
            crashes: row.crashes,
        }
    }

    pub(super) fn unique_key(&self) -> Option<UniqueKey> {
        unique_key(&self.name, self.key.as_deref())
    }

    /// The key of which only one task runs at a time.
    pub(super) fn serial_key(&self) -> Option<&Arc<str>> {
        let key = self.key.as_deref()?;
        (key.policy == KeyPolicy::Serial).then_some(&key.text)
    }

    /// Makes the task ready to run from now on.
    pub(super) fn make_ready(&mut self, now: Timestamp) {
        self.rank = rank(now, self.priority);
        self.ready_at = now;
        self.run = 0;
        self.due_at = None;
        self.wall_clock = false;
        self.cancelling = false;
    }

    /// The change that stores how the task waits.
    pub(super) fn reschedule(&self, id: u64) -> Reschedule {
        Reschedule {
            id,
            state: self.state,
            ready_at: self.ready_at,
            due_at: self.due_at,
            wall_clock: self.wall_clock,
            expires_at: self.expires_at,
            attempts: self.attempts,
            crashes: self.crashes,
            error: None,
        }
    }

    pub(super) fn apply_clock_step(&mut self, step: ClockStep) {
        self.ready_at = step.apply(self.ready_at);
        self.rank = rank(self.ready_at, self.priority);
        if !self.wall_clock {
            self.due_at = self.due_at.map(|at| step.apply(at));
        }
        self.expires_at = self.expires_at.map(|at| step.apply(at));
    }
}

pub(super) fn unique_key(name: &Arc<str>, key: Option<&TaskKey>) -> Option<UniqueKey> {
    let key = key.filter(|key| key.policy == KeyPolicy::Unique)?;
    Some((Arc::clone(name), Arc::clone(&key.text)))
}

//! What has to be at hand of a task that has not ended. There can be a million, so it is kept small:
//! arguments, and whatever else is only shown, are where tasks are kept.

use std::sync::Arc;

use super::{UniqueKey, rank};
use crate::queue::{
    clock::ClockStep,
    embedded::store::{
        Reschedule,
        row::{ExecOverrides, Row},
    },
    registry::TaskFunction,
    task::{Key, KeyPolicy, State, Timestamp},
};

/// A queue's number among all queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueueId(pub(super) u16);

#[derive(Debug)]
pub(super) struct LiveTask {
    pub(super) name: Arc<str>,
    /// Nothing when the program that runs now does not know the task.
    pub(super) function: Option<Arc<TaskFunction>>,
    pub(super) key: Option<Box<Key>>,
    pub(super) terms: Option<Box<ExecOverrides>>,
    /// The run that a worker has, or may take from the channel; 0 when nobody has one.
    pub(super) run: u64,
    /// Its place among the ready.
    pub(super) rank: u64,
    pub(super) ready_at: Timestamp,
    pub(super) due_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
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
            key: row.rare().key.clone(),
            terms: row.rare().terms.clone(),
            run: 0,
            rank: rank(row.ready_at, row.priority),
            ready_at: row.ready_at,
            due_at: row.rare().due_at,
            expires_at: row.rare().expires_at,
            queue,
            state: row.state,
            wall_clock: row.rare().wall_clock,
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
    pub(super) fn lane(&self) -> Option<&Arc<str>> {
        let key = self.key.as_deref()?;
        (key.rule == KeyPolicy::Serial).then_some(&key.text)
    }

    /// It may run from now on.
    pub(super) fn make_ready(&mut self, now: Timestamp) {
        self.rank = rank(now, self.priority);
        self.ready_at = now;
        self.run = 0;
        self.due_at = None;
        self.wall_clock = false;
        self.cancelling = false;
    }

    /// How it waits, to be kept.
    pub(super) fn waits(&self, id: u64) -> Reschedule {
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

    pub(super) fn jump(&mut self, jump: ClockStep) {
        self.ready_at = jump.apply(self.ready_at);
        self.rank = rank(self.ready_at, self.priority);
        if !self.wall_clock {
            self.due_at = self.due_at.map(|at| jump.apply(at));
        }
        self.expires_at = self.expires_at.map(|at| jump.apply(at));
    }
}

pub(super) fn unique_key(name: &Arc<str>, key: Option<&Key>) -> Option<UniqueKey> {
    let key = key.filter(|key| key.rule == KeyPolicy::Unique)?;
    Some((Arc::clone(name), Arc::clone(&key.text)))
}

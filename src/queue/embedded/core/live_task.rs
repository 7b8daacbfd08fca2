//! What has to be at hand of a task that has not ended. There can be a million, so it is kept small:
//! arguments, and whatever else is only shown, are where tasks are kept.

use std::sync::Arc;

use super::{UniqueKey, rank};
use crate::queue::{
    clock::Jump,
    embedded::store::{
        Waits,
        row::{Row, Terms},
    },
    registry::TaskFunction,
    task::{Key, Rule, State, Timestamp},
};

/// A queue's number among all queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueueId(pub(super) u16);

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Arc<str>,
    /// Nothing when the program that runs now does not know the task.
    pub(super) function: Option<Arc<TaskFunction>>,
    pub(super) key: Option<Box<Key>>,
    pub(super) terms: Option<Box<Terms>>,
    /// The run that a worker has, or may take from the channel; 0 when nobody has one.
    pub(super) run: u64,
    /// Its place among the ready.
    pub(super) rank: u64,
    pub(super) ready_at: Timestamp,
    pub(super) due_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) queue: QueueId,
    pub(super) state: State,
    pub(super) by_wall: bool,
    pub(super) cancelling: bool,
    pub(super) priority: u8,
    pub(super) attempts: u8,
    pub(super) max_attempts: u8,
    pub(super) crashes: u8,
}

impl Entry {
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
            by_wall: row.rare().by_wall,
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
        (key.rule == Rule::Serial).then_some(&key.text)
    }

    /// It may run from now on.
    pub(super) fn make_ready(&mut self, now: Timestamp) {
        self.rank = rank(now, self.priority);
        self.ready_at = now;
        self.run = 0;
        self.due_at = None;
        self.by_wall = false;
        self.cancelling = false;
    }

    /// How it waits, to be kept.
    pub(super) fn waits(&self, id: u64) -> Waits {
        Waits {
            id,
            state: self.state,
            ready_at: self.ready_at,
            due_at: self.due_at,
            by_wall: self.by_wall,
            expires_at: self.expires_at,
            attempts: self.attempts,
            crashes: self.crashes,
            error: None,
        }
    }

    pub(super) fn jump(&mut self, jump: Jump) {
        self.ready_at = jump.apply(self.ready_at);
        self.rank = rank(self.ready_at, self.priority);
        if !self.by_wall {
            self.due_at = self.due_at.map(|at| jump.apply(at));
        }
        self.expires_at = self.expires_at.map(|at| jump.apply(at));
    }
}

pub(super) fn unique_key(name: &Arc<str>, key: Option<&Key>) -> Option<UniqueKey> {
    let key = key.filter(|key| key.rule == Rule::Unique)?;
    Some((Arc::clone(name), Arc::clone(&key.text)))
}

//! Keeping what has changed, answering after that, and forgetting what is old.

use std::{collections::BTreeSet, sync::Arc};

use super::{CLOCK_CHECK, Dispatcher};
use crate::queue::{
    broker::Event,
    embedded::store::{StoreChange, StoreError},
    task::IdempotencyKey,
};

impl Dispatcher {
    /// Keeps what has changed, and only then lets the answers go.
    pub(super) fn commit(&mut self) {
        self.core.drain_changes(&mut self.changes);
        let kept = self.persist();
        for reply in self.pending_replies.drain(..) {
            reply.send(&kept);
        }
    }

    pub(super) fn persist(&mut self) -> Result<(), String> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let Err(StoreError(why)) = self.store.commit(&mut self.changes) else {
            if self.persist_error.take().is_some() {
                self.core.emit(Event::Persistence(true));
            }
            return Ok(());
        };
        // New tasks are refused. What has happened has happened: it is kept as soon as it can be, and
        // perhaps that is now that there is less of it.
        let named = |change: &StoreChange| match change {
            StoreChange::Submit(submit) => Some(submit.key),
            _ => None,
        };
        let mut names: BTreeSet<IdempotencyKey> = self.changes.iter().filter_map(named).collect();
        self.core.rollback_new(&mut self.changes);
        for left in self.changes.iter().filter_map(named) {
            names.remove(&left);
        }
        for rolled_back in names {
            self.idempotency.remove(rolled_back);
        }
        self.store.commit(&mut self.changes).ok();
        if self.persist_error.is_none() {
            tracing::error!(%why, "changes cannot be saved");
            self.core.emit(Event::Persistence(false));
        }
        self.persist_error = Some(why.clone());
        Err(why)
    }

    pub(super) fn sweep(&mut self) {
        let now = self.clock.now();
        let next = [self.next_sweep, self.core.take_next_eviction()];
        self.next_sweep = next.into_iter().flatten().min();
        if !self.store.is_over_retention() && self.next_sweep.is_none_or(|at| at > now) {
            return;
        }
        match self.store.sweep(now) {
            Ok(swept) => {
                self.core.count_evicted(swept.evicted);
                // A step is small: while there is too much, the next follows at once.
                self.next_sweep = if self.store.is_over_retention() {
                    Some(now)
                } else {
                    swept.next
                };
            }
            Err(StoreError(why)) => {
                tracing::warn!(%why, "old tasks cannot be forgotten");
                self.next_sweep = Some(now.after(CLOCK_CHECK * 60));
            }
        }
    }

    pub(super) fn execute_reads(&mut self) {
        for reply in std::mem::take(&mut self.stats_requests) {
            reply.send(self.stats()).ok();
        }
        if self.reads.is_empty() {
            return;
        }
        let running = Arc::new(self.running());
        for request in std::mem::take(&mut self.reads) {
            self.store.read(&running, request);
        }
    }
}

//! The third phase of a round: one commit of all changes. Retention follows it.

use std::collections::BTreeSet;

use super::{CLOCK_CHECK, Dispatcher};
use crate::{
    health::FindingKind,
    queue::{
        embedded::store::StoreChange, event::Event, id::IdempotencyKey, index::rows::StorageError,
    },
};

impl Dispatcher {
    /// Commits all changes. When that fails, new tasks are rolled back, and all other changes stay for
    /// the next attempt.
    pub(super) fn commit(&mut self) -> Result<(), StorageError> {
        self.core.drain_changes(&mut self.changes);
        if self.changes.is_empty() {
            return Ok(());
        }
        let Err(error) = self.store_changes() else {
            if self.persist_error.take().is_some() {
                let kind = FindingKind::TasksNotPersisted;
                self.config.findings.resolve(kind, "");
                self.core.emit(Event::Persistence(true));
            }
            return Ok(());
        };
        if self.roll_back_new() > 0 {
            // The rest is smaller and may fit.
            self.store_changes().ok();
        }
        if self.persist_error.is_none() {
            self.core.emit(Event::Persistence(false));
        }
        let text = format!("changes to tasks cannot be stored: {error}");
        let kind = FindingKind::TasksNotPersisted;
        self.config.findings.report(kind, "", &text);
        self.persist_error = Some(error.to_string());
        Err(error)
    }

    /// Stores all changes; only then purged tasks are counted and reported.
    fn store_changes(&mut self) -> Result<(), StorageError> {
        self.store.commit(&mut self.changes)?;
        self.changed.clear();
        let count = std::mem::take(&mut self.purged);
        if count > 0 {
            self.core.count_evicted(count);
            self.core.emit(Event::Purged { count });
        }
        Ok(())
    }

    /// Removes the new tasks of this round with their idempotency keys, and returns their number.
    fn roll_back_new(&mut self) -> usize {
        let key = |change: &StoreChange| match change {
            StoreChange::Submit(submit) => Some(submit.key),
            _ => None,
        };
        let mut removed: BTreeSet<IdempotencyKey> = self.changes.iter().filter_map(key).collect();
        let count = self.core.rollback_new(&mut self.changes);
        self.changed.clear();
        for remaining in self.changes.iter().filter_map(key) {
            removed.remove(&remaining);
        }
        for key in removed {
            self.idempotency.remove(key);
        }
        count
    }

    /// Deletes finished tasks that are over the retention, one step of a bounded number.
    pub(super) fn sweep(&mut self) {
        let now = self.retention_clock.at(self.clock.now());
        let next = [self.next_sweep, self.core.take_next_eviction()];
        self.next_sweep = next.into_iter().flatten().min();
        if !self.store.is_over_retention() && self.next_sweep.is_none_or(|at| at > now) {
            return;
        }
        match self.store.sweep(now) {
            Ok(report) => {
                self.core.count_evicted(report.evicted);
                // While there is too much, the next step follows at once.
                self.next_sweep = if self.store.is_over_retention() {
                    Some(now)
                } else {
                    report.next
                };
            }
            Err(error) => {
                tracing::warn!(%error, "cannot delete old tasks");
                self.next_sweep = Some(now.after(CLOCK_CHECK * 60));
            }
        }
    }
}

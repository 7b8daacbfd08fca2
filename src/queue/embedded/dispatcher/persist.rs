//! Keeping what has changed, answering after that, and forgetting what is old.

use std::{collections::BTreeSet, sync::Arc};

use super::{Dispatcher, GLANCE};
use crate::queue::{
    broker::Event,
    embedded::store::{StoreChange, StoreError},
    task::IdempotencyKey,
};

impl Dispatcher {
    /// Keeps what has changed, and only then lets the answers go.
    pub(super) fn settle(&mut self) {
        self.core.take_changes(&mut self.changes);
        let kept = self.keep();
        for held in self.held.drain(..) {
            held.answer(&kept);
        }
    }

    pub(super) fn keep(&mut self) -> Result<(), String> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let Err(StoreError(why)) = self.store.commit(&mut self.changes) else {
            if self.trouble.take().is_some() {
                self.core.note(Event::Persistence(true));
            }
            return Ok(());
        };
        // New tasks are refused. What has happened has happened: it is kept as soon as it can be, and
        // perhaps that is now that there is less of it.
        let named = |change: &StoreChange| match change {
            StoreChange::Submit(submit) => Some(submit.id),
            _ => None,
        };
        let mut names: BTreeSet<IdempotencyKey> = self.changes.iter().filter_map(named).collect();
        self.core.withdraw(&mut self.changes);
        for left in self.changes.iter().filter_map(named) {
            names.remove(&left);
        }
        for withdrawn in names {
            self.submits.withdraw(withdrawn);
        }
        self.store.commit(&mut self.changes).ok();
        if self.trouble.is_none() {
            tracing::error!(%why, "changes cannot be saved");
            self.core.note(Event::Persistence(false));
        }
        self.trouble = Some(why.clone());
        Err(why)
    }

    pub(super) fn sweep(&mut self) {
        let now = self.clock.now();
        let next = [self.next_sweep, self.core.take_next_forget()];
        self.next_sweep = next.into_iter().flatten().min();
        if !self.store.is_over() && self.next_sweep.is_none_or(|at| at > now) {
            return;
        }
        match self.store.sweep(now) {
            Ok(swept) => {
                self.core.forgotten(swept.forgotten);
                // A step is small: while there is too much, the next follows at once.
                self.next_sweep = if self.store.is_over() {
                    Some(now)
                } else {
                    swept.next
                };
            }
            Err(StoreError(why)) => {
                tracing::warn!(%why, "old tasks cannot be forgotten");
                self.next_sweep = Some(now.after(GLANCE * 60));
            }
        }
    }

    pub(super) fn answer(&mut self) {
        for answer in std::mem::take(&mut self.counted) {
            answer.send(self.stats()).ok();
        }
        if self.questions.is_empty() {
            return;
        }
        let running = Arc::new(self.running());
        for question in std::mem::take(&mut self.questions) {
            self.store.ask(&running, question);
        }
    }
}

//! Telling subscribers, and numbers to who asks.

use super::Dispatcher;
use crate::queue::{
    broker::{Event, EventBatch, Stats, StorageStats},
    embedded::store::rows::Running,
    task::WorkerId,
};

impl Dispatcher {
    pub(super) fn running(&self) -> Running {
        let running = self.core.running().map(|(id, _, mut live)| {
            live.progress = self.pool.progress(live.worker);
            (id, live)
        });
        running.collect()
    }

    pub(super) fn stats(&mut self) -> Stats {
        let mut stats = self.core.stats(self.clock.now());
        for (count, ended) in stats.counts.iter_mut().zip(self.store.finished_counts()) {
            *count += ended;
        }
        let (bytes, commits) = self.store.usage();
        let retention = self.config.store.retention;
        stats.retained_limit = retention.count;
        stats.wanted = self.desired_workers;
        stats.stuck = self.pool.stuck();
        stats.trouble.clone_from(&self.persist_error);
        stats.unsaved = self.changes.len();
        stats.keeping = StorageStats {
            durability: self.config.durability().word().into(),
            bytes,
            limit: retention.bytes,
            commits,
        };
        stats
    }

    pub(super) fn emit_worker_event(&mut self, id: WorkerId, started: bool) {
        self.core.emit(Event::Worker { id, started });
    }

    /// Gives every subscriber what happened in this round. One that does not keep up loses it, and
    /// is told how much it lost.
    pub(super) fn publish(&mut self) {
        let events = self.core.take_events();
        if events.is_empty() {
            return;
        }
        let at = self.clock.now();
        self.subscribers.retain_mut(|subscriber| {
            let batch = EventBatch {
                at,
                events: events.clone(),
                dropped: subscriber.dropped,
            };
            match subscriber.batches.try_send(batch) {
                Ok(()) => subscriber.dropped = 0,
                Err(async_channel::TrySendError::Full(_)) => {
                    subscriber.dropped += events.len() as u64;
                }
                Err(async_channel::TrySendError::Closed(_)) => return false,
            }
            true
        });
        self.core.set_recording(!self.subscribers.is_empty());
    }
}

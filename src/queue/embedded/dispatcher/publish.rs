//! The last phase of a round: everything that others see of it.

use std::sync::Arc;

use super::Dispatcher;
use crate::queue::{
    embedded::store::reads::ReadRequest,
    event::{Event, EventBatch, MAX_BATCH},
    id::WorkerNumber,
    index::rows::{Running, StorageError},
    state::State,
    stats::{Count, Stats, StorageStats},
};

impl Dispatcher {
    /// Publishes the round: replies, reads, jobs, signals and events.
    pub(super) fn publish(&mut self, committed: &Result<(), StorageError>) {
        self.deliver_signals();
        // A task that fails to start while tasks are dispatched belongs to the next round, and so do its
        // events.
        let events = self.core.take_events();
        self.send_replies(committed);
        self.send_stats();
        self.execute_reads();
        self.request_candidates();
        self.dispatch_ready();
        self.publish_events(&events);
    }

    pub(super) fn send_replies(&mut self, committed: &Result<(), StorageError>) {
        for reply in self.replies.drain(..) {
            reply.send(committed);
        }
    }

    fn send_stats(&mut self) {
        let mut requests = std::mem::take(&mut self.stats_requests);
        requests.retain(|reply| !reply.is_closed());
        if requests.is_empty() {
            return;
        }
        let stats = self.stats();
        for reply in requests {
            reply.send(stats.clone()).ok();
        }
    }

    fn execute_reads(&mut self) {
        if self.reads.is_empty() {
            return;
        }
        let running = Arc::new(self.running());
        for request in std::mem::take(&mut self.reads) {
            self.execute_read(request, &running);
        }
    }

    /// Hands a read over to the reader thread, unless its reply is known here.
    fn execute_read(&mut self, request: ReadRequest, running: &Arc<Running>) {
        match request {
            // A count by states does not need a scan.
            ReadRequest::Count(filter, reply) if filter.only_states() => {
                let counts = self.counts();
                let counts = State::ALL.into_iter().zip(counts);
                let wanted = counts.filter(|(state, _)| filter.states.contains(*state));
                let count = wanted.map(|(_, count)| count).sum();
                reply.send(Ok(Count::Exact(count))).ok();
            }
            request => self.store.read(request.begin(Arc::clone(running))),
        }
    }

    /// The number of tasks by state, in the order of [`State::ALL`].
    fn counts(&self) -> [usize; State::COUNT] {
        let mut counts = self.core.counts();
        for (count, finished) in counts.iter_mut().zip(self.store.finished_counts()) {
            *count += finished;
        }
        counts
    }

    /// The running tasks with their progress.
    pub(super) fn running(&self) -> Running {
        let running = self.core.running().map(|(id, mut info)| {
            info.progress = self.pool.progress(info.run.worker);
            (id, info)
        });
        running.collect()
    }

    fn stats(&mut self) -> Stats {
        let mut stats = self.core.stats(self.clock.now());
        stats.counts = self.counts();
        let usage = self.store.usage();
        let retention = self.config.store.retention;
        stats.desired_workers = self.desired_workers;
        stats.stuck = self.pool.stuck();
        stats.storage = Some(StorageStats {
            durability: self.config.durability(),
            bytes: usage.bytes,
            byte_limit: retention.bytes,
            count_limit: retention.count,
            commits: usage.commits,
            last_check: usage.last_check,
            persist_error: self.persist_error.clone(),
            unpersisted: self.changes.len(),
        });
        stats
    }

    pub(super) fn emit_worker_event(&mut self, id: WorkerNumber, started: bool) {
        self.core.emit(Event::Worker {
            id: id.into(),
            started,
        });
    }

    /// Sends events to every subscriber. A slow subscriber loses events and gets their number.
    fn publish_events(&mut self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        let at = self.clock.now();
        let batches: Vec<Arc<[Event]>> = events.chunks(MAX_BATCH).map(Arc::from).collect();
        self.subscribers.retain_mut(|subscriber| {
            for events in &batches {
                let batch = EventBatch {
                    at,
                    events: Arc::clone(events),
                    dropped: subscriber.dropped,
                };
                match subscriber.batches.try_send(batch) {
                    Ok(()) => subscriber.dropped = 0,
                    Err(async_channel::TrySendError::Full(_)) => {
                        subscriber.dropped += events.len() as u64;
                    }
                    Err(async_channel::TrySendError::Closed(_)) => return false,
                }
            }
            true
        });
        self.core.set_recording(!self.subscribers.is_empty());
    }
}

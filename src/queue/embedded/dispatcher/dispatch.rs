//! Dispatching jobs to workers, and reclaiming them.

use super::{CHANNEL_DEPTH, Dispatcher};
use crate::queue::{embedded::core::sequence, limits::MAX_WORKERS};

/// The most changes that may wait for a commit that succeeds; beyond it no task is dispatched.
const MAX_UNPERSISTED: usize = 10_000;

impl Dispatcher {
    pub(super) fn scale(&mut self, workers: usize) {
        self.desired_workers = workers.clamp(1, MAX_WORKERS);
        for id in self.pool.scale(self.desired_workers) {
            self.emit_worker_event(id, true);
        }
    }

    /// Takes all jobs out of the channel that no worker has received.
    pub(super) fn reclaim(&mut self) {
        while let Ok(job) = self.unreceived.try_recv() {
            self.core.reclaim_job(&job);
        }
    }

    /// Fills the channel with the next jobs. A task that cannot be started fails; the next round, which
    /// then follows at once, commits that.
    pub(super) fn dispatch_ready(&mut self) {
        if self.changes.len() > MAX_UNPERSISTED {
            return;
        }
        // Two for each worker, and more when tasks are so short that many end in one round.
        let depth = (2 * self.desired_workers)
            .max(2 * self.ended_runs)
            .min(CHANNEL_DEPTH);
        while self.jobs.len() < depth {
            let Some(mut job) = self.core.next_job() else {
                break;
            };
            let id = sequence(&job.id);
            match self.store.args(id) {
                Ok(args) => job.args = args,
                Err(error) => {
                    self.core.fail_to_start(id, error.to_string().into());
                    continue;
                }
            }
            if let Err(back) = self.jobs.try_send(job) {
                self.core.reclaim_job(&back.into_inner());
                break;
            }
        }
    }

    /// Delivers the core's signals to workers.
    pub(super) fn deliver_signals(&mut self) {
        for signal in self.core.take_signals() {
            for id in self.pool.signal(signal, self.desired_workers) {
                self.emit_worker_event(id, true);
            }
        }
    }
}

//! Handing tasks to workers, and calling them back.

use super::{Dispatcher, MOST_HANDED};
use crate::queue::embedded::{MAX_WORKERS, store::StoreError};

/// Changes that could not be kept and wait for it; with more, no further task is started.
const MAX_UNSAVED: usize = 10_000;

impl Dispatcher {
    pub(super) fn scale(&mut self, workers: usize) {
        self.wanted = workers.clamp(1, MAX_WORKERS);
        for id in self.pool.scale(self.wanted) {
            self.worker_event(id, true);
        }
    }

    /// Takes everything out of the channel that no worker has taken.
    pub(super) fn call_back(&mut self) {
        while let Ok(job) = self.handed.try_recv() {
            self.core.take_back(&job);
        }
    }

    pub(super) fn hand_over(&mut self) {
        if self.changes.len() > MAX_UNSAVED {
            return;
        }
        // Two for each worker, and more where tasks are so short that many end between two rounds.
        let depth = (2 * self.wanted).max(2 * self.ended).min(MOST_HANDED);
        while self.jobs.len() < depth {
            let Some(mut job) = self.core.next_job() else {
                break;
            };
            match self.store.args(job.id) {
                Ok(args) => job.args = args,
                Err(StoreError(why)) => {
                    self.core.cannot_run(job.id, &why);
                    continue;
                }
            }
            if let Err(back) = self.jobs.try_send(job) {
                self.core.take_back(&back.into_inner());
                break;
            }
        }
        // What could not be handed over has ended.
        self.settle();
    }

    pub(super) fn signal(&mut self) {
        for signal in self.core.take_signals() {
            for id in self.pool.signal(signal, self.wanted) {
                self.worker_event(id, true);
            }
        }
    }
}

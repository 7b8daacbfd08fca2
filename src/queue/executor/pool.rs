//! The worker pool of one engine: its current and desired size, and the control of each worker.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use tokio::runtime::Runtime;

use super::worker::Worker;
use crate::queue::{
    clock::Clock,
    control::{Signal, WorkerControl},
    executor::{
        in_flight::InFlightFile,
        job::{Job, WorkerReport},
    },
    id::WorkerNumber,
    task::Progress,
    worker::{WorkerState, WorkerStatus},
};

/// Workers on runtimes of their own. There is one runtime until tasks that never yield have blocked
/// all of its threads; then another is added.
pub(in crate::queue) struct WorkerPool {
    runtimes: Vec<Runtime>,
    threads: usize,
    clock: Clock,
    in_flight: Option<Arc<InFlightFile>>,
    jobs: async_channel::Receiver<Job>,
    reports: async_channel::Sender<WorkerReport>,
    workers: BTreeMap<WorkerNumber, PoolSlot>,
}

struct PoolSlot {
    control: Arc<WorkerControl>,
    /// The index of its runtime.
    runtime: usize,
}

/// The longest wait of a shutdown for the threads of one runtime.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(200);
/// The most runtimes. When all of their threads are blocked, tasks wait until one is free.
const MAX_RUNTIMES: usize = 8;

impl WorkerPool {
    pub(in crate::queue) fn new(
        clock: Clock,
        in_flight: Option<Arc<InFlightFile>>,
        jobs: async_channel::Receiver<Job>,
        reports: async_channel::Sender<WorkerReport>,
    ) -> io::Result<Self> {
        Ok(Self {
            runtimes: vec![new_runtime()?],
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            clock,
            in_flight,
            jobs,
            reports,
            workers: BTreeMap::new(),
        })
    }

    /// The workers that are not retired.
    fn active(&self) -> Vec<WorkerNumber> {
        self.workers
            .iter()
            .filter(|(_, slot)| !slot.control.retire.is_cancelled())
            .map(|(id, _)| *id)
            .collect()
    }

    /// The number of workers that receive jobs.
    pub(in crate::queue) fn consumers(&self) -> usize {
        self.active().len()
    }

    /// Spawns or retires workers until `desired` are active; returns those that were spawned.
    pub(in crate::queue) fn scale(&mut self, desired: usize) -> Vec<WorkerNumber> {
        let active = self.active();
        for id in self.pick_retirees(&active, desired) {
            if let Some(slot) = self.workers.get(&id) {
                slot.control.retire.cancel();
            }
        }
        (active.len()..desired).map(|_| self.spawn()).collect()
    }

    /// The workers to retire: idle before busy, and the newest first among those.
    fn pick_retirees(&self, active: &[WorkerNumber], desired: usize) -> Vec<WorkerNumber> {
        let mut retirees: Vec<WorkerNumber> = active.to_vec();
        retirees.sort_by_key(|id| {
            let slot = self.workers.get(id);
            let idle = slot.is_some_and(|slot| slot.control.status().state == WorkerState::Idle);
            (!idle, std::cmp::Reverse(*id))
        });
        retirees.truncate(active.len().saturating_sub(desired));
        retirees
    }

    fn spawn(&mut self) -> WorkerNumber {
        let id = (1..)
            .map(WorkerNumber)
            .find(|id| !self.workers.contains_key(id))
            .unwrap_or(WorkerNumber(u16::MAX));
        let control = Arc::new(WorkerControl::new(id, self.clock.now()));
        let worker = Worker {
            id,
            control: Arc::clone(&control),
            clock: self.clock.clone(),
            in_flight: self.in_flight.clone(),
            jobs: self.jobs.clone(),
            reports: self.reports.clone(),
        };
        let runtime = self.runtimes.len() - 1;
        if let Some(last) = self.runtimes.last() {
            last.spawn(worker.run());
        }
        self.workers.insert(id, PoolSlot { control, runtime });
        id
    }

    /// Removes a worker that has stopped.
    pub(in crate::queue) fn remove(&mut self, id: WorkerNumber) {
        self.workers.remove(&id);
    }

    /// Delivers a signal; returns the workers that were spawned because of it.
    pub(in crate::queue) fn signal(&mut self, signal: Signal, desired: usize) -> Vec<WorkerNumber> {
        match signal {
            Signal::Stop {
                worker,
                run,
                reason,
            } => {
                if let Some(slot) = self.workers.get(&worker) {
                    slot.control.request_stop(run, reason);
                }
                Vec::new()
            }
            Signal::Abandon { worker } => self.abandon(worker, desired),
        }
    }

    /// Replaces a worker whose task does not return. When every thread of the runtime is blocked in
    /// this way, all other workers move to a new one.
    fn abandon(&mut self, worker: WorkerNumber, desired: usize) -> Vec<WorkerNumber> {
        if let Some(slot) = self.workers.get(&worker) {
            slot.control.abandon();
        }
        let newest = self.runtimes.len() - 1;
        let stuck_there = |slot: &&PoolSlot| slot.runtime == newest && slot.control.is_stuck();
        if self.workers.values().filter(stuck_there).count() >= self.threads {
            if self.runtimes.len() >= MAX_RUNTIMES {
                return Vec::new();
            }
            let Ok(another) = new_runtime() else {
                return Vec::new();
            };
            self.runtimes.push(another);
            for id in self.active() {
                if let Some(slot) = self.workers.get(&id) {
                    slot.control.retire.cancel();
                }
            }
        }
        self.scale(desired)
    }

    /// The number of stuck workers.
    pub(in crate::queue) fn stuck(&self) -> usize {
        let slots = self.workers.values();
        slots.filter(|slot| slot.control.is_stuck()).count()
    }

    /// The progress of the task that a worker runs, if it reports any.
    pub(in crate::queue) fn progress(&self, worker: WorkerNumber) -> Option<Progress> {
        self.workers.get(&worker)?.control.progress()
    }

    pub(in crate::queue) fn statuses(&self) -> Vec<WorkerStatus> {
        let slots = self.workers.values();
        slots.map(|slot| slot.control.status()).collect()
    }

    /// Shuts the runtimes down; a task that blocks a thread is left to the end of the process.
    pub(in crate::queue) fn shut_down(self) {
        for runtime in self.runtimes {
            runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        }
    }
}

fn new_runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name("worker")
        .enable_time()
        .build()
}

//! The workers of one engine: how many there are, how many there should be, and the desks at which
//! they can be spoken to.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use tokio::runtime::Runtime;

use super::worker::Worker;
use crate::queue::embedded::core::Signal;
use crate::queue::{
    clock::Clock,
    embedded::store::slots::InFlightFile,
    executor::control::WorkerControl,
    task::{Progress, WorkerId},
    worker::{WorkerState, WorkerStatus},
};

/// Workers on runtimes of their own. There is one runtime until tasks that never let go have taken all
/// of its threads; then there is another.
pub(in crate::queue) struct Pool {
    runtimes: Vec<Runtime>,
    threads: usize,
    clock: Clock,
    slots: Option<Arc<InFlightFile>>,
    jobs: async_channel::Receiver<super::worker::Job>,
    reports: async_channel::Sender<super::worker::WorkerReport>,
    desks: BTreeMap<WorkerId, PoolSlot>,
}

struct PoolSlot {
    desk: Arc<WorkerControl>,
    /// Which runtime it is on.
    runtime: usize,
}

/// The most runtimes. When all of their threads are taken, tasks wait until one lets go.
const MAX_RUNTIMES: usize = 8;

impl Pool {
    pub(in crate::queue) fn new(
        clock: Clock,
        slots: Option<Arc<InFlightFile>>,
        jobs: async_channel::Receiver<super::worker::Job>,
        reports: async_channel::Sender<super::worker::WorkerReport>,
    ) -> io::Result<Self> {
        Ok(Self {
            runtimes: vec![runtime()?],
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            clock,
            slots,
            jobs,
            reports,
            desks: BTreeMap::new(),
        })
    }

    fn staying(&self) -> Vec<WorkerId> {
        self.desks
            .iter()
            .filter(|(_, place)| !place.desk.retire.is_cancelled())
            .map(|(id, _)| *id)
            .collect()
    }

    /// Starts or retires workers until `wanted` remain; answers those that started.
    pub(in crate::queue) fn scale(&mut self, wanted: usize) -> Vec<WorkerId> {
        let staying = self.staying();
        for id in self.leavers(&staying, wanted) {
            if let Some(place) = self.desks.get(&id) {
                place.desk.retire.cancel();
            }
        }
        (staying.len()..wanted).map(|_| self.hire()).collect()
    }

    /// Whom to let go: the idle before the busy, and of those the youngest.
    fn leavers(&self, staying: &[WorkerId], wanted: usize) -> Vec<WorkerId> {
        let mut leaving: Vec<WorkerId> = staying.to_vec();
        leaving.sort_by_key(|id| {
            let place = self.desks.get(id);
            let idle = place.is_some_and(|at| at.desk.status().state == WorkerState::Idle);
            (!idle, std::cmp::Reverse(*id))
        });
        leaving.truncate(staying.len().saturating_sub(wanted));
        leaving
    }

    fn hire(&mut self) -> WorkerId {
        let id = (1..)
            .map(WorkerId)
            .find(|id| !self.desks.contains_key(id))
            .unwrap_or(WorkerId(u16::MAX));
        let desk = Arc::new(WorkerControl::new(id, self.clock.now()));
        let worker = Worker {
            id,
            desk: Arc::clone(&desk),
            clock: self.clock.clone(),
            slots: self.slots.clone(),
            jobs: self.jobs.clone(),
            reports: self.reports.clone(),
        };
        let runtime = self.runtimes.len() - 1;
        if let Some(last) = self.runtimes.last() {
            last.spawn(worker.work());
        }
        self.desks.insert(id, PoolSlot { desk, runtime });
        id
    }

    /// A worker has ended.
    pub(in crate::queue) fn left(&mut self, id: WorkerId) {
        self.desks.remove(&id);
    }

    /// Passes a word on; answers the workers that started because of it.
    pub(in crate::queue) fn signal(&mut self, signal: Signal, wanted: usize) -> Vec<WorkerId> {
        match signal {
            Signal::Ask { worker, run, how } => {
                if let Some(place) = self.desks.get(&worker) {
                    place.desk.ask(run, how);
                }
                Vec::new()
            }
            Signal::GiveUp { worker } => self.give_up(worker, wanted),
        }
    }

    /// A worker's task does not let go of it: another takes its place. When every thread of the
    /// runtime is taken in this way, all others move to a new one.
    fn give_up(&mut self, worker: WorkerId, wanted: usize) -> Vec<WorkerId> {
        if let Some(place) = self.desks.get(&worker) {
            place.desk.give_up();
        }
        let here = self.runtimes.len() - 1;
        let stuck_here = |place: &&PoolSlot| place.runtime == here && place.desk.is_stuck();
        if self.desks.values().filter(stuck_here).count() >= self.threads {
            if self.runtimes.len() >= MAX_RUNTIMES {
                return Vec::new();
            }
            let Ok(another) = runtime() else {
                return Vec::new();
            };
            self.runtimes.push(another);
            for id in self.staying() {
                if let Some(place) = self.desks.get(&id) {
                    place.desk.retire.cancel();
                }
            }
        }
        self.scale(wanted)
    }

    pub(in crate::queue) fn stuck(&self) -> usize {
        let stuck = self.desks.values().filter(|place| place.desk.is_stuck());
        stuck.count()
    }

    /// How far the task of a worker is, if it tells.
    pub(in crate::queue) fn progress(&self, worker: WorkerId) -> Option<Progress> {
        self.desks.get(&worker)?.desk.progress()
    }

    pub(in crate::queue) fn status(&self) -> Vec<WorkerStatus> {
        self.desks.values().map(|at| at.desk.status()).collect()
    }

    /// Ends the runtimes; a task that hogs a thread is left to the end of the process.
    pub(in crate::queue) fn end(self, grace: Duration) {
        for runtime in self.runtimes {
            runtime.shutdown_timeout(grace);
        }
    }
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name("worker")
        .enable_time()
        .build()
}

//! The workers of one engine: how many there are, how many there should be, and the desks at which
//! they can be spoken to.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use crate::queue::{
    task::WorkerId,
    worker::{Clock, Desk, Job, Report, WorkerState, WorkerStatus, work},
};

use super::core::Signal;

/// Workers on a runtime of their own.
pub(super) struct Pool {
    runtime: tokio::runtime::Runtime,
    clock: Clock,
    jobs: async_channel::Receiver<Job>,
    reports: async_channel::Sender<Report>,
    desks: BTreeMap<WorkerId, Arc<Desk>>,
}

impl Pool {
    pub(super) fn new(
        clock: Clock,
        jobs: async_channel::Receiver<Job>,
        reports: async_channel::Sender<Report>,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("worker")
            .enable_time()
            .build()?;
        Ok(Self {
            runtime,
            clock,
            jobs,
            reports,
            desks: BTreeMap::new(),
        })
    }

    /// Starts or retires workers until `wanted` remain; answers those that started.
    pub(super) fn scale(&mut self, wanted: usize) -> Vec<WorkerId> {
        let staying: Vec<WorkerId> = self
            .desks
            .iter()
            .filter(|(_, desk)| !desk.retire.is_cancelled())
            .map(|(id, _)| *id)
            .collect();
        for id in self.leavers(&staying, wanted) {
            if let Some(desk) = self.desks.get(&id) {
                desk.retire.cancel();
            }
        }
        (staying.len()..wanted).map(|_| self.hire()).collect()
    }

    /// Whom to let go: the idle before the busy, and of those the youngest.
    fn leavers(&self, staying: &[WorkerId], wanted: usize) -> Vec<WorkerId> {
        let mut leaving: Vec<WorkerId> = staying.to_vec();
        leaving.sort_by_key(|id| {
            let idle = self
                .desks
                .get(id)
                .is_some_and(|desk| desk.status().state == WorkerState::Idle);
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
        let desk = Arc::new(Desk::new(id, self.clock.now()));
        self.runtime.spawn(work(
            id,
            Arc::clone(&desk),
            self.clock,
            self.jobs.clone(),
            self.reports.clone(),
        ));
        self.desks.insert(id, desk);
        id
    }

    /// A worker has ended.
    pub(super) fn left(&mut self, id: WorkerId) {
        self.desks.remove(&id);
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Some(desk) = self.desks.get(&signal.worker) {
            desk.cancel(signal.run);
        }
    }

    pub(super) fn status(&self) -> Vec<WorkerStatus> {
        self.desks.values().map(|desk| desk.status()).collect()
    }

    /// Ends the runtime; a task that hogs a thread is left to the end of the process.
    pub(super) fn end(self, grace: Duration) {
        self.runtime.shutdown_timeout(grace);
    }
}

//! The statistics and the workers of the broker.

use crate::queue::{
    clock::Timestamp,
    state::State,
    stats::{RATE_SECONDS, Stats},
    worker::{WorkerState, WorkerStatus},
};

#[derive(Debug, Clone, Default)]
pub(crate) struct Overview {
    pub(crate) stats: Stats,
    pub(crate) workers: Vec<WorkerStatus>,
    /// The number of workers that was requested, where it is known.
    requested_workers: Option<usize>,
    /// Workers that are neither stuck nor stopping.
    pub(crate) active: usize,
}

impl Overview {
    pub(crate) fn set_stats(&mut self, stats: Stats) {
        self.requested_workers = Some(stats.desired_workers);
        self.stats = stats;
    }

    pub(crate) fn set_workers(&mut self, workers: Vec<WorkerStatus>) {
        let is_active = |worker: &&WorkerStatus| {
            !matches!(worker.state, WorkerState::Stopping | WorkerState::Stuck)
        };
        self.active = workers.iter().filter(is_active).count();
        self.workers = workers;
    }

    pub(crate) fn set_requested_workers(&mut self, workers: usize) {
        self.requested_workers = Some(workers);
    }

    /// Returns the number of workers that there should be; without statistics, those that there are.
    pub(crate) fn desired_workers(&self) -> usize {
        self.requested_workers.unwrap_or(self.active)
    }

    /// Returns the number of tasks that finished in each of the last `seconds` whole seconds, oldest first.
    pub(crate) fn rate(&self, now: Timestamp, seconds: usize) -> Vec<u32> {
        let passed = usize::try_from((now.0 / 1_000_000).saturating_sub(self.stats.rate_until))
            .unwrap_or(usize::MAX)
            .min(seconds);
        let known = &self.stats.rate;
        let mut rate: Vec<u32> = known
            .iter()
            .copied()
            .chain(std::iter::repeat_n(0, passed))
            .collect();
        let missing = seconds.saturating_sub(rate.len());
        rate.splice(0..0, std::iter::repeat_n(0, missing));
        rate.split_off(rate.len() - seconds)
    }

    /// Reports whether the throughput will look different a second from now.
    pub(crate) fn rate_changes(&self, now: Timestamp) -> bool {
        let age = (now.0 / 1_000_000).saturating_sub(self.stats.rate_until);
        let finished = self.stats.rate.iter().any(|n| *n > 0) || self.just_finished(now);
        age <= RATE_SECONDS as u64 && finished
    }

    /// Reports whether a task finished in the last two seconds.
    fn just_finished(&self, now: Timestamp) -> bool {
        let recent = |worker: &WorkerStatus| {
            worker
                .timeline
                .iter()
                .last()
                .is_some_and(|span| now.since(span.end).as_secs() < 2)
        };
        self.workers.iter().any(recent)
    }

    pub(crate) fn timelines_change(&self, now: Timestamp) -> bool {
        self.workers
            .iter()
            .any(|worker| worker.current.is_some() || worker.timeline.is_visible(now))
    }

    pub(crate) fn has_running(&self) -> bool {
        self.stats.count(State::Running) > 0
    }
}

//! The broker in numbers, and its workers.

use crate::queue::{
    broker::{RATE_SECONDS, Stats},
    task::{State, Timestamp},
    worker::{WorkerState, WorkerStatus},
};

#[derive(Debug, Clone, Default)]
pub(crate) struct Overview {
    pub(crate) stats: Stats,
    pub(crate) workers: Vec<WorkerStatus>,
    /// Workers that were asked for.
    pub(crate) wanted: usize,
    /// Workers that work: neither stuck nor ending.
    pub(crate) working: usize,
}

impl Overview {
    pub(crate) fn new(stats: Stats, workers: Vec<WorkerStatus>) -> Self {
        let works = |worker: &&WorkerStatus| {
            !matches!(worker.state, WorkerState::Stopping | WorkerState::Stuck)
        };
        Self {
            wanted: stats.wanted,
            working: workers.iter().filter(works).count(),
            stats,
            workers,
        }
    }

    /// Tasks that ended in each of the last `seconds` whole seconds before now, oldest first.
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

    /// Whether the throughput would look different in a second from now.
    pub(crate) fn rate_moves(&self, now: Timestamp) -> bool {
        let age = (now.0 / 1_000_000).saturating_sub(self.stats.rate_until);
        let ended = self.stats.rate.iter().any(|n| *n > 0) || self.just_ended(now);
        age <= RATE_SECONDS as u64 && ended
    }

    /// Something ended in the second that is not over yet, or a moment ago.
    fn just_ended(&self, now: Timestamp) -> bool {
        let recent = |worker: &WorkerStatus| {
            worker
                .lane
                .iter()
                .last()
                .is_some_and(|stretch| now.since(stretch.end).as_secs() < 2)
        };
        self.workers.iter().any(recent)
    }

    pub(crate) fn lanes_move(&self, now: Timestamp) -> bool {
        self.workers
            .iter()
            .any(|worker| worker.current.is_some() || worker.lane.is_visible(now))
    }

    pub(crate) fn has_running(&self) -> bool {
        self.stats.count(State::Running) > 0
    }
}

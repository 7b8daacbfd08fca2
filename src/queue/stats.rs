//! Statistics of a broker: counts, throughput and latencies.

use std::{fmt, sync::Arc, time::Duration};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::{
    clock::Timestamp,
    state::{State, StateSet},
    storage::{Durability, StorageCheck},
};
use crate::text::fmt_count;

/// Statistics of a broker.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// The number of tasks by state, in the order of [`State::ALL`].
    pub counts: [usize; State::COUNT],
    /// The states of which the engine knows only a part of the tasks: their count is a lower bound.
    pub lower_bounds: StateSet,
    /// All queues are paused.
    pub paused: bool,
    /// The queues that are paused individually.
    pub paused_queues: Vec<Arc<str>>,
    /// The requested number of workers; fewer are available while some are stuck or stopping.
    pub desired_workers: usize,
    /// The number of abandoned workers, whose task did not stop in time.
    pub stuck: usize,
    /// The time for which the oldest ready task has been waiting.
    pub oldest_ready: Option<Duration>,
    /// The number of tasks submitted since the start.
    pub submitted: u64,
    /// The number of submits that were deduplicated by a unique key.
    pub duplicates: u64,
    /// The number of tasks that finished since the start by final state, in the order of
    /// [`State::ALL`].
    pub finished: [u64; State::COUNT],
    /// The number of failed attempts that were retried since the start.
    pub retried: u64,
    /// The number of finished tasks that were evicted by the retention limits or purged.
    pub evicted: u64,
    /// The number of results that were discarded because their task had already finished.
    pub stale_reports: u64,
    /// The maximum number of unfinished tasks.
    pub backlog_limit: usize,
    /// The number of tasks that finished in each of the last [`RATE_SECONDS`] whole seconds, oldest
    /// first.
    pub rate: Vec<u32>,
    /// The end of [`Stats::rate`] in seconds since 1970, exclusive.
    pub rate_until: u64,
    /// The time from being ready to being started.
    pub wait: Percentiles,
    /// The time from the start to the end of a run.
    pub run: Percentiles,
    /// Statistics of each task name that has run, sorted by name.
    pub names: Vec<NameStats>,
    /// Statistics of the storage, if the engine has one of its own.
    pub storage: Option<StorageStats>,
    /// The members with the most unfinished tasks, at most 100, and their quotas.
    pub members: Vec<MemberUsage>,
    /// The time of the measurement.
    pub at: Timestamp,
}

/// The unfinished tasks of a member of the node. Those of an earlier start of the process do not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberUsage {
    /// The member's key.
    pub member: Arc<str>,
    /// The number of its tasks.
    pub tasks: usize,
    /// The size of its tasks.
    pub bytes: u64,
    /// The most tasks that it may have.
    pub task_limit: usize,
    /// The largest size that its tasks may have.
    pub byte_limit: u64,
}

impl MemberUsage {
    /// The used share of the quota of which most is used, 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        let tasks = self.tasks as f64 / self.task_limit.max(1) as f64;
        let bytes = self.bytes as f64 / self.byte_limit.max(1) as f64;
        tasks.max(bytes)
    }
}

/// The number of seconds of throughput in [`Stats::rate`].
pub const RATE_SECONDS: usize = 120;

impl Stats {
    /// Returns the number of tasks in a state.
    #[must_use]
    pub fn count(&self, state: State) -> usize {
        self.counts.get(state.index()).copied().unwrap_or_default()
    }

    /// Returns the number of tasks in a state, exact or a lower bound.
    #[must_use]
    pub fn tasks_in(&self, state: State) -> Count {
        Count::new(self.count(state), !self.lower_bounds.contains(state))
    }

    /// Returns the number of tasks in all states, exact or a lower bound.
    #[must_use]
    pub fn tasks(&self) -> Count {
        Count::new(self.total(), self.lower_bounds == StateSet::NONE)
    }

    /// Returns the number of unfinished tasks.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        State::ALL
            .into_iter()
            .filter(|state| !state.is_finished())
            .map(|state| self.count(state))
            .sum()
    }

    /// The reason why changes cannot be persisted, if they cannot.
    #[must_use]
    pub fn persist_error(&self) -> Option<&str> {
        self.storage.as_ref()?.persist_error.as_deref()
    }

    /// The states to display with their number of tasks: the common states, and others that are in use.
    pub fn by_state(&self) -> impl Iterator<Item = (State, usize)> {
        displayed(&self.counts)
    }

    /// The final states to display with the number of tasks that finished in them since the start.
    pub fn finished_by_state(&self) -> impl Iterator<Item = (State, u64)> {
        displayed(&self.finished).filter(|(state, _)| state.is_finished())
    }

    /// Returns the number of tasks in all states.
    #[must_use]
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }
}

fn displayed<N: Copy + Default + PartialEq>(
    counts: &[N; State::COUNT],
) -> impl Iterator<Item = (State, N)> {
    let counts = State::ALL.into_iter().zip(counts.iter().copied());
    counts.filter(|(state, count)| state.is_common() || *count != N::default())
}

/// Statistics of one task name since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameStats {
    /// The task name.
    pub name: Arc<str>,
    /// The number of runs that succeeded.
    pub succeeded: u64,
    /// The number of runs that failed.
    pub failed: u64,
    /// The time from being ready to being started.
    pub wait: Percentiles,
    /// The time from the start to the end of a run.
    pub run: Percentiles,
}

/// The latencies of one task name as counts in [`BUCKET_BOUNDS`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NameHistograms {
    /// The task name.
    pub name: Arc<str>,
    /// The time from being ready to being started.
    pub wait: Buckets,
    /// The time from the start to the end of a run.
    pub run: Buckets,
}

/// The upper bounds of [`Buckets`]; one more bucket counts everything above the last.
pub const BUCKET_BOUNDS: [Duration; 14] = [
    Duration::from_micros(10),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(300),
];

/// A histogram of durations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Buckets {
    /// The count of each bucket of [`BUCKET_BOUNDS`], and of the bucket above all.
    pub within: Vec<u64>,
    /// The sum of all durations in seconds, within one percent.
    pub seconds: f64,
}

impl Buckets {
    /// Converts a histogram in microseconds.
    pub(super) fn from_histogram(histogram: &Histogram<u64>) -> Self {
        let micros = |bound: &Duration| u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        let mut from = 0;
        let mut within: Vec<u64> = Vec::with_capacity(BUCKET_BOUNDS.len() + 1);
        for bound in BUCKET_BOUNDS.iter().map(micros) {
            within.push(histogram.count_between(from, bound));
            // Equivalent values are counted together, so the next bucket begins behind them.
            from = histogram.highest_equivalent(bound) + 1;
        }
        let counted: u64 = within.iter().sum();
        within.push(histogram.len().saturating_sub(counted));
        Self {
            within,
            seconds: histogram.mean() * histogram.len() as f64 / 1e6,
        }
    }
}

/// Percentiles of a set of durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Percentiles {
    /// The number of measurements.
    pub count: u64,
    /// The median.
    pub p50: Duration,
    /// The 95th percentile.
    pub p95: Duration,
    /// The 99th percentile.
    pub p99: Duration,
    /// The maximum.
    pub max: Duration,
}

impl Percentiles {
    /// Converts a histogram in microseconds.
    #[must_use]
    pub(super) fn from_histogram(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |quantile| Duration::from_micros(histogram.value_at_quantile(quantile));
        Self {
            count: histogram.len(),
            p50: at(0.50),
            p95: at(0.95),
            p99: at(0.99),
            max: Duration::from_micros(histogram.max()),
        }
    }
}

/// A number of tasks, for engines that cannot count all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// The exact number.
    Exact(usize),
    /// A lower bound: the engine knows only a part of the tasks.
    AtLeast(usize),
}

impl Count {
    /// Returns a number that is exact, or else a lower bound.
    #[must_use]
    pub const fn new(count: usize, exact: bool) -> Self {
        if exact {
            Self::Exact(count)
        } else {
            Self::AtLeast(count)
        }
    }

    /// The number that is known.
    #[must_use]
    pub const fn known(self) -> usize {
        match self {
            Self::Exact(count) | Self::AtLeast(count) => count,
        }
    }

    /// Returns true for an exact number.
    #[must_use]
    pub const fn is_exact(self) -> bool {
        matches!(self, Self::Exact(_))
    }
}

/// Displayed as `1,000`, or `1,000+` for a lower bound.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&fmt_count(self.known()))?;
        f.write_str(if self.is_exact() { "" } else { "+" })
    }
}

/// The status of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStatus {
    /// Its name.
    pub name: Arc<str>,
    /// The number of tasks that are ready.
    pub depth: Count,
    /// The number of tasks that workers hold.
    pub in_flight: Count,
    /// The number of workers that consume it, if the engine knows it.
    pub consumers: Option<usize>,
    /// True if no tasks are dispatched from it.
    pub paused: bool,
}

/// Statistics of the storage of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StorageStats {
    /// The failure that acknowledged tasks survive.
    pub durability: Durability,
    /// The bytes that tasks and results take.
    pub bytes: u64,
    /// The size in bytes above which the oldest finished tasks are evicted.
    pub byte_limit: u64,
    /// The maximum number of finished tasks that are stored.
    pub count_limit: usize,
    /// The duration of commits.
    pub commits: Percentiles,
    /// The reason why changes cannot be persisted, if they cannot.
    pub persist_error: Option<String>,
    /// The number of changes that are not persisted yet.
    pub unpersisted: usize,
    /// The last complete check of the task file, if there was one since the start.
    pub last_check: Option<StorageCheck>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_is_a_lower_bound_is_marked() {
        let mut stats = Stats::default();
        stats.counts[State::Queued.index()] = 1_000;
        stats.counts[State::Succeeded.index()] = 2_000;
        stats.lower_bounds = StateSet::NONE.with(State::Succeeded);
        assert_eq!(stats.tasks_in(State::Queued).to_string(), "1,000");
        assert_eq!(stats.tasks_in(State::Succeeded).to_string(), "2,000+");
        assert_eq!(stats.tasks().to_string(), "3,000+");
        stats.lower_bounds = StateSet::NONE;
        assert_eq!(stats.tasks().to_string(), "3,000");
    }

    #[test]
    fn a_state_that_only_some_engines_report_is_displayed_once_it_is_in_use() {
        let mut stats = Stats::default();
        let displayed = |stats: &Stats| stats.by_state().count();
        assert_eq!(displayed(&stats), State::COUNT - 3);
        stats.counts[State::Received.index()] = 2;
        stats.finished[State::Rejected.index()] = 1;
        assert_eq!(displayed(&stats), State::COUNT - 2);
        assert!(stats.by_state().any(|shown| shown == (State::Received, 2)));
        assert!(
            stats
                .finished_by_state()
                .any(|shown| shown == (State::Rejected, 1))
        );
    }
}

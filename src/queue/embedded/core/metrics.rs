//! Counts, rates and percentiles, in fixed memory.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use hdrhistogram::Histogram;

use crate::queue::{
    clock::Timestamp,
    state::State,
    stats::{Buckets, NameHistograms, NameStats, Percentiles, RATE_SECONDS, Stats},
};

pub(super) struct Metrics {
    pub(super) submitted: u64,
    pub(super) duplicates: u64,
    pub(super) retried: u64,
    pub(super) evicted: u64,
    pub(super) stale_reports: u64,
    ended: [u64; State::COUNT],
    /// There are few names, and the wanted one is nearly always the first.
    names: Vec<NameMetrics>,
    /// Tasks finished in each second; the last entry is the current second, `until`.
    rate: VecDeque<u32>,
    until: u64,
}

struct NameMetrics {
    name: Arc<str>,
    succeeded: u64,
    failed: u64,
    wait: Histogram<u64>,
    run: Histogram<u64>,
}

/// Microseconds from one to an hour, to two digits.
fn histogram() -> Histogram<u64> {
    // The bounds are constants that the crate accepts.
    Histogram::new_with_bounds(1, 3_600_000_000, 2).expect("valid histogram bounds")
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            submitted: 0,
            duplicates: 0,
            retried: 0,
            evicted: 0,
            stale_reports: 0,
            ended: [0; State::COUNT],
            names: Vec::new(),
            rate: VecDeque::with_capacity(RATE_SECONDS + 1),
            until: 0,
        }
    }
}

impl Metrics {
    /// The metrics of a name. Only registered tasks are started, so their number is bounded.
    fn by_name(&mut self, name: &Arc<str>) -> &mut NameMetrics {
        let found = self
            .names
            .iter()
            .position(|known| Arc::ptr_eq(&known.name, name) || known.name == *name);
        let index = found.unwrap_or_else(|| {
            self.names.push(NameMetrics {
                name: Arc::clone(name),
                succeeded: 0,
                failed: 0,
                wait: histogram(),
                run: histogram(),
            });
            self.names.len() - 1
        });
        &mut self.names[index]
    }

    pub(super) fn record_wait(&mut self, name: &Arc<str>, wait_time: Duration) {
        record(&mut self.by_name(name).wait, wait_time);
    }

    pub(super) fn record_run(&mut self, name: &Arc<str>, run_time: Duration, succeeded: bool) {
        let metrics = self.by_name(name);
        record(&mut metrics.run, run_time);
        if succeeded {
            metrics.succeeded += 1;
        } else {
            metrics.failed += 1;
        }
    }

    pub(super) fn record_end(&mut self, now: Timestamp, state: State) {
        self.advance(now);
        if let Some(last) = self.rate.back_mut() {
            *last = last.saturating_add(1);
        }
        if let Some(count) = self.ended.get_mut(state.index()) {
            *count += 1;
        }
    }

    pub(super) fn stats(&mut self, now: Timestamp) -> Stats {
        self.advance(now);
        let whole = self.rate.len().saturating_sub(1);
        let names = self.names.iter().map(|name| NameStats {
            name: Arc::clone(&name.name),
            succeeded: name.succeeded,
            failed: name.failed,
            wait: Percentiles::from_histogram(&name.wait),
            run: Percentiles::from_histogram(&name.run),
        });
        let mut names: Vec<NameStats> = names.collect();
        names.sort_by(|a, b| a.name.cmp(&b.name));
        Stats {
            submitted: self.submitted,
            duplicates: self.duplicates,
            retried: self.retried,
            finished: self.ended,
            evicted: self.evicted,
            stale_reports: self.stale_reports,
            rate: self.rate.iter().take(whole).copied().collect(),
            rate_until: self.until,
            wait: self.combined(|name| &name.wait),
            run: self.combined(|name| &name.run),
            names,
            at: now,
            ..Stats::default()
        }
    }

    pub(super) fn histograms(&self) -> Vec<NameHistograms> {
        let names = self.names.iter().map(|name| NameHistograms {
            name: Arc::clone(&name.name),
            wait: Buckets::from_histogram(&name.wait),
            run: Buckets::from_histogram(&name.run),
        });
        names.collect()
    }

    /// Percentiles over all names.
    fn combined(&self, of: impl Fn(&NameMetrics) -> &Histogram<u64>) -> Percentiles {
        match self.names.as_slice() {
            [] => Percentiles::default(),
            [only] => Percentiles::from_histogram(of(only)),
            many => {
                let mut sum = histogram();
                for name in many {
                    // All have the same bounds, so adding cannot fail.
                    sum.add(of(name)).ok();
                }
                Percentiles::from_histogram(&sum)
            }
        }
    }

    /// Advances the seconds to `now`.
    fn advance(&mut self, now: Timestamp) {
        let second = now.0 / 1_000_000;
        if self.rate.is_empty() {
            self.until = second;
            self.rate.push_back(0);
        }
        let passed = usize::try_from(second.saturating_sub(self.until)).unwrap_or(usize::MAX);
        for _ in 0..passed.min(RATE_SECONDS + 1) {
            if self.rate.len() > RATE_SECONDS {
                self.rate.pop_front();
            }
            self.rate.push_back(0);
        }
        self.until = self.until.max(second);
    }
}

fn record(histogram: &mut Histogram<u64>, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    histogram.saturating_record(micros.max(1));
}

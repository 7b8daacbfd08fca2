//! Counts, rates and percentiles, in fixed memory.

use std::{collections::VecDeque, time::Duration};

use hdrhistogram::Histogram;

use crate::queue::{
    broker::{Percentiles, RATE_SECONDS, Stats},
    task::Timestamp,
};

pub(super) struct Meter {
    pub(super) submitted: u64,
    pub(super) forgotten: u64,
    pub(super) late: u64,
    wait: Histogram<u64>,
    run: Histogram<u64>,
    /// Tasks ended in each second; the last entry is the second `until`, which is not over yet.
    rate: VecDeque<u32>,
    until: u64,
}

/// Microseconds from one to an hour, to two digits.
fn histogram() -> Histogram<u64> {
    // The bounds are constants that the crate accepts.
    Histogram::new_with_bounds(1, 3_600_000_000, 2).expect("valid histogram bounds")
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            submitted: 0,
            forgotten: 0,
            late: 0,
            wait: histogram(),
            run: histogram(),
            rate: VecDeque::with_capacity(RATE_SECONDS + 1),
            until: 0,
        }
    }
}

impl Meter {
    pub(super) fn wait(&mut self, waited: Duration) {
        record(&mut self.wait, waited);
    }

    pub(super) fn run(&mut self, ran: Duration) {
        record(&mut self.run, ran);
    }

    pub(super) fn ended(&mut self, now: Timestamp) {
        self.turn(now);
        if let Some(last) = self.rate.back_mut() {
            *last = last.saturating_add(1);
        }
    }

    pub(super) fn stats(&mut self, now: Timestamp) -> Stats {
        self.turn(now);
        let whole = self.rate.len().saturating_sub(1);
        Stats {
            submitted: self.submitted,
            forgotten: self.forgotten,
            late: self.late,
            rate: self.rate.iter().take(whole).copied().collect(),
            rate_until: self.until,
            wait: percentiles(&self.wait),
            run: percentiles(&self.run),
            at: now,
            ..Stats::default()
        }
    }

    /// Brings the seconds up to date.
    fn turn(&mut self, now: Timestamp) {
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

fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    let at = |quantile| Duration::from_micros(histogram.value_at_quantile(quantile));
    if histogram.is_empty() {
        return Percentiles::default();
    }
    Percentiles {
        count: histogram.len(),
        p50: at(0.50),
        p95: at(0.95),
        p99: at(0.99),
        max: Duration::from_micros(histogram.max()),
    }
}

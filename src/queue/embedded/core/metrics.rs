//! Counts, rates and percentiles, in fixed memory.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use hdrhistogram::Histogram;

use crate::queue::{
    broker::{Buckets, NameHistograms, NameStats, Percentiles, RATE_SECONDS, Stats},
    task::{State, Timestamp},
};

pub(super) struct Metrics {
    pub(super) submitted: u64,
    pub(super) duplicates: u64,
    pub(super) retried: u64,
    pub(super) forgotten: u64,
    pub(super) late: u64,
    ended: [u64; 8],
    /// Names are few, and the one that is looked for is nearly always the first.
    names: Vec<Name>,
    /// Tasks ended in each second; the last entry is the second `until`, which is not over yet.
    rate: VecDeque<u32>,
    until: u64,
}

struct Name {
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
            forgotten: 0,
            late: 0,
            ended: [0; 8],
            names: Vec::new(),
            rate: VecDeque::with_capacity(RATE_SECONDS + 1),
            until: 0,
        }
    }
}

impl Metrics {
    /// Only registered names are ever started, so there are no more than those.
    fn name(&mut self, name: &Arc<str>) -> &mut Name {
        let found = self
            .names
            .iter()
            .position(|known| Arc::ptr_eq(&known.name, name) || known.name == *name);
        let place = found.unwrap_or_else(|| {
            self.names.push(Name {
                name: Arc::clone(name),
                succeeded: 0,
                failed: 0,
                wait: histogram(),
                run: histogram(),
            });
            self.names.len() - 1
        });
        &mut self.names[place]
    }

    pub(super) fn wait(&mut self, name: &Arc<str>, waited: Duration) {
        record(&mut self.name(name).wait, waited);
    }

    pub(super) fn run(&mut self, name: &Arc<str>, ran: Duration, succeeded: bool) {
        let meter = self.name(name);
        record(&mut meter.run, ran);
        if succeeded {
            meter.succeeded += 1;
        } else {
            meter.failed += 1;
        }
    }

    pub(super) fn ended(&mut self, now: Timestamp, state: State) {
        self.turn(now);
        if let Some(last) = self.rate.back_mut() {
            *last = last.saturating_add(1);
        }
        if let Some(count) = self.ended.get_mut(state.index()) {
            *count += 1;
        }
    }

    pub(super) fn stats(&mut self, now: Timestamp) -> Stats {
        self.turn(now);
        let whole = self.rate.len().saturating_sub(1);
        let names = self.names.iter().map(|meter| NameStats {
            name: Arc::clone(&meter.name),
            succeeded: meter.succeeded,
            failed: meter.failed,
            wait: Percentiles::of(&meter.wait),
            run: Percentiles::of(&meter.run),
        });
        let mut names: Vec<NameStats> = names.collect();
        names.sort_by(|a, b| a.name.cmp(&b.name));
        Stats {
            submitted: self.submitted,
            duplicates: self.duplicates,
            retried: self.retried,
            ended: self.ended,
            forgotten: self.forgotten,
            late: self.late,
            rate: self.rate.iter().take(whole).copied().collect(),
            rate_until: self.until,
            wait: self.all(|meter| &meter.wait),
            run: self.all(|meter| &meter.run),
            names,
            at: now,
            ..Stats::default()
        }
    }

    pub(super) fn histograms(&self) -> Vec<NameHistograms> {
        let names = self.names.iter().map(|meter| NameHistograms {
            name: Arc::clone(&meter.name),
            wait: Buckets::of(&meter.wait),
            run: Buckets::of(&meter.run),
        });
        names.collect()
    }

    /// Of all names together.
    fn all(&self, of: impl Fn(&Name) -> &Histogram<u64>) -> Percentiles {
        match self.names.as_slice() {
            [] => Percentiles::default(),
            [only] => Percentiles::of(of(only)),
            many => {
                let mut sum = histogram();
                for meter in many {
                    // They have the same bounds, so none is out of them.
                    sum.add(of(meter)).ok();
                }
                Percentiles::of(&sum)
            }
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

//! The numbers as text, in the OpenMetrics format that Prometheus reads.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use crate::queue::{
    state::State,
    stats::{BUCKET_BOUNDS, Buckets, NameHistograms, Percentiles, Stats},
    worker::{WorkerState, WorkerStatus},
};

/// Everything that is told, taken at one moment.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub(super) stats: Stats,
    pub(super) workers: Vec<WorkerStatus>,
    pub(super) histograms: Vec<NameHistograms>,
    pub(super) names: usize,
    pub(super) calls: (u64, u64),
}

impl Numbers {
    /// The whole page.
    pub(super) fn text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("distro_tui");
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for Numbers {
    fn encode(&self, mut page: DescriptorEncoder<'_>) -> fmt::Result {
        self.tasks(&mut page)?;
        self.workers(&mut page)?;
        self.times(&mut page)?;
        self.keeping(&mut page)?;
        let page = &mut page;
        gauge(page, "names", "Registered names", self.names as f64)?;
        let (answered, faults) = self.calls;
        let calls = [("answered", answered), ("fault", faults)];
        counters(
            page,
            "calls",
            "Calls of objects that ended",
            "outcome",
            &calls,
        )
    }
}

impl Numbers {
    fn tasks(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let stats = &self.stats;
        let states = State::ALL.map(|state| (state.as_str(), stats.count(state) as f64));
        gauges(page, "tasks", "Tasks that are kept", "state", &states)?;
        let oldest = stats.oldest_ready.unwrap_or_default().as_secs_f64();
        let help = "How long the task that goes next has been ready, in seconds";
        gauge(page, "oldest_ready_seconds", help, oldest)?;
        let paused = f64::from(u8::from(stats.paused));
        gauge(page, "paused", "Whether nothing is handed out", paused)?;
        counter(page, "submitted", "Tasks submitted", stats.submitted)?;
        let help = "Submits that met a living task with the same unique key";
        counter(page, "duplicates", help, stats.duplicates)?;
        let ended = State::ALL.into_iter().filter(|state| state.is_finished());
        let ended = ended.map(|state| {
            let count = stats.finished.get(state.index()).copied();
            (state.as_str(), count.unwrap_or_default())
        });
        let ended: Vec<_> = ended.collect();
        counters(page, "ended", "Tasks that ended", "state", &ended)?;
        let help = "Attempts that failed and were followed by another";
        counter(page, "retried", help, stats.retried)?;
        counter(page, "forgotten", "Finished tasks forgotten", stats.evicted)?;
        let help = "Results that came too late and were dropped";
        counter(page, "late", help, stats.stale_reports)
    }

    fn workers(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let states = [
            WorkerState::Idle,
            WorkerState::Busy,
            WorkerState::Stopping,
            WorkerState::Stuck,
        ];
        let workers = states.map(|state| {
            let those = self.workers.iter().filter(|worker| worker.state == state);
            (state.as_str(), those.count() as f64)
        });
        gauges(page, "workers", "Workers", "state", &workers)?;
        let wanted = self.stats.desired_workers as f64;
        gauge(page, "workers_wanted", "Workers asked for", wanted)
    }

    fn times(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let wait = "From being ready to being started, in seconds";
        histograms(page, "wait_seconds", wait, &self.histograms, |h| &h.wait)?;
        let run = "From being started to the end, in seconds";
        histograms(page, "run_seconds", run, &self.histograms, |h| &h.run)
    }

    fn keeping(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let keeping = &self.stats.storage;
        let help = "Bytes that tasks and results take";
        gauge(page, "kept_bytes", help, keeping.bytes as f64)?;
        let help = "Changes that are done and could not be saved yet";
        gauge(page, "unsaved_changes", help, self.stats.unsaved as f64)?;
        let Percentiles {
            count,
            p50,
            p99,
            max,
            ..
        } = keeping.commits;
        counter(page, "commits", "Commits to the task file", count)?;
        let times = [("0.5", p50), ("0.99", p99), ("1", max)];
        let times = times.map(|(quantile, time)| (quantile, time.as_secs_f64()));
        let help = "How long a commit took, in seconds";
        gauges(page, "commit_seconds", help, "quantile", &times)
    }
}

fn gauge(page: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    let metric = page.encode_descriptor(name, help, None, MetricType::Gauge)?;
    ConstGauge::new(value).encode(metric)
}

fn gauges(
    page: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    values: &[(&str, f64)],
) -> fmt::Result {
    let mut family = page.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (of, value) in values {
        let labels = [(label, *of)];
        ConstGauge::new(*value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn counter(page: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = page.encode_descriptor(name, help, None, MetricType::Counter)?;
    ConstCounter::new(value).encode(metric)
}

fn counters(
    page: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    values: &[(&str, u64)],
) -> fmt::Result {
    let mut family = page.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (of, value) in values {
        let labels = [(label, *of)];
        ConstCounter::new(*value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn histograms(
    page: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    names: &[NameHistograms],
    of: impl Fn(&NameHistograms) -> &Buckets,
) -> fmt::Result {
    let mut family = page.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for histograms in names {
        let labels = [("name", &*histograms.name)];
        histogram(family.encode_family(&labels)?, of(histograms))?;
    }
    Ok(())
}

fn histogram(mut metric: MetricEncoder<'_>, counts: &Buckets) -> fmt::Result {
    let bounds = BUCKET_BOUNDS.iter().map(std::time::Duration::as_secs_f64);
    let bounds = bounds.chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(counts.within.iter().copied()).collect();
    let count = counts.within.iter().sum();
    metric.encode_histogram::<NoLabelSet>(counts.seconds, count, &buckets, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_number_with_its_help() {
        let mut stats = Stats::default();
        stats.counts[State::Queued.index()] = 7;
        stats.finished[State::Succeeded.index()] = 41;
        let counts = Buckets {
            within: vec![1; BUCKET_BOUNDS.len() + 1],
            seconds: 2.5,
        };
        let histograms = vec![NameHistograms {
            name: "a\"b".into(),
            wait: counts.clone(),
            run: counts,
        }];
        let numbers = Numbers {
            stats,
            histograms,
            names: 3,
            calls: (9, 1),
            ..Numbers::default()
        };
        let text = numbers.text().expect("text");
        for line in [
            "distro_tui_tasks{state=\"queued\"} 7.0",
            "distro_tui_ended_total{state=\"succeeded\"} 41",
            "distro_tui_names 3.0",
            "distro_tui_calls_total{outcome=\"fault\"} 1",
            "distro_tui_run_seconds_sum{name=\"a\\\"b\"} 2.5",
            "distro_tui_run_seconds_bucket{le=\"+Inf\",name=\"a\\\"b\"} 15",
            "# TYPE distro_tui_wait_seconds histogram",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn the_documentation_names_every_metric() {
        let numbers = Numbers::default().text().expect("text");
        let of_type = |line: &str| {
            let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
            let total = if kind == "counter" { "_total" } else { "" };
            Some(format!("{name}{total}"))
        };
        let mut served: Vec<_> = numbers.lines().filter_map(of_type).collect();
        let page = include_str!("../../docs/metrics.md");
        let of_row = |line: &str| {
            let name = line.strip_prefix("| `")?.split(['`', '{']).next()?;
            Some(name.to_owned())
        };
        let mut documented: Vec<_> = page.lines().filter_map(of_row).collect();
        served.sort();
        documented.sort();
        assert_eq!(documented, served);
    }
}

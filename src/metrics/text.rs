//! Metrics as text in the OpenMetrics format.

use std::{fmt, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use crate::{
    health::{Finding, FindingKind},
    net::{naming::NameUsage, rpc::endpoint::EndpointUsage},
    queue::{
        stats::{BUCKET_BOUNDS, Buckets, NameHistograms, Percentiles, Stats},
        worker::{WorkerState, WorkerStatus},
    },
};

/// The values of all metrics at one moment.
#[derive(Debug, Default)]
pub(super) struct MetricsSnapshot {
    pub(super) stats: Stats,
    pub(super) workers: Vec<WorkerStatus>,
    pub(super) histograms: Vec<NameHistograms>,
    pub(super) names: NameUsage,
    pub(super) network_longest: Duration,
    pub(super) calls: (u64, u64),
    pub(super) peers: Option<EndpointUsage>,
    pub(super) findings: Vec<Finding>,
    /// Open connections, and refused ones by reason.
    pub(super) connections: usize,
    pub(super) refused: [(&'static str, u64); 3],
}

impl MetricsSnapshot {
    /// Encodes the metrics.
    pub(super) fn encode_text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("distro_tui");
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for MetricsSnapshot {
    fn encode(&self, mut page: DescriptorEncoder<'_>) -> fmt::Result {
        self.tasks(&mut page)?;
        self.workers(&mut page)?;
        self.times(&mut page)?;
        self.storage(&mut page)?;
        let page = &mut page;
        let names = self.names;
        gauge(page, "names", "Registered names", names.names as f64)?;
        let help = "Bytes of registered names with their URIs and tags";
        gauge(page, "name_bytes", help, names.bytes as f64)?;
        let help = "Longest time for which the network thread kept calls waiting, in seconds";
        let longest = self.network_longest.as_secs_f64();
        gauge(page, "network_longest_seconds", help, longest)?;
        let (succeeded, failed) = self.calls;
        let calls = [("ok", succeeded), ("error", failed)];
        counters(
            page,
            "calls",
            "Completed calls of objects",
            "outcome",
            &calls,
        )?;
        let help = "Open connections, in both directions";
        gauge(page, "connections", help, self.connections as f64)?;
        let help = "Incoming connections that were refused";
        counters(page, "connections_refused", help, "reason", &self.refused)?;
        self.peers(page)?;
        let findings = FindingKind::ALL.map(|kind| {
            let listed = self.findings.iter().filter(|finding| finding.kind == kind);
            (kind.as_str(), listed.count() as f64)
        });
        let help = "What is wrong with the node, by kind; 0 where nothing is";
        gauges(page, "findings", help, "kind", &findings)
    }
}

impl MetricsSnapshot {
    fn tasks(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let stats = &self.stats;
        let states = stats.by_state();
        let states: Vec<_> = states
            .map(|(state, count)| (state.as_str(), count as f64))
            .collect();
        gauges(page, "tasks", "Stored tasks", "state", &states)?;
        let oldest = stats.oldest_ready.unwrap_or_default().as_secs_f64();
        let help = "Time for which the oldest ready task has been waiting, in seconds";
        gauge(page, "oldest_ready_seconds", help, oldest)?;
        let paused = f64::from(u8::from(stats.paused));
        gauge(page, "paused", "1 while all queues are paused", paused)?;
        counter(page, "submitted", "Submitted tasks", stats.submitted)?;
        let help = "Submits that found an unfinished task with the same unique key";
        counter(page, "deduplicated", help, stats.duplicates)?;
        let finished = stats.finished_by_state();
        let finished: Vec<_> = finished
            .map(|(state, count)| (state.as_str(), count))
            .collect();
        counters(page, "finished", "Finished tasks", "state", &finished)?;
        let help = "Failed attempts that were retried";
        counter(page, "retried", help, stats.retried)?;
        let help = "Finished tasks that were purged or removed by the retention limits";
        counter(page, "evicted", help, stats.evicted)?;
        let help = "Reports of earlier runs that arrived too late and were dropped";
        counter(page, "stale_reports", help, stats.stale_reports)
    }

    fn workers(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let states = [
            WorkerState::Idle,
            WorkerState::Busy,
            WorkerState::Stopping,
            WorkerState::Stuck,
        ];
        let workers = states.map(|state| {
            let workers = self.workers.iter().filter(|worker| worker.state == state);
            (state.as_str(), workers.count() as f64)
        });
        gauges(page, "workers", "Workers", "state", &workers)?;
        let desired = self.stats.desired_workers as f64;
        gauge(
            page,
            "workers_desired",
            "Desired number of workers",
            desired,
        )
    }

    fn times(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let wait = "Time from ready to started, in seconds";
        histograms(page, "wait_seconds", wait, &self.histograms, |h| &h.wait)?;
        let run = "Time from started to finished, in seconds";
        histograms(page, "run_seconds", run, &self.histograms, |h| &h.run)
    }

    fn storage(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Some(storage) = &self.stats.storage else {
            return Ok(());
        };
        let help = "Size of stored tasks and results, in bytes";
        gauge(page, "storage_bytes", help, storage.bytes as f64)?;
        let help = "Changes that could not be stored yet";
        gauge(
            page,
            "unpersisted_changes",
            help,
            storage.unpersisted as f64,
        )?;
        let Percentiles {
            count,
            p50,
            p99,
            max,
            ..
        } = storage.commits;
        counter(page, "commits", "Commits to the task file", count)?;
        let times = [("0.5", p50), ("0.99", p99), ("1", max)];
        let times = times.map(|(quantile, time)| (quantile, time.as_secs_f64()));
        let help = "Duration of a commit, in seconds";
        gauges(page, "commit_seconds", help, "quantile", &times)
    }
}

impl MetricsSnapshot {
    fn peers(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Some(usage) = &self.peers else {
            return Ok(());
        };
        let EndpointUsage {
            used, connections, ..
        } = usage;
        let help = "Incoming handshakes in progress";
        gauge(page, "handshakes", help, connections.handshaking as f64)?;
        let help = "Calls in flight";
        gauge(page, "calls_in_flight", help, used.calls as f64)?;
        let help = "Size of large requests and unsent replies, in bytes";
        gauge(page, "call_bytes", help, used.call_bytes as f64)?;
        let help = "Connections and calls that were refused at a quota";
        counter(page, "quota_refusals", help, usage.refused)
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
    let bounds = BUCKET_BOUNDS.iter().map(Duration::as_secs_f64);
    let bounds = bounds.chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(counts.within.iter().copied()).collect();
    let count = counts.within.iter().sum();
    metric.encode_histogram::<NoLabelSet>(counts.seconds, count, &buckets, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        net::{
            rpc::endpoint::{ConnectionStats, KeyUsage, PeerLimits},
            trust::members::JoinLimits,
        },
        queue::{state::State, stats::StorageStats},
    };

    fn usage() -> EndpointUsage {
        EndpointUsage {
            used: KeyUsage {
                calls: 4,
                ..KeyUsage::default()
            },
            limits: PeerLimits::DEFAULT,
            join_limits: JoinLimits::default(),
            connections: ConnectionStats {
                open: 5,
                handshaking: 1,
                proved: 0,
                retried: 0,
                denied: 6,
                busy: 0,
                evicted: 0,
            },
            refused: 2,
        }
    }

    #[test]
    fn the_text_has_every_metric() {
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
        let text = MetricsSnapshot::default().encode_text().expect("text");
        assert!(!text.contains("storage"), "this engine has none: {text}");
        stats.storage = Some(StorageStats {
            bytes: 5,
            ..StorageStats::default()
        });
        let metrics = MetricsSnapshot {
            stats,
            histograms,
            names: NameUsage { names: 3, bytes: 9 },
            calls: (9, 1),
            peers: Some(usage()),
            ..MetricsSnapshot::default()
        };
        let text = metrics.encode_text().expect("text");
        for line in [
            "distro_tui_tasks{state=\"queued\"} 7.0",
            "distro_tui_finished_total{state=\"succeeded\"} 41",
            "distro_tui_storage_bytes 5.0",
            "distro_tui_names 3.0",
            "distro_tui_calls_in_flight 4.0",
            "distro_tui_quota_refusals_total 2",
            "distro_tui_calls_total{outcome=\"error\"} 1",
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
        let mut metrics = MetricsSnapshot {
            peers: Some(usage()),
            ..MetricsSnapshot::default()
        };
        metrics.stats.storage = Some(StorageStats::default());
        let metrics = metrics.encode_text().expect("text");
        let of_type = |line: &str| {
            let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
            let total = if kind == "counter" { "_total" } else { "" };
            Some(format!("{name}{total}"))
        };
        let mut served: Vec<_> = metrics.lines().filter_map(of_type).collect();
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

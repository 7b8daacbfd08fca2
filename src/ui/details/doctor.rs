//! The doctor report: durability, persistence, retention, workers and totals.

use crate::{
    text::{fmt_count, fmt_duration, pluralize},
    ui::{model::Model, theme::StyleRole},
    units::fmt_bytes,
};

/// Returns labels and texts with their roles.
pub(super) fn rows(model: &Model) -> Vec<(String, String, StyleRole)> {
    let overview = &model.data().overview;
    let stats = &overview.stats;
    let keeping = &stats.storage;
    let durability = format!(
        "{}: {}",
        keeping.durability,
        keeping.durability.description()
    );
    let persistence = match &stats.persist_error {
        Some(why) => (
            format!(
                "{} not saved: {why}",
                pluralize(stats.unpersisted, "change")
            ),
            StyleRole::Bad,
        ),
        None => ("every change is saved".to_owned(), StyleRole::Good),
    };
    let workers = format!(
        "{} of {} active, {} stuck",
        overview.active, overview.desired_workers, stats.stuck
    );
    let degraded = stats.stuck > 0 || overview.active < overview.desired_workers;
    let commits = keeping.commits;
    let commits = match commits.count {
        0 => "none yet".to_owned(),
        n => format!(
            "{}, p50 {}, p99 {}, slowest {}",
            fmt_count(usize::try_from(n).unwrap_or(usize::MAX)),
            fmt_duration(commits.p50),
            fmt_duration(commits.p99),
            fmt_duration(commits.max)
        ),
    };
    let size = format!(
        "{}; retention limit {} or {} finished tasks",
        fmt_bytes(keeping.bytes),
        fmt_bytes(keeping.limit),
        fmt_count(stats.retention_limit)
    );
    let number = |n: u64| fmt_count(usize::try_from(n).unwrap_or(usize::MAX));
    let totals = format!(
        "{} submitted, {} deduplicated, {} retries, {} evicted, {} stale reports",
        number(stats.submitted),
        number(stats.duplicates),
        number(stats.retried),
        number(stats.evicted),
        number(stats.stale_reports)
    );
    let role = if degraded {
        StyleRole::Bad
    } else {
        StyleRole::Good
    };
    let node = match &model.disconnected {
        Some(lost) => (format!("unreachable: {}", lost.why), StyleRole::Bad),
        None => {
            let about = &model.about;
            let text = format!("{} at {}, as {}", about.fingerprint, about.addr, about.role);
            (text, StyleRole::Good)
        }
    };
    [
        ("node", node.0, node.1),
        ("engine", model.about.engine.clone(), StyleRole::Text),
        ("durability", durability, StyleRole::Strong),
        ("persistence", persistence.0, persistence.1),
        ("size", size, StyleRole::Text),
        ("commits", commits, StyleRole::Text),
        ("workers", workers, role),
        ("totals", totals, StyleRole::Text),
    ]
    .map(|(label, text, role)| (label.to_owned(), text, role))
    .into()
}

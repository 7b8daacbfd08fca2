//! The doctor report: durability, persistence, retention, workers and totals, and the findings of the node.

use crate::{
    health::{Finding, Severity},
    queue::stats::StorageStats,
    text::{fmt_count, fmt_duration, pluralize},
    ui::{model::Model, theme::StyleRole},
    units::fmt_bytes,
};

/// Returns labels and texts with their roles.
pub(super) fn rows(model: &Model) -> Vec<(String, String, StyleRole)> {
    let overview = &model.data().overview;
    let stats = &overview.stats;
    let workers = format!(
        "{} of {} active, {} stuck",
        overview.active,
        overview.desired_workers(),
        stats.stuck
    );
    let degraded = stats.stuck > 0 || overview.active < overview.desired_workers();
    let number = super::fmt_number;
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
    let node = match model.loss() {
        Some(lost) => (format!("unreachable: {}", lost.why), StyleRole::Bad),
        None => {
            let header = &model.header;
            let text = format!(
                "{} at {}, as {}",
                header.fingerprint, header.addr, header.role
            );
            (text, StyleRole::Good)
        }
    };
    let engine = model.header.engine.clone();
    let mut rows = vec![
        ("node", node.0, node.1),
        ("engine", engine, StyleRole::Text),
    ];
    if let Some(storage) = &stats.storage {
        rows.extend(storage_rows(storage));
    }
    rows.push(("workers", workers, role));
    rows.push(("totals", totals, StyleRole::Text));
    // The findings are those of `distro-tui doctor`.
    match model.health.findings.as_slice() {
        [] => rows.push(("findings", "none".to_owned(), StyleRole::Good)),
        findings => rows.extend(findings.iter().flat_map(finding_rows)),
    }
    let rows = rows.into_iter();
    rows.map(|(label, text, role)| (label.to_owned(), text, role))
        .collect()
}

/// The rows of a finding: its text, and the next step.
fn finding_rows(finding: &Finding) -> [(&'static str, String, StyleRole); 2] {
    let severity = finding.kind.severity();
    let role = match severity {
        Severity::Error => StyleRole::Bad,
        Severity::Warning => StyleRole::Warn,
    };
    let next_step = finding.kind.next_step().to_owned();
    [
        (severity.as_str(), finding.text.clone(), role),
        ("", next_step, StyleRole::Dim),
    ]
}

fn storage_rows(storage: &StorageStats) -> [(&'static str, String, StyleRole); 4] {
    let durability = format!(
        "{}: {}",
        storage.durability,
        storage.durability.description()
    );
    let persistence = match &storage.persist_error {
        Some(why) => {
            let unpersisted = pluralize(storage.unpersisted, "change");
            (format!("{unpersisted} not saved: {why}"), StyleRole::Bad)
        }
        None => ("every change is saved".to_owned(), StyleRole::Good),
    };
    let size = format!(
        "{}; retention limit {} or {} finished tasks",
        fmt_bytes(storage.bytes),
        fmt_bytes(storage.byte_limit),
        fmt_count(storage.count_limit)
    );
    let commits = storage.commits;
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
    [
        ("durability", durability, StyleRole::Strong),
        ("persistence", persistence.0, persistence.1),
        ("size", size, StyleRole::Text),
        ("commits", commits, StyleRole::Text),
    ]
}

//! How tasks are kept, what that risks, and whether all is well.

use crate::{
    queue::embedded::store::Durability,
    text::{fmt_count, fmt_duration},
    ui::{model::Model, theme::StyleRole},
    units::show_bytes,
};

/// Labels, texts and their roles.
pub(super) fn lines(model: &Model) -> Vec<(String, String, StyleRole)> {
    let overview = &model.data().overview;
    let stats = &overview.stats;
    let keeping = &stats.keeping;
    let durability = Durability::ALL
        .into_iter()
        .find(|durability| durability.word() == keeping.durability);
    let kept = durability.map_or(keeping.durability.to_string(), |durability| {
        format!("{}: {}", durability.word(), durability.risk())
    });
    let saving = match &stats.trouble {
        Some(why) => (
            format!(
                "{} changes wait to be saved: {why}",
                fmt_count(stats.unsaved)
            ),
            StyleRole::Bad,
        ),
        None => ("everything is saved".to_owned(), StyleRole::Good),
    };
    let workers = format!(
        "{} of {} work, {} stuck",
        overview.active, overview.wanted, stats.stuck
    );
    let sick = stats.stuck > 0 || overview.active < overview.wanted;
    let commits = keeping.commits;
    let times = match commits.count {
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
        "{}; over {} or {} finished tasks the oldest are forgotten",
        show_bytes(keeping.bytes),
        show_bytes(keeping.limit),
        fmt_count(stats.retained_limit)
    );
    let number = |n: u64| fmt_count(usize::try_from(n).unwrap_or(usize::MAX));
    let since = format!(
        "{} submitted, {} met a living one with their key, {} tries repeated, {} forgotten, {} late",
        number(stats.submitted),
        number(stats.duplicates),
        number(stats.retried),
        number(stats.forgotten),
        number(stats.late)
    );
    let role = if sick {
        StyleRole::Bad
    } else {
        StyleRole::Good
    };
    let node = match &model.lost {
        Some(lost) => (format!("cannot be reached: {}", lost.why), StyleRole::Bad),
        None => {
            let about = &model.about;
            let text = format!("{} at {}, as {}", about.fingerprint, about.addr, about.role);
            (text, StyleRole::Good)
        }
    };
    [
        ("node", node.0, node.1),
        ("engine", model.about.engine.clone(), StyleRole::Text),
        ("keeps", kept, StyleRole::Strong),
        ("saving", saving.0, saving.1),
        ("size", size, StyleRole::Text),
        ("commits", times, StyleRole::Text),
        ("workers", workers, role),
        ("so far", since, StyleRole::Text),
    ]
    .map(|(label, text, role)| (label.to_owned(), text, role))
    .into()
}

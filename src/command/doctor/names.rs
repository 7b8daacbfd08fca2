//! Checks of names, here and at the upstreams, and of the network thread that serves them.

use std::time::{Duration, Instant};

use super::{RESTART, Report};
use crate::{
    net::{
        naming::{NameQuery, Record, ShareRule},
        trust::role::Role,
        uri::Uri,
    },
    node::{NodeHandle, UpstreamStatus},
    text::{fmt_count, fmt_duration, pluralize},
    units::fmt_bytes,
};

pub(super) async fn check_names(node: &NodeHandle, report: &mut Report) {
    match node
        .naming(|naming| async move { naming.ping().await })
        .await
    {
        Ok(time) => report.ok(
            "naming server",
            format!("replies in {}", fmt_duration(time)),
        ),
        Err(error) => report.error("naming server", error.to_string(), RESTART),
    }
    let since = Instant::now();
    match node.greet("doctor").await {
        Ok(_) => {
            let text = format!("replies in {}", fmt_duration(since.elapsed()));
            report.ok("greeter", text);
        }
        Err(error) => report.error(
            "greeter",
            error.to_string(),
            "see who has registered it with distro-tui names lookup server",
        ),
    }
    let query = NameQuery::default();
    let listed = node
        .naming(|naming| async move { naming.list(&query).await })
        .await;
    let Ok(listed) = listed else { return };
    check_shared(node, &listed.records, report);
    let remote = !node.info().addr.ip().is_loopback();
    for record in listed.records {
        let loopback = matches!(record.uri, Uri::Distro { addr, .. } if addr.ip().is_loopback());
        let own = record.owner == node.info().key;
        if loopback && remote && !own {
            let text = format!(
                "{} is registered at {}, a loopback address that only its own machine can reach",
                record.name, record.uri
            );
            let next_step = "start the node that registers it with --listen 0.0.0.0:PORT";
            report.warning("name", text, next_step);
        }
    }
}

/// Lists the names of the node that others may register under too.
fn check_shared(node: &NodeHandle, records: &[Record], report: &mut Report) {
    let own = node.info().key;
    let shared = records
        .iter()
        .filter(|record| record.owner == own && record.share != ShareRule::Owner);
    for record in shared {
        let servers = records.iter().filter(|other| other.name == record.name);
        let text = format!(
            "{} is shared with {}: {}",
            record.name,
            record.share,
            pluralize(servers.count(), "server")
        );
        let next_step = "to keep it to yourself run distro-tui names share NAME owner";
        report.choice("shared name", text, next_step);
    }
}

/// Lists the names that an upstream does not share with the node.
fn check_taken(upstream: &UpstreamStatus, report: &mut Report) {
    for (name, state) in &upstream.names {
        if state.starts_with("taken") {
            let text = format!("{name} at {}: {state}", upstream.key.fingerprint());
            let next_step = "clients there find this node by its own names; to share one, its owner runs \
                             distro-tui names share NAME members";
            report.choice("taken name", text, next_step);
        }
    }
}

pub(super) async fn check_upstreams(node: &NodeHandle, report: &mut Report) {
    match node.upstreams().await {
        Ok(upstreams) => {
            let joined = pluralize(upstreams.len(), "node");
            report.ok("upstreams", format!("{joined} joined"));
            for upstream in &upstreams {
                check_taken(upstream, report);
            }
        }
        // Only members may list them.
        Err(_) if node.info().role < Role::Member => {}
        Err(error) => report.error("upstreams", error.to_string(), RESTART),
    }
}

/// Shows the delays of calls and the use of the limits of names.
pub(super) async fn check_status(node: &NodeHandle, report: &mut Report) {
    // Only members may ask, and a node of an earlier version does not say.
    let Ok(status) = node.status().await else {
        return;
    };
    let longest = fmt_duration(Duration::from_micros(status.network_longest_us));
    report.ok(
        "network",
        format!("calls waited at most {longest} for the network thread"),
    );
    let Some(names) = status.names else { return };
    report.ok(
        "names",
        format!(
            "{} of at most {}, {}; each key may register {} with {}",
            fmt_count(names.usage.names),
            fmt_count(names.max.names),
            fmt_bytes(names.usage.bytes as u64),
            fmt_count(names.quota.names),
            fmt_bytes(names.quota.bytes as u64),
        ),
    );
}

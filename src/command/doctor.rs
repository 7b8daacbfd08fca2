//! `doctor`: checks of everything that can prevent a node from working.

mod names;

use std::{process::ExitCode, time::Duration};

use serde::Serialize;

use super::{CmdError, CmdResult, Ctx, output::Output};
use crate::{
    cli::DoctorArgs,
    health::{self, Finding, Severity},
    json::time,
    net::trust::{identity::Identity, role::Role},
    node::{self, Locality, NodeHandle, Session},
    queue::{
        clock::Timestamp,
        stats::{Stats, StorageStats},
    },
    text::pluralize,
    units::fmt_bytes,
};

/// The used share of a quota from which there is a warning.
const NEAR_QUOTA: f64 = 0.9;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warning,
    Error,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Check {
    check: &'static str,
    status: Status,
    found: String,
    /// The next step; absent if all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_step: Option<&'static str>,
    /// The time of the first report of a finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
}

#[derive(Default)]
struct Report(Vec<Check>);

impl Report {
    fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.0.push(Check {
            check,
            status: Status::Ok,
            found: found.into(),
            next_step: None,
            since: None,
        });
    }

    /// Adds something that is as it should be, and can be changed.
    fn choice(&mut self, check: &'static str, found: impl Into<String>, next_step: &'static str) {
        self.problem(check, Status::Ok, found, next_step);
    }

    fn warning(&mut self, check: &'static str, found: impl Into<String>, next_step: &'static str) {
        self.problem(check, Status::Warning, found, next_step);
    }

    fn error(&mut self, check: &'static str, found: impl Into<String>, next_step: &'static str) {
        self.problem(check, Status::Error, found, next_step);
    }

    fn problem(
        &mut self,
        check: &'static str,
        status: Status,
        found: impl Into<String>,
        next_step: &'static str,
    ) {
        self.0.push(Check {
            check,
            status,
            found: found.into(),
            next_step: Some(next_step),
            since: None,
        });
    }

    fn finding(&mut self, finding: Finding) {
        let again = match finding.count {
            0 | 1 => String::new(),
            n => format!(" ({n} times)"),
        };
        self.0.push(Check {
            check: finding.kind.as_str(),
            status: match finding.kind.severity() {
                Severity::Warning => Status::Warning,
                Severity::Error => Status::Error,
            },
            found: format!("{}{again}", finding.text),
            next_step: Some(finding.kind.next_step()),
            since: time(Timestamp(finding.since)),
        });
    }
}

pub(super) fn run(ctx: &Ctx<'_>, args: &DoctorArgs) -> CmdResult {
    if args.acknowledge {
        return acknowledge(ctx);
    }
    let mut report = Report::default();
    let folder = ctx.settings.data_dir();
    report.ok("data folder", folder.display().to_string());
    match Identity::load_or_generate(folder) {
        Ok(identity) => report.ok("key", identity.public().to_string()),
        Err(error) => report.error(
            "key",
            error.to_string(),
            "correct the file, or move it away for a new key; nodes that know the old key must be joined again",
        ),
    }
    match ctx.session() {
        Err(error @ CmdError::BrokenPipe) => return Err(error),
        Err(error) => {
            report.error(
                "node",
                error.to_string(),
                "start it with distro-tui serve, or name another one with --connect",
            );
            // Nobody else can report them now.
            if ctx.options.connect.is_none() {
                for finding in health::stored(folder) {
                    report.finding(finding);
                }
            }
        }
        Ok(session) => {
            let net = session.net();
            let report = &mut report;
            net.block_on(async move {
                check_session(&session, report).await;
                session.end(Duration::ZERO).await;
            });
        }
    }
    print(&report.0, ctx.output())
}

/// Acknowledges the losses at the node or, if none runs, in the data folder.
fn acknowledge(ctx: &Ctx<'_>) -> CmdResult {
    #[derive(Serialize)]
    struct AcknowledgedJson {
        acknowledged: usize,
    }
    let requested = ctx.with_session(|session| async move {
        let acknowledged = session.handle().acknowledge().await;
        (session, acknowledged.map_err(CmdError::from))
    });
    let acknowledged = match requested {
        Err(CmdError::Unreachable(_)) if ctx.options.connect.is_none() => {
            let folder = ctx.settings.data_dir();
            let acknowledged = health::acknowledge_stored(folder);
            acknowledged.map_err(|error| CmdError::file(folder, error))?
        }
        requested => requested?,
    };
    let sentence = format!("{} acknowledged", pluralize(acknowledged, "finding"));
    let json = AcknowledgedJson { acknowledged };
    Ok(ctx.output().print_result(&json, &sentence)?)
}

async fn check_session(session: &Session, report: &mut Report) {
    let node = session.handle();
    let info = node.info();
    let locality = match info.locality {
        Locality::InProcess => "in this process",
        Locality::LocalProcess => "on this data folder",
        Locality::Remote => "on another machine",
    };
    let text = format!(
        "{} at {}, {locality}, as {}",
        info.key.fingerprint(),
        info.addr,
        info.role
    );
    report.ok("node", text);
    check_address(&node, report).await;
    check_peers(&node, report).await;
    names::check_names(&node, report).await;
    check_broker(&node, report).await;
    names::check_upstreams(&node, report).await;
    names::check_status(&node, report).await;
    check_findings(&node, report).await;
}

/// The next step where a part of the node does not reply.
const RESTART: &str = "look at the node's log, and restart it";

/// Checks that the advertised addresses are reachable from other machines.
async fn check_address(node: &NodeHandle, report: &mut Report) {
    let me = node
        .members(|members| async move { members.who_am_i().await })
        .await;
    match me {
        Ok(me) => {
            let addrs: Vec<_> = me.addrs.iter().map(ToString::to_string).collect();
            let addrs = addrs.join(", ");
            if node::loopback_warning(&me.addrs).is_some() {
                report.warning(
                    "address",
                    format!("{addrs}: only this machine can reach it"),
                    "if others should join, start it with --listen 0.0.0.0:PORT, or with --advertise ADDR:PORT if \
                     that address is forwarded here",
                );
            } else {
                report.ok("address", addrs);
            }
            let version = env!("CARGO_PKG_VERSION");
            if me.version == version {
                report.ok("version", version);
            } else {
                let text = format!("{} on the node, {version} in this program", me.version);
                report.warning("version", text, "run the same version everywhere");
            }
        }
        Err(error) => report.error("address", error.to_string(), RESTART),
    }
}

/// Reports what peers use of the node, and the limits.
async fn check_peers(node: &NodeHandle, report: &mut Report) {
    let usage = node
        .members(|members| async move { members.usage().await })
        .await;
    match usage {
        Ok(usage) => {
            let (used, limits) = (usage.used, usage.limits);
            report.ok(
                "peers",
                format!(
                    "{} of {} connections ({} of one key), {} (limit {} of one key), {} of {} in large \
                     calls ({} of one key), {} refused at a quota",
                    used.connections,
                    limits.connections,
                    limits.connections_per_key,
                    pluralize(used.calls, "call"),
                    limits.calls_per_key,
                    fmt_bytes(used.call_bytes as u64),
                    fmt_bytes(2 * limits.call_bytes as u64),
                    fmt_bytes(2 * limits.call_bytes_per_key as u64),
                    usage.refused,
                ),
            );
            let joins = usage.join_limits;
            report.ok(
                "joins",
                format!(
                    "limits of {} with one ticket and {} in a minute",
                    joins.per_ticket, joins.per_minute
                ),
            );
        }
        // Only members may read it.
        Err(_) if node.info().role < Role::Member => {}
        Err(error) => report.error("peers", error.to_string(), RESTART),
    }
}

async fn check_broker(node: &NodeHandle, report: &mut Report) {
    let broker = node.broker();
    match broker.stats().await {
        Ok(stats) => {
            let (engine, workers) = (broker.engine(), pluralize(stats.desired_workers, "worker"));
            let engine = match engine {
                "embedded" => "embedded engine (part of the node)".to_owned(),
                engine => format!("engine {engine}"),
            };
            let text = match &stats.storage {
                Some(storage) => format!("{engine}, durability {}, {workers}", storage.durability),
                None => format!("{engine}, {workers}"),
            };
            report.ok("broker", text);
            // The node reports the contrary itself, as a finding.
            if stats.storage.iter().all(|s| s.persist_error.is_none()) {
                report.ok("persistence", "every change is saved");
            }
            stats
                .storage
                .iter()
                .for_each(|storage| check_file(storage, report));
            check_workers(&stats, report);
            check_quotas(&stats, report);
        }
        Err(error) => report.error("broker", error.to_string(), RESTART),
    }
}

/// Reports the last check of the task file. Damage is a finding of the node.
fn check_file(storage: &StorageStats, report: &mut Report) {
    match storage.last_check {
        _ if !storage.durability.is_durable() => {}
        None => report.ok("task file", "the first check has not ended yet"),
        Some(check) if !check.damaged && check.changed == 0 => {
            report.ok("task file", "no damage at the last check");
        }
        Some(_) => {}
    }
}

/// Names the member that is closest to its quota of unfinished tasks.
fn check_quotas(stats: &Stats, report: &mut Report) {
    let Some(most) = stats
        .members
        .iter()
        .max_by(|a, b| a.share().total_cmp(&b.share()))
    else {
        return report.ok("quotas", "no member has unfinished tasks");
    };
    let key: String = most.member.chars().take(16).collect();
    let found = format!(
        "member {key} has the most: {} of {}, {} of {}",
        pluralize(most.tasks, "unfinished task"),
        most.task_limit,
        fmt_bytes(most.bytes),
        fmt_bytes(most.byte_limit)
    );
    if most.share() < NEAR_QUOTA {
        report.ok("quotas", found);
    } else {
        let next_step = "change member-tasks or member-bytes if the member needs more";
        report.warning("quotas", found, next_step);
    }
}

fn check_workers(stats: &Stats, report: &mut Report) {
    match stats.stuck {
        0 if stats.desired_workers == 0 => report.warning(
            "workers",
            "no workers: tasks are queued and do not run",
            "start some with distro-tui workers scale COUNT",
        ),
        0 => report.ok("workers", "no stuck worker"),
        n => report.error(
            "workers",
            format!("{} stuck", pluralize(n, "worker")),
            "see which task blocks it with distro-tui workers list, and restart the node to end it",
        ),
    }
}

async fn check_findings(node: &NodeHandle, report: &mut Report) {
    match node.findings().await {
        Ok(findings) => {
            for finding in findings {
                report.finding(finding);
            }
        }
        Err(_) if node.info().role < Role::Member => {
            report.ok("findings", "listed for members only; this is a reader");
        }
        Err(error) => report.error("findings", error.to_string(), RESTART),
    }
}

fn print(checks: &[Check], mut out: Output) -> CmdResult {
    if out.json {
        out.document(checks)?;
    } else {
        let labels = checks.iter().map(|check| check.check.chars().count());
        let wide = labels.max().unwrap_or_default();
        for check in checks {
            let word = match check.status {
                Status::Ok => "ok",
                Status::Warning => "warning",
                Status::Error => "ERROR",
            };
            let label = check.check.replace('_', " ");
            out.line(&format!("{word:7}  {label:wide$}  {}", check.found))?;
            if let Some(next_step) = check.next_step {
                out.line(&format!("{:7}  {:wide$}  → {next_step}", "", ""))?;
            }
        }
    }
    out.flush()?;
    let failed = checks.iter().any(|check| check.status == Status::Error);
    Ok(ExitCode::from(u8::from(failed)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{FindingKind, Findings};

    #[test]
    fn a_finding_is_a_check_with_its_next_step() {
        let findings = Findings::default();
        let kind = FindingKind::TasksNotPersisted;
        findings.report(kind, "", "changes to tasks cannot be stored: no space");
        findings.report(kind, "", "changes to tasks cannot be stored: no space");
        let mut report = Report::default();
        for finding in findings.list() {
            report.finding(finding);
        }
        let [check] = &report.0[..] else {
            panic!("{:?}", report.0);
        };
        assert_eq!(
            (check.check, check.status),
            ("tasks_not_persisted", Status::Error)
        );
        assert_eq!(
            check.found,
            "changes to tasks cannot be stored: no space (2 times)"
        );
        assert_eq!(check.next_step, Some(kind.next_step()));
        assert!(check.since.is_some());
    }
}

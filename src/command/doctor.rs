//! `doctor`: checks of everything that can prevent a node from working.

use std::{process::ExitCode, time::Instant};

use serde::Serialize;

use super::{CmdError, CmdResult, Ctx, output::Output};
use crate::{
    net::trust::identity::Identity,
    node::{self, Locality, NodeHandle, Session},
    text::{fmt_duration, pluralize},
};

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warning,
    Error,
}

#[derive(Serialize)]
struct Check {
    check: &'static str,
    status: Status,
    found: String,
}

struct Report(Vec<Check>);

impl Report {
    fn add(&mut self, check: &'static str, status: Status, found: impl Into<String>) {
        let found = found.into();
        self.0.push(Check {
            check,
            status,
            found,
        });
    }
}

pub(super) fn run(ctx: &Ctx<'_>) -> CmdResult {
    let mut report = Report(Vec::new());
    let settings = ctx.settings;
    let folder = &settings.node.data_dir;
    report.add("data folder", Status::Ok, folder.display().to_string());
    match Identity::load_or_generate(folder) {
        Ok(identity) => report.add("key", Status::Ok, identity.public().to_string()),
        Err(error) => report.add("key", Status::Error, error.to_string()),
    }
    match ctx.session() {
        Err(error) => {
            if matches!(error, CmdError::BrokenPipe) {
                return Err(error);
            }
            report.add("node", Status::Error, error.to_string());
        }
        Ok(session) => {
            let net = session.net();
            let report = &mut report;
            net.block_on(async move {
                check_session(&session, report).await;
                session.end(std::time::Duration::ZERO).await;
            });
        }
    }
    print(&report.0, ctx.output())
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
    report.add("node", Status::Ok, text);
    check_address(&node, report).await;
    check_names(&node, report).await;
    check_broker(&node, report).await;
}

/// Checks that the advertised addresses are reachable from other machines.
async fn check_address(node: &NodeHandle, report: &mut Report) {
    let me = node
        .members(|members| async move { members.who_am_i().await })
        .await;
    match me {
        Ok(me) => {
            let addrs: Vec<_> = me.addrs.iter().map(ToString::to_string).collect();
            let addrs = addrs.join(", ");
            match node::loopback_warning(&me.addrs) {
                Some(warning) => {
                    report.add("address", Status::Warning, format!("{addrs}: {warning}"));
                }
                None => report.add("address", Status::Ok, addrs),
            }
            let version = env!("CARGO_PKG_VERSION");
            if me.version == version {
                report.add("version", Status::Ok, version);
            } else {
                let text = format!("{} on the node, {version} in this program", me.version);
                report.add("version", Status::Warning, text);
            }
        }
        Err(error) => report.add("address", Status::Error, error.to_string()),
    }
}

async fn check_names(node: &NodeHandle, report: &mut Report) {
    match node
        .naming(|naming| async move { naming.ping().await })
        .await
    {
        Ok(time) => report.add(
            "naming server",
            Status::Ok,
            format!("replies in {}", fmt_duration(time)),
        ),
        Err(error) => report.add("naming server", Status::Error, error.to_string()),
    }
    let since = Instant::now();
    match node.greet("doctor").await {
        Ok(_) => {
            let text = format!("replies in {}", fmt_duration(since.elapsed()));
            report.add("greeter", Status::Ok, text);
        }
        Err(error) => report.add("greeter", Status::Error, error.to_string()),
    }
    let query = crate::net::naming::NameQuery::default();
    let listed = node
        .naming(|naming| async move { naming.list(&query).await })
        .await;
    let Ok(listed) = listed else { return };
    let remote = !node.info().addr.ip().is_loopback();
    for record in listed.records {
        let loopback = matches!(
            record.uri,
            crate::net::uri::Uri::Distro { addr, .. } if addr.ip().is_loopback()
        );
        let own = record.owner == node.info().key;
        if loopback && remote && !own {
            let text = format!(
                "{} is registered at {}, a loopback address that only its own machine can reach; start it with \
                 --listen 0.0.0.0:PORT",
                record.name, record.uri
            );
            report.add("name", Status::Warning, text);
        }
    }
}

async fn check_broker(node: &NodeHandle, report: &mut Report) {
    let broker = node.broker();
    match broker.stats().await {
        Ok(stats) => {
            let (engine, workers) = (broker.engine(), pluralize(stats.desired_workers, "worker"));
            let text = match &stats.storage {
                Some(storage) => format!("{engine}, durability {}, {workers}", storage.durability),
                None => format!("{engine}, {workers}"),
            };
            report.add("broker", Status::Ok, text);
            if let Some(storage) = &stats.storage {
                match &storage.persist_error {
                    Some(why) => report.add("persistence", Status::Error, why.clone()),
                    None => report.add("persistence", Status::Ok, "every change is saved"),
                }
            }
            match stats.stuck {
                0 if stats.desired_workers == 0 => {
                    report.add(
                        "workers",
                        Status::Warning,
                        "no workers: tasks are queued and do not run",
                    );
                }
                0 => report.add("workers", Status::Ok, "no stuck worker"),
                n => report.add(
                    "workers",
                    Status::Error,
                    format!("{} stuck", pluralize(n, "worker")),
                ),
            }
        }
        Err(error) => report.add("broker", Status::Error, error.to_string()),
    }
}

fn print(checks: &[Check], mut out: Output) -> CmdResult {
    if out.json {
        out.document(checks)?;
    } else {
        let row = |check: &Check| {
            let word = match check.status {
                Status::Ok => "ok",
                Status::Warning => "warning",
                Status::Error => "ERROR",
            };
            vec![word.to_owned(), check.check.to_owned(), check.found.clone()]
        };
        for check in checks.iter().map(row) {
            out.line(&format!("{:7}  {:13}  {}", check[0], check[1], check[2]))?;
        }
    }
    out.flush()?;
    let failed = checks.iter().any(|check| check.status == Status::Error);
    Ok(ExitCode::from(u8::from(failed)))
}

//! `doctor`: what could keep things from working, checked one by one.

use std::{process::ExitCode, time::Instant};

use serde::Serialize;

use super::{CmdError, CmdResult, Ctx, output::Output};
use crate::{
    cli::OutputArgs,
    net::trust::identity::Identity,
    node::{self, Locality, NodeHandle, Session},
    text::{fmt_duration, pluralize},
};

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Good,
    Warning,
    Bad,
}

#[derive(Serialize)]
struct Check {
    check: &'static str,
    verdict: Verdict,
    found: String,
}

struct Report(Vec<Check>);

impl Report {
    fn add(&mut self, check: &'static str, verdict: Verdict, found: impl Into<String>) {
        let found = found.into();
        self.0.push(Check {
            check,
            verdict,
            found,
        });
    }
}

pub(super) fn run(given: &Ctx<'_>, out: OutputArgs) -> CmdResult {
    let mut report = Report(Vec::new());
    let settings = given.settings;
    let folder = &settings.node.data_dir;
    report.add("data folder", Verdict::Good, folder.display().to_string());
    match Identity::load_or_generate(folder) {
        Ok(identity) => report.add("key", Verdict::Good, identity.public().to_string()),
        Err(error) => report.add("key", Verdict::Bad, error.to_string()),
    }
    match given.session() {
        Err(error) => {
            let (CmdError::Unreachable(why)
            | CmdError::Failed(why)
            | CmdError::NotFound(why)
            | CmdError::Denied(why)
            | CmdError::Usage(why)
            | CmdError::Refused(why)) = error
            else {
                return Err(error);
            };
            report.add("node", Verdict::Bad, why);
        }
        Ok(session) => {
            let net = session.net();
            let report = &mut report;
            net.block_on(async move {
                examine(&session, report).await;
                session.end(std::time::Duration::ZERO).await;
            });
        }
    }
    print(&report.0, out)
}

async fn examine(session: &Session, report: &mut Report) {
    let access = session.handle();
    let about = access.info();
    let place = match about.locality {
        Locality::InProcess => "in this process",
        Locality::LocalProcess => "on this data folder",
        Locality::Remote => "elsewhere",
    };
    let text = format!(
        "{} at {}, {place}, as {}",
        about.key.fingerprint(),
        about.addr,
        about.role
    );
    report.add("node", Verdict::Good, text);
    reach(&access, report).await;
    names(&access, report).await;
    broker(&access, report).await;
}

/// Whether others can reach it where it says that it is.
async fn reach(access: &NodeHandle, report: &mut Report) {
    let me = access
        .members(|peers| async move { peers.who_am_i().await })
        .await;
    match me {
        Ok(me) => {
            let addrs: Vec<_> = me.addrs.iter().map(ToString::to_string).collect();
            let addrs = addrs.join(", ");
            match node::loopback_warning(&me.addrs) {
                Some(warning) => {
                    report.add("address", Verdict::Warning, format!("{addrs}: {warning}"));
                }
                None => report.add("address", Verdict::Good, addrs),
            }
            let version = env!("CARGO_PKG_VERSION");
            if me.version == version {
                report.add("version", Verdict::Good, version);
            } else {
                let text = format!("{} there, {version} here", me.version);
                report.add("version", Verdict::Warning, text);
            }
        }
        Err(error) => report.add("address", Verdict::Bad, error.to_string()),
    }
}

async fn names(access: &NodeHandle, report: &mut Report) {
    match access
        .naming(|naming| async move { naming.ping().await })
        .await
    {
        Ok(time) => report.add(
            "naming server",
            Verdict::Good,
            format!("answers in {}", fmt_duration(time)),
        ),
        Err(error) => report.add("naming server", Verdict::Bad, error.to_string()),
    }
    let since = Instant::now();
    match access.greet("doctor").await {
        Ok(_) => {
            let text = format!("answers in {}", fmt_duration(since.elapsed()));
            report.add("greeter", Verdict::Good, text);
        }
        Err(error) => report.add("greeter", Verdict::Bad, error.to_string()),
    }
    let query = crate::net::naming::NameQuery::default();
    let listed = access
        .naming(|naming| async move { naming.list(&query).await })
        .await;
    let Ok(listed) = listed else { return };
    let elsewhere = !access.info().addr.ip().is_loopback();
    for record in listed.records {
        let loopback = matches!(
            record.uri.parse(),
            Ok(crate::net::uri::Uri::Distro { addr, .. }) if addr.ip().is_loopback()
        );
        let own = record.owner == access.info().key;
        if loopback && elsewhere && !own {
            let text = format!(
                "{} is registered at {}, which only its own machine can reach; start it with \
                 --listen 0.0.0.0:PORT",
                record.name, record.uri
            );
            report.add("name", Verdict::Warning, text);
        }
    }
}

async fn broker(access: &NodeHandle, report: &mut Report) {
    let broker = access.broker();
    match broker.stats().await {
        Ok(stats) => {
            let text = format!(
                "{}, keeps {}, {}",
                broker.engine(),
                stats.storage.durability,
                pluralize(stats.desired_workers, "worker")
            );
            report.add("broker", Verdict::Good, text);
            match &stats.persist_error {
                Some(why) => report.add("saving", Verdict::Bad, why.clone()),
                None => report.add("saving", Verdict::Good, "everything is saved"),
            }
            match stats.stuck {
                0 if stats.desired_workers == 0 => {
                    report.add("workers", Verdict::Warning, "none: tasks wait");
                }
                0 => report.add("workers", Verdict::Good, "none is stuck"),
                n => report.add("workers", Verdict::Bad, format!("{n} are stuck")),
            }
        }
        Err(error) => report.add("broker", Verdict::Bad, error.to_string()),
    }
}

fn print(checks: &[Check], out: OutputArgs) -> CmdResult {
    let mut out = Output::new(out);
    if out.json {
        out.document(checks)?;
    } else {
        let row = |check: &Check| {
            let word = match check.verdict {
                Verdict::Good => "good",
                Verdict::Warning => "look",
                Verdict::Bad => "BAD",
            };
            vec![word.to_owned(), check.check.to_owned(), check.found.clone()]
        };
        for check in checks.iter().map(row) {
            out.line(&format!("{:4}  {:13}  {}", check[0], check[1], check[2]))?;
        }
    }
    out.flush()?;
    let bad = checks.iter().any(|check| check.verdict == Verdict::Bad);
    Ok(ExitCode::from(u8::from(bad)))
}

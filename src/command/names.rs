//! `names`

use std::{process::ExitCode, time::Duration};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{CmdError, CmdResult, Ctx, output::Output};
use crate::{
    cli::Names,
    json::NameJson,
    net::{
        naming::{
            LeaseKeeper, LeaseStatus, NameChange, NameEvent, NameQuery, Record, RegisterRequest,
            RemovalReason,
        },
        rpc::error::CallError,
    },
    node::{NamesEvent, NodeHandle},
    units,
};

pub(super) fn run(given: &Ctx<'_>, names: Names) -> CmdResult {
    given.with(|session| async move {
        let done = ask(&session.handle(), names).await;
        (session, done)
    })
}

async fn ask(access: &NodeHandle, names: Names) -> CmdResult {
    match names {
        Names::List {
            prefix,
            regex,
            tag,
            any_tag,
            limit,
            out,
        } => {
            let query = NameQuery {
                prefix,
                regex,
                tags_all: tag,
                tags_any: any_tag,
                after: None,
                limit: None,
            };
            list(access, query, limit.unwrap_or(usize::MAX), Output::new(out)).await
        }
        Names::Lookup { name, out } => {
            let found = access
                .naming(|naming| async move { naming.lookup(&name).await })
                .await?;
            show(Output::new(out), &found)
        }
        Names::Register {
            name,
            uri,
            tag,
            lease,
            forever,
            exclusive,
            out,
        } => {
            let mut wanted = RegisterRequest::new(name, uri);
            wanted.tags = tag;
            wanted.exclusive = exclusive;
            let out = Output::new(out);
            match (lease, forever) {
                (None, false) => keep(access, wanted, out).await,
                (_, true) => once(access, wanted, 0, out).await,
                (Some(lease), false) => {
                    let lease = units::duration(&lease).map_err(CmdError::Usage)?;
                    let lease = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
                    once(access, wanted, lease, out).await
                }
            }
        }
        Names::Unregister { name, all, out } => {
            let asked = name.clone();
            let gone = access
                .naming(|naming| async move {
                    match all {
                        true => naming.unregister_all(&asked).await,
                        false => naming.unregister(&asked).await,
                    }
                })
                .await?;
            said(Output::new(out), &name, gone, "unregistered")
        }
        Names::SetMetadata { name, tags, out } => {
            let (asked, count) = (name.clone(), tags.len());
            access
                .naming(|naming| async move { naming.set_tags(&asked, &tags).await })
                .await?;
            said(Output::new(out), &name, count, "tagged")
        }
        Names::Watch { prefix, out } => watch(access, &prefix, Output::new(out)).await,
    }
}

/// What was done to a name.
fn said(out: Output, name: &str, count: usize, what: &str) -> CmdResult {
    #[derive(Serialize)]
    struct Said<'a> {
        name: &'a str,
        count: usize,
    }
    Ok(out.print_result(&Said { name, count }, &format!("{name} {what}"))?)
}

async fn list(access: &NodeHandle, mut query: NameQuery, most: usize, out: Output) -> CmdResult {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let asked = query.clone();
        let page = access
            .naming(|naming| async move { naming.list(&asked).await })
            .await?;
        records.extend(page.records);
        query.after = page.next;
        if query.after.is_none() || records.len() >= most {
            records.truncate(most);
            return show(out, &records);
        }
    }
}

fn show(mut out: Output, records: &[Record]) -> CmdResult {
    if out.json {
        let shapes: Vec<NameJson<'_>> = records.iter().map(NameJson::from).collect();
        out.document(&shapes)?;
    } else {
        let row = |record: &Record| {
            vec![
                record.name.clone(),
                record.health.as_str().to_owned(),
                record.owner.fingerprint(),
                record.uri.clone(),
                record.tags.join(" "),
            ]
        };
        let rows: Vec<_> = records.iter().map(row).collect();
        out.table(&["NAME", "STATE", "OWNER", "WHERE", "TAGS"], &rows)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

async fn once(
    access: &NodeHandle,
    mut wanted: RegisterRequest,
    lease_ms: u64,
    out: Output,
) -> CmdResult {
    wanted.lease_ms = Some(lease_ms);
    let name = wanted.name.clone();
    access
        .naming(|naming| async move { naming.register(&wanted).await })
        .await?;
    said(out, &name, 1, "registered")
}

/// Keeps a name until ctrl-c, and takes it back.
async fn keep(access: &NodeHandle, wanted: RegisterRequest, out: Output) -> CmdResult {
    let (name, stop) = (wanted.name.clone(), CancellationToken::new());
    let registration = access
        .naming(|naming| async move { Ok(LeaseKeeper::new(naming, wanted)) })
        .await?;
    let mut status = registration.status();
    let running = tokio::spawn(registration.run(stop.clone()));
    let settled = status
        .wait_for(|status| !matches!(status, LeaseStatus::Pending))
        .await
        .map(|status| status.clone());
    if let Ok(LeaseStatus::Refused(why) | LeaseStatus::Failing(why)) = settled {
        return Err(why.into());
    }
    said(out, &name, 1, "registered; ctrl-c takes it back")?;
    // What it may do there has changed, the name is another's now, or it is not let in any more.
    let over = status.wait_for(|status| {
        matches!(
            status,
            LeaseStatus::Refused(_) | LeaseStatus::Failing(CallError::Unauthorized(_))
        )
    });
    let why = tokio::select! {
        () = super::output::wait_for_interrupt() => None,
        over = over => over.map(|status| status.clone()).ok(),
    };
    stop.cancel();
    running.await.ok();
    match why {
        Some(LeaseStatus::Refused(why) | LeaseStatus::Failing(why)) => Err(why.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Seen<'a> {
    /// A record is new, or is now as given.
    Put {
        #[serde(flatten)]
        record: NameJson<'a>,
    },
    Gone {
        name: &'a str,
        owner: String,
        reason: RemovalReason,
    },
    /// The naming server is lost, and is tried again.
    Lost { error: String, retry_in_ms: u64 },
}

async fn watch(access: &NodeHandle, prefix: &str, mut out: Output) -> CmdResult {
    let mut news = access.watch_names();
    while let Some(event) = news.recv().await {
        match event {
            NamesEvent::Lost { error, retry_in } => lost(&mut out, &error.to_string(), retry_in)?,
            NamesEvent::Changed(NameEvent::Snapshot { records, .. }) => {
                for record in records.iter().filter(|r| r.name.starts_with(prefix)) {
                    put(&mut out, record)?;
                }
            }
            NamesEvent::Changed(NameEvent::Changes { changes, .. }) => {
                for change in changes.iter().filter(|c| c.name().starts_with(prefix)) {
                    match change {
                        NameChange::Put(record) => put(&mut out, record)?,
                        NameChange::Removed {
                            name,
                            owner,
                            reason,
                        } => {
                            let seen = Seen::Gone {
                                name,
                                owner: owner.to_string(),
                                reason: *reason,
                            };
                            let word = match reason {
                                RemovalReason::Unregistered => "unregistered",
                                RemovalReason::Expired => "expired",
                            };
                            let text = format!("{name}  gone  {}  {word}", owner.fingerprint());
                            tell(&mut out, &seen, &text)?;
                        }
                    }
                }
            }
        }
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn put(out: &mut Output, record: &Record) -> Result<(), CmdError> {
    let text = format!(
        "{}  {}  {}  {}  {}",
        record.name,
        record.health.as_str(),
        record.owner.fingerprint(),
        record.uri,
        record.tags.join(" ")
    );
    let record = record.into();
    tell(out, &Seen::Put { record }, text.trim_end())
}

fn lost(out: &mut Output, error: &str, retry_in: Duration) -> Result<(), CmdError> {
    let text = format!("naming server lost: {error}");
    let seen = Seen::Lost {
        error: error.to_owned(),
        retry_in_ms: u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX),
    };
    tell(out, &seen, &text)
}

fn tell(out: &mut Output, seen: &Seen<'_>, text: &str) -> Result<(), CmdError> {
    if out.json {
        out.document(seen)?;
    } else {
        out.line(text)?;
    }
    Ok(())
}

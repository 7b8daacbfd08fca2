//! `names`

use std::{process::ExitCode, time::Duration};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{CmdError, CmdResult, Ctx, output::Output};
use crate::{
    cli::NamesCommand,
    json::NameJson,
    net::{
        naming::{
            LeaseKeeper, LeaseStatus, NameChange, NameEvent, NameQuery, Record, RegisterRequest,
            RemovalReason,
        },
        rpc::error::CallError,
    },
    node::{NamesEvent, NodeHandle},
};

pub(super) fn run(ctx: &Ctx<'_>, names: NamesCommand) -> CmdResult {
    let out = ctx.output();
    ctx.with_session(|session| async move {
        let result = run_command(&session.handle(), names, out).await;
        (session, result)
    })
}

async fn run_command(node: &NodeHandle, names: NamesCommand, out: Output) -> CmdResult {
    match names {
        NamesCommand::List {
            prefix,
            regex,
            tag,
            any_tag,
            limit,
        } => {
            let query = NameQuery {
                prefix,
                regex,
                tags_all: tag,
                tags_any: any_tag,
                after: None,
                limit: None,
            };
            list(node, query, limit.unwrap_or(usize::MAX), out).await
        }
        NamesCommand::Lookup { name } => {
            let found = node
                .naming(|naming| async move { naming.lookup(&name).await })
                .await?;
            show(out, &found)
        }
        NamesCommand::Register {
            name,
            uri,
            tag,
            lease,
            forever,
            share,
        } => {
            let mut request = RegisterRequest::new(name, uri);
            request.tags = tag;
            request.share = share;
            match (lease, forever) {
                (None, false) => register_until_interrupted(node, request, out).await,
                (_, true) => register_once(node, request, 0, out).await,
                (Some(lease), false) => {
                    let lease = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
                    register_once(node, request, lease, out).await
                }
            }
        }
        NamesCommand::Unregister { name, all } => {
            let requested = name.clone();
            let removed = node
                .naming(|naming| async move {
                    match all {
                        true => naming.unregister_all(&requested).await,
                        false => naming.unregister(&requested).await,
                    }
                })
                .await?;
            print_change(out, &name, removed, "unregistered")
        }
        NamesCommand::SetTags { name, tags } => {
            let (requested, count) = (name.clone(), tags.len());
            node.naming(|naming| async move { naming.set_tags(&requested, &tags).await })
                .await?;
            print_change(out, &name, count, "tagged")
        }
        NamesCommand::Share { name, with } => {
            let requested = name.clone();
            node.naming(|naming| async move { naming.share(&requested, with).await })
                .await?;
            print_change(out, &name, 1, &format!("shared with: {with}"))
        }
        NamesCommand::Watch { prefix } => {
            watch(node, prefix.as_deref().unwrap_or_default(), out).await
        }
    }
}

/// Prints a change of a name.
fn print_change(out: Output, name: &str, count: usize, verb: &str) -> CmdResult {
    #[derive(Serialize)]
    struct ChangedJson<'a> {
        name: &'a str,
        count: usize,
    }
    Ok(out.print_result(&ChangedJson { name, count }, &format!("{name} {verb}"))?)
}

async fn list(node: &NodeHandle, mut query: NameQuery, limit: usize, out: Output) -> CmdResult {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let requested = query.clone();
        let page = node
            .naming(|naming| async move { naming.list(&requested).await })
            .await?;
        records.extend(page.records);
        query.after = page.next;
        if query.after.is_none() || records.len() >= limit {
            records.truncate(limit);
            return show(out, &records);
        }
    }
}

fn show(mut out: Output, records: &[Record]) -> CmdResult {
    if out.json {
        let json: Vec<NameJson<'_>> = records.iter().map(NameJson::from).collect();
        out.document(&json)?;
    } else {
        let row = |record: &Record| {
            vec![
                record.marked_name(),
                record.health.as_str().to_owned(),
                record.owner.fingerprint(),
                record.uri.to_string(),
                record.tags.join(" "),
            ]
        };
        let rows: Vec<_> = records.iter().map(row).collect();
        let headings = ["NAME", "STATE", "OWNER", "URI", "TAGS"];
        out.table(&headings, &rows, "no name matches")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Registers without renewing the lease; 0 ms is no expiry.
async fn register_once(
    node: &NodeHandle,
    mut request: RegisterRequest,
    lease_ms: u64,
    out: Output,
) -> CmdResult {
    request.lease_ms = Some(lease_ms);
    let name = request.name.clone();
    node.naming(|naming| async move { naming.register(&request).await })
        .await?;
    print_change(out, &name, 1, "registered")
}

/// Renews the lease until ctrl-c, and unregisters the name.
async fn register_until_interrupted(
    node: &NodeHandle,
    request: RegisterRequest,
    out: Output,
) -> CmdResult {
    let (name, stop) = (request.name.clone(), CancellationToken::new());
    let registration = node
        .naming(|naming| async move { Ok(LeaseKeeper::new(naming, request)) })
        .await?;
    let mut status = registration.status();
    let running = tokio::spawn(registration.run(stop.clone()));
    let first = status
        .wait_for(|status| !matches!(status, LeaseStatus::Pending))
        .await
        .map(|status| status.clone());
    if let Ok(LeaseStatus::Refused(why) | LeaseStatus::Failing(why) | LeaseStatus::Taken(why)) =
        first
    {
        return Err(why.into());
    }
    print_change(out, &name, 1, "registered; ctrl-c unregisters it")?;
    // The role has changed, another key owns the name, or the member was removed.
    let refused = status.wait_for(|status| {
        matches!(
            status,
            LeaseStatus::Refused(_)
                | LeaseStatus::Taken(_)
                | LeaseStatus::Failing(CallError::Unauthorized(_))
        )
    });
    let why = tokio::select! {
        () = super::output::wait_for_interrupt() => None,
        refused = refused => refused.map(|status| status.clone()).ok(),
    };
    stop.cancel();
    running.await.ok();
    match why {
        Some(LeaseStatus::Refused(why) | LeaseStatus::Failing(why) | LeaseStatus::Taken(why)) => {
            Err(why.into())
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum NameEventJson<'a> {
    /// A record is new or has changed.
    Put {
        #[serde(flatten)]
        record: NameJson<'a>,
    },
    Removed {
        name: &'a str,
        owner: String,
        reason: RemovalReason,
    },
    /// The connection to the naming server is lost and will be retried.
    Lost { error: String, retry_in_ms: u64 },
}

async fn watch(node: &NodeHandle, prefix: &str, mut out: Output) -> CmdResult {
    let mut events = node.watch_names();
    while let Some(event) = events.recv().await {
        match event {
            NamesEvent::Lost { error, retry_in } => {
                print_lost(&mut out, &error.to_string(), retry_in)?;
            }
            NamesEvent::Changed(NameEvent::Snapshot { records, .. }) => {
                for record in records.iter().filter(|r| r.name.starts_with(prefix)) {
                    print_record(&mut out, record)?;
                }
            }
            NamesEvent::Changed(NameEvent::Changes { changes, .. }) => {
                for change in changes.iter().filter(|c| c.name().starts_with(prefix)) {
                    match change {
                        NameChange::Put(record) => print_record(&mut out, record)?,
                        NameChange::Removed {
                            name,
                            owner,
                            reason,
                        } => {
                            let event = NameEventJson::Removed {
                                name,
                                owner: owner.to_string(),
                                reason: *reason,
                            };
                            let word = match reason {
                                RemovalReason::Unregistered => "unregistered",
                                RemovalReason::Expired => "expired",
                                RemovalReason::Unshared => "no longer shared",
                            };
                            let text = format!("{name}  removed  {}  {word}", owner.fingerprint());
                            print(&mut out, &event, &text)?;
                        }
                    }
                }
            }
        }
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_record(out: &mut Output, record: &Record) -> Result<(), CmdError> {
    let text = format!(
        "{}  {}  {}  {}  {}",
        record.marked_name(),
        record.health.as_str(),
        record.owner.fingerprint(),
        record.uri,
        record.tags.join(" ")
    );
    let record = record.into();
    print(out, &NameEventJson::Put { record }, text.trim_end())
}

fn print_lost(out: &mut Output, error: &str, retry_in: Duration) -> Result<(), CmdError> {
    let text = format!("naming server unreachable: {error}");
    let event = NameEventJson::Lost {
        error: error.to_owned(),
        retry_in_ms: u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX),
    };
    print(out, &event, &text)
}

fn print(out: &mut Output, event: &NameEventJson<'_>, text: &str) -> Result<(), CmdError> {
    if out.json {
        out.document(event)?;
    } else {
        out.line(text)?;
    }
    Ok(())
}

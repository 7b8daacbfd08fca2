//! `names`

use std::{process::ExitCode, time::Duration};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{Done, Failure, Given, json::NameShape, output::Out};
use crate::{
    cli::Names,
    net::{
        naming::{Change, Event, Query, Record, Register, Registration, Status, Why},
        rpc::error::CallError,
    },
    node::{Access, NamesEvent},
    units,
};

pub(super) fn run(given: &Given<'_>, names: Names) -> Done {
    given.with(|session| async move {
        let done = ask(&session.access(), names).await;
        (session, done)
    })
}

async fn ask(access: &Access, names: Names) -> Done {
    match names {
        Names::List {
            prefix,
            regex,
            tag,
            any_tag,
            limit,
            out,
        } => {
            let query = Query {
                prefix,
                regex,
                metadata_all: tag,
                metadata_any: any_tag,
                after: None,
                limit: None,
            };
            list(access, query, limit.unwrap_or(usize::MAX), Out::new(out)).await
        }
        Names::Lookup { name, out } => {
            let found = access
                .naming(|naming| async move { naming.lookup(&name).await })
                .await?;
            show(Out::new(out), &found)
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
            let mut wanted = Register::new(name, uri);
            wanted.metadata = tag;
            wanted.exclusive = exclusive;
            let out = Out::new(out);
            match (lease, forever) {
                (None, false) => keep(access, wanted, out).await,
                (_, true) => once(access, wanted, 0, out).await,
                (Some(lease), false) => {
                    let lease = units::duration(&lease).map_err(Failure::Usage)?;
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
            said(Out::new(out), &name, gone, "unregistered")
        }
        Names::SetMetadata { name, tags, out } => {
            let (asked, count) = (name.clone(), tags.len());
            access
                .naming(|naming| async move { naming.set_metadata(&asked, &tags).await })
                .await?;
            said(Out::new(out), &name, count, "tagged")
        }
        Names::Watch { prefix, out } => watch(access, &prefix, Out::new(out)).await,
    }
}

/// What was done to a name.
fn said(out: Out, name: &str, count: usize, what: &str) -> Done {
    #[derive(Serialize)]
    struct Said<'a> {
        name: &'a str,
        count: usize,
    }
    Ok(out.answer(&Said { name, count }, &format!("{name} {what}"))?)
}

async fn list(access: &Access, mut query: Query, most: usize, out: Out) -> Done {
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

fn show(mut out: Out, records: &[Record]) -> Done {
    if out.json {
        let shapes: Vec<NameShape<'_>> = records.iter().map(NameShape::from).collect();
        out.document(&shapes)?;
    } else {
        let row = |record: &Record| {
            vec![
                record.name.clone(),
                record.health.word().to_owned(),
                record.owner.fingerprint(),
                record.uri.clone(),
                record.metadata.join(" "),
            ]
        };
        let rows: Vec<_> = records.iter().map(row).collect();
        out.table(&["NAME", "STATE", "OWNER", "WHERE", "TAGS"], &rows)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

async fn once(access: &Access, mut wanted: Register, lease_ms: u64, out: Out) -> Done {
    wanted.lease_ms = Some(lease_ms);
    let name = wanted.name.clone();
    access
        .naming(|naming| async move { naming.register(&wanted).await })
        .await?;
    said(out, &name, 1, "registered")
}

/// Keeps a name until ctrl-c, and takes it back.
async fn keep(access: &Access, wanted: Register, out: Out) -> Done {
    let (name, stop) = (wanted.name.clone(), CancellationToken::new());
    let registration = access
        .naming(|naming| async move { Ok(Registration::new(naming, wanted)) })
        .await?;
    let mut status = registration.status();
    let running = tokio::spawn(registration.run(stop.clone()));
    let settled = status
        .wait_for(|status| !matches!(status, Status::Pending))
        .await
        .map(|status| status.clone());
    if let Ok(Status::Refused(why) | Status::Failing(why)) = settled {
        return Err(why.into());
    }
    said(out, &name, 1, "registered; ctrl-c takes it back")?;
    // What it may do there has changed, the name is another's now, or it is not let in any more.
    let over = status.wait_for(|status| {
        matches!(
            status,
            Status::Refused(_) | Status::Failing(CallError::Stranger(_))
        )
    });
    let why = tokio::select! {
        () = super::output::interrupted() => None,
        over = over => over.map(|status| status.clone()).ok(),
    };
    stop.cancel();
    running.await.ok();
    match why {
        Some(Status::Refused(why) | Status::Failing(why)) => Err(why.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Seen<'a> {
    /// A record is new, or is now as given.
    Put {
        #[serde(flatten)]
        record: NameShape<'a>,
    },
    Gone {
        name: &'a str,
        owner: String,
        why: Why,
    },
    /// The naming server is lost, and is tried again.
    Lost { error: String, again_in_ms: u64 },
}

async fn watch(access: &Access, prefix: &str, mut out: Out) -> Done {
    let mut news = access.watch_names();
    while let Some(event) = news.recv().await {
        match event {
            NamesEvent::Lost { error, again_in } => lost(&mut out, &error.to_string(), again_in)?,
            NamesEvent::News(Event::Snapshot { records, .. }) => {
                for record in records.iter().filter(|r| r.name.starts_with(prefix)) {
                    put(&mut out, record)?;
                }
            }
            NamesEvent::News(Event::Changes { changes, .. }) => {
                for change in changes.iter().filter(|c| c.name().starts_with(prefix)) {
                    match change {
                        Change::Put(record) => put(&mut out, record)?,
                        Change::Gone { name, owner, why } => {
                            let seen = Seen::Gone {
                                name,
                                owner: owner.to_string(),
                                why: *why,
                            };
                            let word = match why {
                                Why::Unregistered => "unregistered",
                                Why::Expired => "expired",
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

fn put(out: &mut Out, record: &Record) -> Result<(), Failure> {
    let text = format!(
        "{}  {}  {}  {}  {}",
        record.name,
        record.health.word(),
        record.owner.fingerprint(),
        record.uri,
        record.metadata.join(" ")
    );
    let record = record.into();
    tell(out, &Seen::Put { record }, text.trim_end())
}

fn lost(out: &mut Out, error: &str, again_in: Duration) -> Result<(), Failure> {
    let text = format!("naming server lost: {error}");
    let seen = Seen::Lost {
        error: error.to_owned(),
        again_in_ms: u64::try_from(again_in.as_millis()).unwrap_or(u64::MAX),
    };
    tell(out, &seen, &text)
}

fn tell(out: &mut Out, seen: &Seen<'_>, text: &str) -> Result<(), Failure> {
    if out.json {
        out.document(seen)?;
    } else {
        out.line(text)?;
    }
    Ok(())
}

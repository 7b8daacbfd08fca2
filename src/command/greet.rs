//! `greet`

use std::process::ExitCode;

use futures_util::{
    Stream, StreamExt,
    future::ready,
    stream::{self, BoxStream},
};
use serde::Serialize;

use super::{
    Done, Failure, Given,
    lines::{self, piped},
    out::{Out, tell},
};
use crate::{
    cli::Greet,
    net::{fault::CallError, proxy::Called, value::Value},
    node::Access,
};

/// Answers that come slower than this are written one by one.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(2);
/// Greetings under way at once.
const AT_ONCE: usize = 64;

#[derive(Serialize)]
struct Greeting<'a> {
    line: u64,
    name: &'a str,
    greeting: Option<String>,
    /// The key of the server that answered.
    from: Option<String>,
    error: Option<String>,
    lookup_ms: Option<f64>,
    call_ms: Option<f64>,
}

pub(super) fn run(given: &Given<'_>, greet: Greet) -> Done {
    if greet.names.is_empty() && !piped() {
        let why = "whom? write distro-tui greet Ali, or pipe a name a line into it";
        return Err(Failure::Usage(why.to_owned()));
    }
    given.with(|session| async move {
        let done = all(&session.access(), greet).await;
        (session, done)
    })
}

async fn all(access: &Access, greet: Greet) -> Done {
    let mut out = Out::new(greet.out);
    let one = greet.names.len() == 1;
    let names: BoxStream<'_, (u64, String)> = if greet.names.is_empty() {
        from_input().boxed()
    } else {
        stream::iter((1..).zip(greet.names)).boxed()
    };
    let answers = names.map(|(line, name)| async move {
        let called = access.greet(&name).await;
        (line, name, called)
    });
    let mut answers = match greet.unordered {
        true => answers.buffer_unordered(AT_ONCE).boxed(),
        false => answers.buffered(AT_ONCE).boxed(),
    };
    let bar = lines::progress("greeted");
    let mut failed = None;
    let mut idle = std::time::Instant::now();
    while let Some((line, name, called)) = answers.next().await {
        match called {
            Err(error) if one => return Err(error.into()),
            called => {
                tell_one(&mut out, greet.unordered, line, &name, &called)?;
                failed = called.err().or(failed);
            }
        }
        bar.inc(1);
        // Who waits for each answer gets it; a stream that flows is written in large pieces.
        if answers.size_hint().0 == 0 && (one || idle.elapsed() > PAUSE) {
            out.flush()?;
        }
        idle = std::time::Instant::now();
    }
    bar.finish_and_clear();
    out.flush()?;
    match failed {
        None => Ok(ExitCode::SUCCESS),
        // Each has been told where it happened.
        Some(_) => Ok(ExitCode::from(6)),
    }
}

fn from_input() -> impl Stream<Item = (u64, String)> {
    let chunks = lines::read();
    let chunks = stream::unfold(chunks, |mut chunks| async move {
        let chunk = chunks.recv().await?.ok()?;
        Some((stream::iter(chunk), chunks))
    });
    chunks
        .flatten()
        .filter(|(_, name)| ready(!name.trim().is_empty()))
}

fn tell_one(
    out: &mut Out,
    numbered: bool,
    line: u64,
    name: &str,
    called: &Result<Called, CallError>,
) -> Result<(), Failure> {
    let greeting = called.as_ref().ok().map(|called| match &called.value {
        Value::Str(text) => text.clone(),
        other => other.to_string(),
    });
    let error = called.as_ref().err().map(ToString::to_string);
    if out.json {
        let ms = |span: std::time::Duration| super::shapes::ms(span);
        out.document(&Greeting {
            line,
            name,
            greeting,
            from: called
                .as_ref()
                .ok()
                .map(|called| called.from.owner.to_string()),
            error,
            lookup_ms: called.as_ref().ok().map(|called| ms(called.lookup)),
            call_ms: called.as_ref().ok().map(|called| ms(called.call)),
        })?;
        return Ok(());
    }
    let number = match numbered {
        true => format!("{line}\t"),
        false => String::new(),
    };
    if let Some(error) = error {
        tell(format_args!("line {line}: {error}"), true);
    }
    // A name without a greeting keeps its line, so that what goes in and out stays side by side.
    out.text(&number)?;
    out.line(&greeting.unwrap_or_default())?;
    Ok(())
}

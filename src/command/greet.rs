//! `greet`

use std::{io, process::ExitCode};

use futures_util::{
    FutureExt, Stream, StreamExt,
    stream::{self, BoxStream},
};
use serde::Serialize;

use super::{
    CmdError, CmdResult, Ctx,
    output::{Output, print_stderr},
    stdin::{self, stdin_is_piped},
};
use crate::{
    cli::Greet,
    net::{naming::proxy::CallOutcome, rpc::error::CallError},
    node::NodeHandle,
    value::Value,
};

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

pub(super) fn run(given: &Ctx<'_>, greet: Greet) -> CmdResult {
    if greet.names.is_empty() && !stdin_is_piped() {
        let why = "whom? write distro-tui greet Ali, or pipe a name a line into it";
        return Err(CmdError::Usage(why.to_owned()));
    }
    given.with(|session| async move {
        let done = all(&session.handle(), greet).await;
        (session, done)
    })
}

async fn all(access: &NodeHandle, greet: Greet) -> CmdResult {
    let mut out = Output::new(greet.out);
    let one = greet.names.len() == 1;
    let names: BoxStream<'_, io::Result<(u64, String)>> = if greet.names.is_empty() {
        from_input().boxed()
    } else {
        stream::iter((1..).zip(greet.names)).map(Ok).boxed()
    };
    let answers = names.map(|read| async move {
        let (line, name) = read?;
        let called = access.greet(&name).await;
        Ok::<_, io::Error>((line, name, called))
    });
    let mut answers = match greet.unordered {
        true => answers.buffer_unordered(AT_ONCE).boxed(),
        false => answers.buffered(AT_ONCE).boxed(),
    };
    let bar = stdin::progress_bar("greeted");
    let mut failed = None;
    loop {
        let next = match answers.next().now_or_never() {
            Some(next) => next,
            None => {
                // Who waits for each answer gets it; a stream that flows is written in large pieces.
                out.flush()?;
                answers.next().await
            }
        };
        let Some(answer) = next else { break };
        let (line, name, called) = answer.map_err(|e| stdin::read_error(&e))?;
        match called {
            Err(error) if one => return Err(error.into()),
            called => {
                tell_one(&mut out, greet.unordered, line, &name, &called)?;
                failed = called.err().or(failed);
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    out.flush()?;
    match failed {
        None => Ok(ExitCode::SUCCESS),
        // Each has been told where it happened.
        Some(_) => Ok(ExitCode::from(6)),
    }
}

/// A name a line; what cannot be read ends it.
fn from_input() -> impl Stream<Item = io::Result<(u64, String)>> {
    let chunks = stream::unfold(stdin::read_lines(), |mut chunks| async move {
        let read = match chunks.recv().await? {
            Ok(lines) => {
                let named = |(_, name): &(u64, String)| !name.trim().is_empty();
                lines.into_iter().filter(named).map(Ok).collect()
            }
            Err(error) => vec![Err(error)],
        };
        Some((stream::iter(read), chunks))
    });
    chunks.flatten()
}

fn tell_one(
    out: &mut Output,
    numbered: bool,
    line: u64,
    name: &str,
    called: &Result<CallOutcome, CallError>,
) -> Result<(), CmdError> {
    let greeting = called.as_ref().ok().map(|called| match &called.value {
        Value::Str(text) => text.clone(),
        other => other.to_string(),
    });
    let error = called.as_ref().err().map(ToString::to_string);
    if out.json {
        let ms = |span: std::time::Duration| crate::json::ms(span);
        out.document(&Greeting {
            line,
            name,
            greeting,
            from: called
                .as_ref()
                .ok()
                .map(|called| called.server.owner.to_string()),
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
        print_stderr(format_args!("line {line}: {error}"), true);
    }
    // A name without a greeting keeps its line, so that what goes in and out stays side by side.
    out.text(&number)?;
    out.line(&greeting.unwrap_or_default())?;
    Ok(())
}

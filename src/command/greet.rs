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
    cli::GreetArgs,
    net::{naming::proxy::CallOutcome, rpc::error::CallError},
    node::NodeHandle,
    value::Value,
};

/// Maximum concurrent calls.
const CONCURRENCY: usize = 64;

#[derive(Serialize)]
struct GreetedJson<'a> {
    line: u64,
    name: &'a str,
    greeting: Option<String>,
    /// Key of the server that replied.
    from: Option<String>,
    error: Option<String>,
    lookup_ms: Option<f64>,
    call_ms: Option<f64>,
}

pub(super) fn run(ctx: &Ctx<'_>, greet: GreetArgs) -> CmdResult {
    if greet.names.is_empty() && !stdin_is_piped() {
        let why = "no names given: write distro-tui greet Ali, or pipe one name per line into it";
        return Err(CmdError::usage(why.to_owned()));
    }
    let out = ctx.output();
    ctx.with_session(|session| async move {
        let result = greet_all(&session.handle(), greet, out).await;
        (session, result)
    })
}

async fn greet_all(node: &NodeHandle, greet: GreetArgs, mut out: Output) -> CmdResult {
    let single = greet.names.len() == 1;
    let names: BoxStream<'_, io::Result<(u64, String)>> = if greet.names.is_empty() {
        names_from_stdin().boxed()
    } else {
        stream::iter((1..).zip(greet.names)).map(Ok).boxed()
    };
    let calls = names.map(|read| async move {
        let (line, name) = read?;
        let called = node.greet(&name).await;
        Ok::<_, io::Error>((line, name, called))
    });
    let mut replies = match greet.unordered {
        true => calls.buffer_unordered(CONCURRENCY).boxed(),
        false => calls.buffered(CONCURRENCY).boxed(),
    };
    let bar = stdin::progress_bar("greeted");
    let mut failed = None;
    loop {
        let next = match replies.next().now_or_never() {
            Some(next) => next,
            None => {
                // Flushed only when the next reply is not ready yet: interactive use gets each at once, pipes get
                // large writes.
                out.flush()?;
                replies.next().await
            }
        };
        let Some(reply) = next else { break };
        let (line, name, called) = reply.map_err(stdin::read_error)?;
        match called {
            Err(error) if single => return Err(error.into()),
            called => {
                print_reply(&mut out, greet.unordered, line, &name, &called)?;
                failed = called.err().or(failed);
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    out.flush()?;
    match failed {
        None => Ok(ExitCode::SUCCESS),
        // Each error has been printed with its line.
        Some(_) => Ok(ExitCode::from(6)),
    }
}

/// One name per line, until the end of input or an error.
fn names_from_stdin() -> impl Stream<Item = io::Result<(u64, String)>> {
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

fn print_reply(
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
        out.document(&GreetedJson {
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
    // An empty line for an error keeps input and output side by side.
    out.text(&number)?;
    out.line(&greeting.unwrap_or_default())?;
    Ok(())
}

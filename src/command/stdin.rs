//! Standard input, a line at a time, read on a thread of its own; and what is told of long work.

use std::{
    io::{self, BufRead, IsTerminal, Read},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc;

use super::CmdError;

/// Lines that have been read and wait; the reader waits with them.
const READ_AHEAD: usize = 4;
/// Lines in one chunk, at most.
pub(super) const CHUNK: usize = 1_000;
/// The longest line; what is longer is cut there, and then means nothing.
const MAX_LINE: u64 = 128 << 10;

/// Lines with their numbers, counted from 1.
pub(super) type Lines = Vec<(u64, String)>;

/// Reads standard input to its end. A chunk is what is there: who types gets an answer to each line.
pub(super) fn read() -> mpsc::Receiver<io::Result<Lines>> {
    let (chunks, receiver) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        let mut input = io::BufReader::new(io::stdin());
        let (mut number, mut chunk) = (0, Lines::new());
        loop {
            let mut line = Vec::new();
            let read = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
            match read {
                Ok(0) => break,
                Ok(_) => {
                    number += 1;
                    if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE {
                        skip_line(&mut input);
                    }
                    let line = String::from_utf8_lossy(&line);
                    chunk.push((number, line.trim_end_matches(['\n', '\r']).to_owned()));
                }
                Err(error) => {
                    chunks.blocking_send(Err(error)).ok();
                    return;
                }
            }
            let more = input.buffer().contains(&b'\n');
            let whole = chunk.len() >= CHUNK || !more;
            if whole
                && chunks
                    .blocking_send(Ok(std::mem::take(&mut chunk)))
                    .is_err()
            {
                return;
            }
        }
        if !chunk.is_empty() {
            chunks.blocking_send(Ok(chunk)).ok();
        }
    });
    receiver
}

/// Goes on to the next line.
fn skip_line(input: &mut impl BufRead) {
    let mut rest = Vec::new();
    while input
        .take(MAX_LINE)
        .read_until(b'\n', &mut rest)
        .is_ok_and(|n| n > 0)
        && rest.last() != Some(&b'\n')
    {
        rest.clear();
    }
}

/// Why there are no more lines.
pub(super) fn unread(error: &io::Error) -> CmdError {
    CmdError::Failed(format!("cannot read standard input: {error}"))
}

/// Whether lines are to be read although none was asked for: something is piped in.
pub(super) fn piped() -> bool {
    !io::stdin().is_terminal()
}

/// A bar on the terminal for long work; nothing where nobody looks.
pub(super) fn progress(what: &'static str) -> ProgressBar {
    // While results go to the same terminal, a bar between them would only be in the way.
    if !io::stderr().is_terminal() || io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template("{spinner} {human_pos} {msg}, {per_sec}, {elapsed}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

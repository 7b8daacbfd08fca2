//! Standard input line by line, read on its own thread, and a progress bar for long input.

use std::{
    io::{self, BufRead, IsTerminal, Read},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc;

use super::CmdError;

/// Chunks that are read ahead; beyond it the reader blocks.
const READ_AHEAD: usize = 4;
/// Maximum lines in a chunk.
pub(super) const CHUNK: usize = 1_000;
/// Maximum length of a line in bytes; the rest of a longer one is dropped.
const MAX_LINE: u64 = 128 << 10;

/// Lines with their numbers, counted from 1.
pub(super) type NumberedLines = Vec<(u64, String)>;

/// Reads standard input to its end. A chunk holds the lines that are available, so that interactive input gets a
/// result for each line.
pub(super) fn read_lines() -> mpsc::Receiver<io::Result<NumberedLines>> {
    let (chunks, receiver) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        let mut input = io::BufReader::new(io::stdin());
        let (mut number, mut chunk) = (0, NumberedLines::new());
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
            let complete = chunk.len() >= CHUNK || !more;
            if complete
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

/// Skips to the next line.
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

/// The error for standard input that cannot be read.
pub(super) fn read_error(error: io::Error) -> CmdError {
    CmdError::io("cannot read standard input", error)
}

/// Returns true when standard input is a pipe or a file.
pub(super) fn stdin_is_piped() -> bool {
    !io::stdin().is_terminal()
}

/// A progress bar on standard error; hidden when standard error is not a terminal.
pub(super) fn progress_bar(verb: &'static str) -> ProgressBar {
    // Results on the same terminal would mix with the bar.
    if !io::stderr().is_terminal() || io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template("{spinner} {human_pos} {msg}, {per_sec}, {elapsed}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(verb);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

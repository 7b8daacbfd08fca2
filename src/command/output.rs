//! Standard output: tables for people, JSON for programs.

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use serde::Serialize;

use crate::{
    json,
    text::{sanitize, truncate, width},
};

/// Standard output of a command, for people or for programs.
pub(super) struct Output {
    pub(super) json: bool,
    /// Width of the terminal; `None` when it is not a terminal.
    columns: Option<usize>,
    out: io::BufWriter<io::Stdout>,
}

/// Minimum width of a column that is truncated.
const MIN_COLUMN: usize = 6;
const GAP: &str = "  ";

impl Output {
    pub(super) fn new(json: bool) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let columns = terminal
            .then(|| crossterm::terminal::size().ok())
            .flatten()
            .map(|(width, _)| usize::from(width));
        Self {
            json,
            columns,
            out: io::BufWriter::new(stdout),
        }
    }

    /// Prints a JSON document on a line of its own.
    pub(super) fn document<T: Serialize + ?Sized>(&mut self, value: &T) -> io::Result<()> {
        writeln!(self.out, "{}", json::to_line(value)?)
    }

    /// Prints a line of untrusted text, without control characters.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", sanitize(text))
    }

    /// Prints the only result of a command: a sentence for people, `facts` for programs.
    pub(super) fn print_result<T: Serialize>(
        mut self,
        facts: &T,
        sentence: &str,
    ) -> io::Result<ExitCode> {
        match self.json {
            true => self.document(facts)?,
            false => self.line(sentence)?,
        }
        self.flush()?;
        Ok(ExitCode::SUCCESS)
    }

    /// Prints rows under headings. On a terminal they are truncated to its width, the widest column first. Without
    /// rows it prints `empty` to standard error, so that a pipe gets nothing.
    pub(super) fn table(
        &mut self,
        headings: &[&str],
        rows: &[Vec<String>],
        empty: &str,
    ) -> io::Result<()> {
        if rows.is_empty() {
            print_stderr(format_args!("{empty}"), true);
            return Ok(());
        }
        let rows: Vec<Vec<Cow<'_, str>>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| sanitize(cell)).collect())
            .collect();
        let mut widths: Vec<usize> = headings.iter().map(|heading| width(heading)).collect();
        for row in &rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell));
            }
        }
        if let Some(columns) = self.columns {
            shrink_columns(&mut widths, columns);
        }
        let headings: Vec<Cow<'_, str>> = headings.iter().map(|h| Cow::Borrowed(*h)).collect();
        for row in std::iter::once(&headings).chain(&rows) {
            let mut line = String::new();
            for (i, (cell, wide)) in row.iter().zip(&widths).enumerate() {
                line.push_str(if i == 0 { "" } else { GAP });
                let cell = truncate(cell, *wide, "…");
                line.push_str(&cell);
                line.extend(std::iter::repeat_n(' ', wide.saturating_sub(width(&cell))));
            }
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Prints labels with their values, one pair a line.
    pub(super) fn facts(&mut self, facts: &[(&str, String)]) -> io::Result<()> {
        let wide = facts.iter().map(|(label, _)| width(label)).max();
        let wide = wide.unwrap_or_default();
        for (label, fact) in facts {
            let pad = " ".repeat(wide.saturating_sub(width(label)));
            writeln!(self.out, "{label}{pad}{GAP}{}", sanitize(fact))?;
        }
        Ok(())
    }

    /// Prints trusted text as it is, without a line break.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Shrinks the widest column until all of them fit.
fn shrink_columns(widths: &mut [usize], columns: usize) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > columns {
        match widths.iter_mut().max_by_key(|wide| **wide) {
            Some(widest) if *widest > MIN_COLUMN => *widest -= 1,
            _ => return,
        }
    }
}

/// Waits for SIGINT or SIGTERM.
pub(super) async fn wait_for_interrupt() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut sigterm = signal(SignalKind::terminate()).ok();
    let terminate = async {
        match &mut sigterm {
            Some(sigterm) => drop(sigterm.recv().await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}

/// Prints a line to standard error, with the name of the program in front if `named`. Unlike `eprintln!` it does
/// not panic when standard error is closed.
pub fn print_stderr(message: std::fmt::Arguments<'_>, named: bool) {
    let name = if named { "distro-tui: " } else { "" };
    let text = message.to_string();
    writeln!(io::stderr(), "{name}{}", sanitize(&text)).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_column_shrinks_first() {
        let mut widths = [8, 60, 20];
        shrink_columns(&mut widths, 50);
        assert_eq!(widths, [8, 19, 19]);
        shrink_columns(&mut widths, 5);
        assert_eq!(widths, [6, 6, 6], "no column shrinks to nothing");
    }
}

//! Standard output: tables for people, JSON for programs.

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use serde::Serialize;

use crate::{
    cli::OutputArgs,
    json,
    text::{sanitize, truncate, width},
};

/// Where a command writes.
pub(super) struct Output {
    pub(super) json: bool,
    /// Columns of the terminal, if it is one.
    columns: Option<usize>,
    out: io::BufWriter<io::Stdout>,
}

/// A column narrower than this is not cut further.
const LEAST: usize = 6;
const GAP: &str = "  ";

impl Output {
    pub(super) fn new(json: OutputArgs) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let columns = terminal
            .then(|| crossterm::terminal::size().ok())
            .flatten()
            .map(|(width, _)| usize::from(width));
        Self {
            json: json.json,
            columns,
            out: io::BufWriter::new(stdout),
        }
    }

    /// A document on a line.
    pub(super) fn document<T: Serialize + ?Sized>(&mut self, value: &T) -> io::Result<()> {
        writeln!(self.out, "{}", json::to_line(value)?)
    }

    /// A line of text from anywhere; nothing in it moves a cursor.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", sanitize(text))
    }

    /// The whole of an answer that is one sentence: for programs its facts.
    pub(super) fn answer<T: Serialize>(
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

    /// Rows under headings. On a terminal they are cut to its width, the widest column first.
    pub(super) fn table(&mut self, headings: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let rows: Vec<Vec<Cow<'_, str>>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| sanitize(cell)).collect())
            .collect();
        let mut widths: Vec<usize> = headings.iter().map(|heading| width(heading)).collect();
        for row in &rows {
            for (most, cell) in widths.iter_mut().zip(row) {
                *most = (*most).max(width(cell));
            }
        }
        if let Some(columns) = self.columns {
            narrow(&mut widths, columns);
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

    /// Labels and what they stand for.
    pub(super) fn facts(&mut self, facts: &[(&str, String)]) -> io::Result<()> {
        let wide = facts.iter().map(|(label, _)| width(label)).max();
        let wide = wide.unwrap_or_default();
        for (label, fact) in facts {
            let pad = " ".repeat(wide.saturating_sub(width(label)));
            writeln!(self.out, "{label}{pad}{GAP}{}", sanitize(fact))?;
        }
        Ok(())
    }

    /// Text of one's own, as it stands.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Takes from the widest column until all of them fit.
fn narrow(widths: &mut [usize], columns: usize) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > columns {
        match widths.iter_mut().max_by_key(|wide| **wide) {
            Some(widest) if *widest > LEAST => *widest -= 1,
            _ => return,
        }
    }
}

/// Waits for ctrl-c, or for being asked to end.
pub(super) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut ended = signal(SignalKind::terminate()).ok();
    let terminate = async {
        match &mut ended {
            Some(ended) => drop(ended.recv().await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}

/// Says something on standard error, if it is still there: `eprintln!` would panic without one.
pub fn tell(what: std::fmt::Arguments<'_>, named: bool) {
    let name = if named { "distro-tui: " } else { "" };
    let text = what.to_string();
    writeln!(io::stderr(), "{name}{}", sanitize(&text)).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_column_gives_way() {
        let mut widths = [8, 60, 20];
        narrow(&mut widths, 50);
        assert_eq!(widths, [8, 19, 19]);
        narrow(&mut widths, 5);
        assert_eq!(widths, [6, 6, 6], "and none is cut to nothing");
    }
}

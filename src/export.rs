//! Writes rows to a new file, as JSON or CSV.
//!
//! A JSON file is an array of the objects that the command line prints with `--json`. A CSV file has the
//! same fields as columns: text without quotes, everything else as JSON, and nothing for `null`.

use std::{
    borrow::Cow,
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    files,
    json::{self, EventJson, GreetingJson, NameJson, TaskJson, WorkerJson},
    net::naming::Record,
    queue::{
        broker::Broker,
        paging::fetch_full_page,
        query::{Filter, MAX_PAGE, Order, PageStart, Query},
    },
};

/// The maximum number of rows in one file.
const MAX_ROWS: usize = 2_000_000;

/// Rows in memory.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ExportTable {
    Names(Vec<Arc<Record>>),
    Greetings(Vec<GreetingJson>),
    Workers(Vec<WorkerJson>),
    Events(Vec<EventJson>),
}

impl ExportTable {
    fn write(&self, path: &Path) -> io::Result<usize> {
        match self {
            Self::Names(records) => write_all(path, records.iter().map(|r| NameJson::from(&**r))),
            Self::Greetings(rows) => write_all(path, rows),
            Self::Workers(rows) => write_all(path, rows),
            Self::Events(rows) => write_all(path, rows),
        }
    }
}

/// Writes rows in memory; returns how many.
///
/// # Errors
/// When the file exists or cannot be written.
pub(crate) async fn table(path: PathBuf, table: ExportTable) -> io::Result<usize> {
    blocking(move || table.write(&path)).await
}

/// Writes the matching tasks in order, fetching a page at a time; returns how many.
///
/// # Errors
/// When the file exists or cannot be written, or when the broker fails.
pub(crate) async fn tasks(
    broker: &dyn Broker,
    path: PathBuf,
    filter: Filter,
    order: Order,
) -> io::Result<usize> {
    let mut writer = blocking(move || Writer::create(&path, TaskJson::COLUMNS)).await?;
    let mut query = Query {
        filter,
        order,
        from: PageStart::First,
        limit: MAX_PAGE,
    };
    let mut rows = 0;
    while rows < MAX_ROWS {
        let page = fetch_full_page(broker, query.clone())
            .await
            .map_err(io::Error::other)?;
        let Some(next) = query.next_page(&page) else {
            break;
        };
        query.from = next;
        rows += page.rows.len();
        writer = blocking(move || {
            for task in page.tasks() {
                writer.write(&TaskJson::from(task))?;
            }
            Ok(writer)
        })
        .await?;
    }
    blocking(move || writer.finish()).await
}

/// Runs file work on a blocking thread, so that a slow disk does not delay the screen.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

fn write_all<R: ExportRow>(path: &Path, rows: impl IntoIterator<Item = R>) -> io::Result<usize> {
    let mut writer = Writer::create(path, R::COLUMNS)?;
    for row in rows {
        writer.write(&row)?;
    }
    writer.finish()
}

/// A file that is being written. The extension decides the format: `.json`, or else CSV.
struct Writer {
    format: Format,
    columns: &'static [&'static str],
    rows: usize,
}

enum Format {
    Json(BufWriter<File>),
    Csv(Box<csv::Writer<File>>),
}

impl Writer {
    /// Creates the file with mode 0600; fails if it exists.
    fn create(path: &Path, columns: &'static [&'static str]) -> io::Result<Self> {
        let file = files::create_new(path)?;
        let format = if path.extension().is_some_and(|e| e == "json") {
            let mut out = BufWriter::new(file);
            out.write_all(b"[")?;
            Format::Json(out)
        } else {
            let mut options = csv::WriterBuilder::new();
            let mut out = options.terminator(csv::Terminator::CRLF).from_writer(file);
            out.write_record(columns)?;
            Format::Csv(Box::new(out))
        };
        Ok(Self {
            format,
            columns,
            rows: 0,
        })
    }

    fn write<R: ExportRow>(&mut self, row: &R) -> io::Result<()> {
        let object = json::to_line(row)?;
        match &mut self.format {
            Format::Json(out) => {
                let separator = if self.rows == 0 { "\n" } else { ",\n" };
                out.write_all(separator.as_bytes())?;
                out.write_all(object.as_bytes())?;
            }
            Format::Csv(out) => {
                let fields: HashMap<&str, &RawValue> = serde_json::from_str(&object)?;
                for column in self.columns {
                    let cell = fields
                        .get(column)
                        .map_or(Ok(Cow::Borrowed("")), |v| cell(v))?;
                    out.write_field(disarm(cell).as_bytes())?;
                }
                out.write_record(None::<&[u8]>)?;
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Ends the file and syncs it to disk; returns the number of rows.
    fn finish(self) -> io::Result<usize> {
        let file = match self.format {
            Format::Json(mut out) => {
                out.write_all(b"\n]\n")?;
                out.into_inner().map_err(io::IntoInnerError::into_error)?
            }
            Format::Csv(out) => out.into_inner().map_err(csv::IntoInnerError::into_error)?,
        };
        file.sync_all()?;
        Ok(self.rows)
    }
}

/// A JSON value as the text of a cell.
fn cell(value: &RawValue) -> serde_json::Result<Cow<'_, str>> {
    match value.get() {
        "null" => Ok(Cow::Borrowed("")),
        text if text.starts_with('"') => serde_json::from_str(text).map(Cow::Owned),
        text => Ok(Cow::Borrowed(text)),
    }
}

/// Puts a quote before text that a spreadsheet would run as a formula.
fn disarm(cell: Cow<'_, str>) -> Cow<'_, str> {
    let formula = cell.starts_with(['=', '@', '\t', '\r'])
        || (cell.starts_with(['+', '-']) && cell.parse::<f64>().is_err());
    if formula {
        Cow::Owned(format!("'{cell}"))
    } else {
        cell
    }
}

/// An object of an exported file.
trait ExportRow: Serialize {
    /// The columns of a CSV file: the fields of the object, in order.
    const COLUMNS: &'static [&'static str];
}

impl<R: ExportRow> ExportRow for &R {
    const COLUMNS: &'static [&'static str] = R::COLUMNS;
}

impl ExportRow for NameJson<'_> {
    const COLUMNS: &'static [&'static str] =
        &["name", "uri", "owner", "state", "tags", "lease_ms", "share"];
}

impl ExportRow for GreetingJson {
    const COLUMNS: &'static [&'static str] =
        &["at", "name", "greeting", "error", "lookup_ms", "call_ms"];
}

impl ExportRow for WorkerJson {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "state",
        "task",
        "task_name",
        "done",
        "failed",
        "cancelled",
        "busy",
        "started_at",
    ];
}

impl ExportRow for EventJson {
    const COLUMNS: &'static [&'static str] = &["at", "kind", "text"];
}

impl ExportRow for TaskJson<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "name",
        "args",
        "kwargs",
        "state",
        "native_state",
        "cancelling",
        "result",
        "error",
        "error_kind",
        "traceback",
        "queue",
        "key",
        "priority",
        "attempts",
        "max_attempts",
        "crashes",
        "worker",
        "submitted_at",
        "due_at",
        "expires_at",
        "started_at",
        "finished_at",
        "wait_ms",
        "run_ms",
    ];
}

#[cfg(test)]
mod tests;

//! Writing rows to a new file, as JSON or CSV.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::queue::{
    broker::Broker,
    paging::fetch_full_page,
    query::{Filter, From, MAX_PAGE, Order, Query},
    task::{DEFAULT_QUEUE, Task, Timestamp},
};

/// The most rows of one file.
pub(crate) const MOST: usize = 2_000_000;

/// A file being written: the form follows its name.
pub(crate) struct Writer {
    out: BufWriter<File>,
    columns: Vec<&'static str>,
    json: bool,
    rows: usize,
}

impl Writer {
    /// Makes the file; one that exists already is left alone.
    pub(crate) fn create(path: &Path, columns: Vec<&'static str>) -> io::Result<Self> {
        let mut writer = Self {
            out: BufWriter::new(File::create_new(path)?),
            columns,
            json: path.extension().is_some_and(|e| e == "json"),
            rows: 0,
        };
        if writer.json {
            writer.out.write_all(b"[")?;
        } else {
            let columns: Vec<String> = writer.columns.iter().map(ToString::to_string).collect();
            writer.csv(&columns)?;
        }
        Ok(writer)
    }

    pub(crate) fn row(&mut self, values: &[String]) -> io::Result<()> {
        if self.json {
            let comma = if self.rows == 0 { "\n" } else { ",\n" };
            self.out.write_all(comma.as_bytes())?;
            let object: Vec<(&str, &str)> = self
                .columns
                .iter()
                .copied()
                .zip(values.iter().map(String::as_str))
                .collect();
            let map = Ordered(object);
            serde_json::to_writer(&mut self.out, &map).map_err(io::Error::from)?;
        } else {
            self.csv(values)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Ends the file and makes sure that it is on disk; answers how many rows it has.
    pub(crate) fn finish(mut self) -> io::Result<usize> {
        if self.json {
            self.out.write_all(b"\n]\n")?;
        }
        self.out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        Ok(self.rows)
    }

    /// A line after RFC 4180. What a spreadsheet would take for a formula gets a quote in front.
    fn csv(&mut self, values: &[String]) -> io::Result<()> {
        for (i, value) in values.iter().enumerate() {
            if i > 0 {
                self.out.write_all(b",")?;
            }
            self.out.write_all(field(value).as_bytes())?;
        }
        self.out.write_all(b"\r\n")
    }
}

/// Writes the tasks that match, in order, a page at a time; answers how many.
///
/// # Errors
/// The file system's, or the broker's as one.
pub(crate) async fn tasks(
    broker: &dyn Broker,
    path: PathBuf,
    filter: Filter,
    order: Order,
) -> io::Result<usize> {
    let mut writer = blocking(move || Writer::create(&path, TASK_COLUMNS.to_vec())).await?;
    let mut from = From::First;
    let mut rows = 0;
    while rows < MOST {
        let query = Query {
            filter: filter.clone(),
            order,
            from,
            limit: MAX_PAGE,
        };
        let page = fetch_full_page(broker, query)
            .await
            .map_err(io::Error::other)?;
        let Some(last) = page.tasks.last() else { break };
        from = From::After(order.cursor(last));
        rows += page.tasks.len();
        writer = blocking(move || {
            for task in &page.tasks {
                writer.row(&task_row(task))?;
            }
            Ok(writer)
        })
        .await?;
    }
    blocking(move || writer.finish()).await
}

/// Why a file could not be written, in words.
pub(crate) fn why_not(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{} exists already; choose another name", path.display())
        }
        _ => format!("{}: {error}", path.display()),
    }
}

/// File work goes to a thread for it, so that a slow disk never holds up the screen.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

/// Writes rows that are at hand; answers how many.
///
/// # Errors
/// The file system's.
pub(crate) async fn table(
    path: PathBuf,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
) -> io::Result<usize> {
    blocking(move || {
        let mut writer = Writer::create(&path, columns)?;
        for row in &rows {
            writer.row(row)?;
        }
        writer.finish()
    })
    .await
}

const TASK_COLUMNS: [&str; 14] = [
    "id",
    "name",
    "args",
    "state",
    "result",
    "error",
    "attempts",
    "priority",
    "worker",
    "queue",
    "key",
    "submitted_us",
    "started_us",
    "finished_us",
];

fn task_row(task: &Task) -> Vec<String> {
    let time = |at: Option<Timestamp>| at.map_or(String::new(), |at| at.0.to_string());
    vec![
        task.id.to_string().trim_start_matches('#').to_owned(),
        task.name.to_string(),
        task.args.to_string(),
        task.state.word().to_owned(),
        task.result.as_deref().unwrap_or_default().to_owned(),
        task.error.as_deref().unwrap_or_default().to_owned(),
        task.attempts.to_string(),
        task.priority.to_string(),
        task.worker.map_or(String::new(), |w| w.to_string()),
        task.queue.as_deref().unwrap_or(DEFAULT_QUEUE).to_owned(),
        task.key
            .as_ref()
            .map_or(String::new(), |key| key.text.to_string()),
        task.submitted_at.0.to_string(),
        time(task.started_at),
        time(task.finished_at),
    ]
}

/// An object whose entries keep their order.
struct Ordered<'a>(Vec<(&'a str, &'a str)>);

impl serde::Serialize for Ordered<'_> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().copied())
    }
}

fn field(value: &str) -> String {
    let formula = value.starts_with(['=', '@', '\t', '\r'])
        || (value.starts_with(['+', '-']) && value.parse::<f64>().is_err());
    let guard = if formula { "'" } else { "" };
    if formula || value.contains(['"', ',', '\n', '\r']) {
        format!("\"{guard}{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, rows: &[[&str; 2]]) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        let mut writer = Writer::create(&path, vec!["a", "b"]).expect("new");
        for row in rows {
            writer.row(&row.map(str::to_owned)).expect("written");
        }
        assert_eq!(writer.finish().expect("ended"), rows.len());
        assert!(
            Writer::create(&path, vec![]).is_err(),
            "a file is never overwritten"
        );
        std::fs::read_to_string(path).expect("there")
    }

    #[test]
    fn csv_quotes_what_needs_it_and_disarms_formulas() {
        let rows = [["1", "two, \"three\""], ["=1+1", "-5"], ["-x", "a\nb"]];
        assert_eq!(
            written("x.csv", &rows),
            "a,b\r\n1,\"two, \"\"three\"\"\"\r\n\"'=1+1\",-5\r\n\"'-x\",\"a\nb\"\r\n"
        );
    }

    #[test]
    fn json_is_an_array_of_objects() {
        let text = written("x.json", &[["1", "é\u{1b}"], ["2", ""]]);
        assert_eq!(
            text,
            "[\n{\"a\":\"1\",\"b\":\"é\\u001b\"},\n{\"a\":\"2\",\"b\":\"\"}\n]\n"
        );
        assert_eq!(written("y.json", &[]), "[\n]\n");
    }
}

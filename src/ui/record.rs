//! Recording: everything that the screen's core received, with when, in a file. The same messages at the
//! same times make the same screens again, so a recording is also a fixture.
//!
//! ```text
//! "distro-tui recording 2\n"
//! u32 big-endian length, postcard Start
//! u32 big-endian length, postcard Frame, and so on; a tail that is cut off is left out
//! ```

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{
    effect::{EffectDone, Msg},
    key::{Code, Key},
    model::Header,
    verbs::Action,
};
use crate::{
    files,
    net::{
        rpc::wire::Role,
        trust::ticket::{contains_ticket, redact},
    },
    node::Locality,
    queue::{clock::Timestamp, id::TaskId, query::Page, task::Task},
};

/// What every recording begins with.
pub(super) const MAGIC: &[u8] = b"distro-tui recording 2\n";
/// No recording becomes larger, in bytes.
pub(super) const MOST: u64 = 1 << 30;

/// How a recording begins.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RecordingHeader {
    pub(super) at: Timestamp,
    /// How large the terminal was.
    pub(super) size: (u16, u16),
    fingerprint: String,
    addr: String,
    engine: String,
    role: Role,
    place: Locality,
    read_only: bool,
}

impl RecordingHeader {
    fn new(about: &Header, size: (u16, u16), at: Timestamp) -> Self {
        Self {
            at,
            size,
            fingerprint: about.fingerprint.clone(),
            addr: about.addr.clone(),
            engine: about.engine.clone(),
            role: about.role,
            place: about.place,
            read_only: about.read_only,
        }
    }

    pub(super) fn about(&self) -> Header {
        Header {
            fingerprint: self.fingerprint.clone(),
            addr: self.addr.clone(),
            engine: self.engine.clone(),
            role: self.role,
            place: self.place,
            read_only: self.read_only,
        }
    }
}

/// Something that was received.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Frame {
    /// Microseconds after the frame before.
    pub(super) after: u64,
    pub(super) what: Received,
}

/// What was received; the same as [`FrameRef`], owned.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Received {
    Msg(Box<Msg>),
    /// Most rows of a page of tasks were in the page before: those are only pointed at.
    Tasks {
        number: u64,
        rows: Option<Vec<Row<Task>>>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Row<T> {
    /// As in the page before, at this place.
    Same(u32),
    New(T),
}

/// What is written, without being copied first.
#[derive(Serialize)]
enum FrameRef<'a> {
    Msg(&'a Msg),
    Tasks {
        number: u64,
        rows: Option<Vec<Row<&'a Task>>>,
    },
}

#[derive(Serialize)]
struct Written<'a> {
    after: u64,
    what: FrameRef<'a>,
}

/// A recording being made.
#[derive(Debug)]
pub(super) struct Recorder {
    out: BufWriter<File>,
    last: Timestamp,
    bytes: u64,
    /// The rows of the page before.
    rows: Vec<Task>,
}

impl Recorder {
    /// Makes the file; one that is there already is left alone. What is on a screen is not for everybody,
    /// so only its user can read it.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            out: BufWriter::new(files::create_new(path)?),
            last: Timestamp::default(),
            bytes: 0,
            rows: Vec::new(),
        })
    }

    pub(super) fn begin(
        &mut self,
        about: &Header,
        size: (u16, u16),
        now: Timestamp,
    ) -> io::Result<()> {
        self.last = now;
        self.out.write_all(MAGIC)?;
        self.frame(&RecordingHeader::new(about, size, now))
    }

    /// Writes what was received, with the line that was being typed on before it and after. A recording is
    /// for others to see: what lets its bearer in is left out. A ticket that is typed is written as one for
    /// nothing, all at once.
    pub(super) fn put(
        &mut self,
        now: Timestamp,
        msg: &Msg,
        before: Option<&str>,
        after: Option<&str>,
    ) -> io::Result<()> {
        let holds = |line: &&str| contains_ticket(line);
        let Some(line) = before.filter(holds).or(after.filter(holds)) else {
            return self.write_msg(now, msg);
        };
        match msg {
            Msg::Paste(_) => Ok(()),
            Msg::Key(key) if matches!(key.code, Code::Char(_)) && !key.ctrl => Ok(()),
            Msg::Key(Key {
                code: Code::Enter, ..
            }) => {
                let clear = Key {
                    ctrl: true,
                    ..Key::plain(Code::Char('u'))
                };
                self.write_msg(now, &Msg::Key(clear))?;
                self.write_msg(now, &Msg::Paste(redact(line)))?;
                self.write_msg(now, msg)
            }
            _ => self.write_msg(now, msg),
        }
    }

    fn write_msg(&mut self, now: Timestamp, msg: &Msg) -> io::Result<()> {
        let now = now.max(self.last);
        let after = now.0 - self.last.0;
        self.last = now;
        let redacted = redacted(msg);
        let what = match redacted.as_ref().unwrap_or(msg) {
            Msg::Tasks { number, page } => FrameRef::Tasks {
                number: *number,
                rows: page.as_ref().map(|page| difference(&self.rows, page)),
            },
            other => FrameRef::Msg(other),
        };
        let body = encoded(&Written { after, what })?;
        if let Msg::Tasks {
            page: Some(page), ..
        } = msg
        {
            self.rows.clone_from(&page.tasks);
        }
        self.write(&body)
    }

    fn frame<T: Serialize>(&mut self, frame: &T) -> io::Result<()> {
        self.write(&encoded(frame)?)
    }

    fn write(&mut self, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        self.bytes += body.len() as u64 + 4;
        if self.bytes > MOST {
            return Err(io::Error::other("a recording has at most 1 GiB"));
        }
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(body)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Err(error) = self.out.flush() {
            tracing::warn!(%error, "the end of the recording is lost");
        }
    }
}

fn encoded<T: Serialize>(frame: &T) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(frame).map_err(io::Error::other)
}

fn difference<'a>(before: &[Task], page: &'a Page) -> Vec<Row<&'a Task>> {
    let places: HashMap<TaskId, usize> = before
        .iter()
        .enumerate()
        .map(|(i, task)| (task.id, i))
        .collect();
    let row = |task: &'a Task| {
        let at = places.get(&task.id).copied();
        let same = at.filter(|at| before.get(*at) == Some(task));
        match same.and_then(|at| u32::try_from(at).ok()) {
            Some(at) => Row::Same(at),
            None => Row::New(task),
        }
    };
    page.tasks.iter().map(row).collect()
}

/// The same message without what lets its bearer in.
fn redacted(msg: &Msg) -> Option<Msg> {
    match msg {
        Msg::Paste(text) if contains_ticket(text) => Some(Msg::Paste(redact(text))),
        Msg::EffectDone(done) if done.action == Action::Ticket && done.result.is_ok() => {
            Some(Msg::EffectDone(EffectDone {
                result: Ok("(not recorded)".into()),
                ..done.clone()
            }))
        }
        _ => None,
    }
}

/// The rows of a page, from what was recorded of it and the page before.
pub(super) fn rows(before: &[Task], recorded: Vec<Row<Task>>) -> Vec<Task> {
    let row = |row: Row<Task>| match row {
        Row::New(task) => Some(task),
        Row::Same(at) => before.get(usize::try_from(at).ok()?).cloned(),
    };
    recorded.into_iter().filter_map(row).collect()
}

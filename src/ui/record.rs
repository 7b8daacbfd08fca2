//! Recording: a file with every message to the screen's core and its time. The same messages produce the
//! same screens again, so a recording is also a test fixture.
//!
//! ```text
//! "distro-tui recording 4\n"
//! u32 big-endian length, postcard RecordingHeader
//! u32 big-endian length, postcard Frame, and so on; an incomplete last frame is ignored
//! ```

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{
    action::Action,
    effect::{EffectDone, Msg},
    key::{Key, KeyCode},
    model::Header,
};
use crate::{
    files,
    net::trust::ticket::{contains_ticket, redact},
    queue::{clock::Timestamp, id::TaskId, query::Page, task::Task},
};

/// The first bytes of every recording.
pub(super) const MAGIC: &[u8] = b"distro-tui recording 4\n";
/// The maximum size of a recording, in bytes.
pub(super) const MAX_BYTES: u64 = 1 << 30;

/// The maximum number of cells of a recorded terminal; a replay draws it for every key.
pub(super) const MAX_CELLS: u32 = 400_000;

/// Returns true for the size of a terminal that can be recorded.
pub(super) fn is_recordable((width, height): (u16, u16)) -> bool {
    u32::from(width) * u32::from(height) <= MAX_CELLS
}

/// The first frame of a recording.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RecordingHeader {
    pub(super) at: Timestamp,
    /// The size of the terminal.
    pub(super) size: (u16, u16),
    pub(super) header: Header,
}

/// A recorded message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Frame {
    /// Microseconds since the previous frame.
    pub(super) after: u64,
    pub(super) message: FrameBody,
}

/// The body of a frame; the owned form of [`FrameBodyRef`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FrameBody {
    Msg(Box<Msg>),
    /// A page of tasks. Most rows repeat the previous page, and those are only references.
    Tasks {
        number: u64,
        rows: Option<Vec<RecordedRow<Task>>>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum RecordedRow<T> {
    /// The row at this index of the previous page.
    Same(u32),
    New(T),
}

/// The body of a frame, borrowed for writing.
#[derive(Serialize)]
enum FrameBodyRef<'a> {
    Msg(&'a Msg),
    Tasks {
        number: u64,
        rows: Option<Vec<RecordedRow<&'a Task>>>,
    },
}

#[derive(Serialize)]
struct FrameRef<'a> {
    after: u64,
    message: FrameBodyRef<'a>,
}

/// A recording that is being written.
#[derive(Debug)]
pub(super) struct Recorder {
    out: BufWriter<File>,
    last: Timestamp,
    bytes: u64,
    /// The rows of the previous page.
    rows: Vec<Task>,
}

impl Recorder {
    /// Creates the file, readable only by its user; fails if it exists.
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
        header: &Header,
        size: (u16, u16),
        now: Timestamp,
    ) -> io::Result<()> {
        if !is_recordable(size) {
            return Err(io::Error::other("the terminal is too large to be recorded"));
        }
        self.last = now;
        self.out.write_all(MAGIC)?;
        self.write_frame(&RecordingHeader {
            at: now,
            size,
            header: header.clone(),
        })
    }

    /// Writes a message; `before` and `after` are the typed text around it. Recordings are meant for
    /// sharing, so secrets are left out: a typed ticket is recorded redacted, as one paste.
    pub(super) fn record(
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
            Msg::Key(key) if key.typed().is_some() => Ok(()),
            // The line may be submitted now, or edited: it is written as it should have been typed.
            Msg::Key(_) if before.is_some_and(contains_ticket) => {
                let clear = Key {
                    ctrl: true,
                    ..Key::plain(KeyCode::Char('u'))
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
        let message = match redacted.as_ref().unwrap_or(msg) {
            Msg::Tasks { number, page } => FrameBodyRef::Tasks {
                number: *number,
                rows: page.as_ref().map(|page| difference(&self.rows, page)),
            },
            other => FrameBodyRef::Msg(other),
        };
        let body = encode(&FrameRef { after, message })?;
        if let Msg::Tasks {
            page: Some(page), ..
        } = msg
        {
            self.rows = page.tasks().cloned().collect();
        }
        self.write(&body)
    }

    fn write_frame<T: Serialize>(&mut self, frame: &T) -> io::Result<()> {
        self.write(&encode(frame)?)
    }

    fn write(&mut self, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        self.bytes += body.len() as u64 + 4;
        if self.bytes > MAX_BYTES {
            return Err(io::Error::other("a recording is limited to 1 GiB"));
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

fn encode<T: Serialize>(frame: &T) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(frame).map_err(io::Error::other)
}

fn difference<'a>(before: &[Task], page: &'a Page) -> Vec<RecordedRow<&'a Task>> {
    let positions: HashMap<&TaskId, usize> = before
        .iter()
        .enumerate()
        .map(|(i, task)| (&task.id, i))
        .collect();
    let row = |task: &'a Task| {
        let at = positions.get(&task.id).copied();
        let same = at.filter(|at| before.get(*at) == Some(task));
        match same.and_then(|at| u32::try_from(at).ok()) {
            Some(at) => RecordedRow::Same(at),
            None => RecordedRow::New(task),
        }
    };
    page.tasks().map(row).collect()
}

/// Returns the message without secrets, if it has any.
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

/// Restores the rows of a page from the recorded ones and the previous page.
pub(super) fn rows(before: &[Task], recorded: Vec<RecordedRow<Task>>) -> Vec<Task> {
    let row = |row: RecordedRow<Task>| match row {
        RecordedRow::New(task) => Some(task),
        RecordedRow::Same(at) => before.get(usize::try_from(at).ok()?).cloned(),
    };
    recorded.into_iter().filter_map(row).collect()
}

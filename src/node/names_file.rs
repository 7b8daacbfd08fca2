//! The file of registered names: checksummed lines of JSON, of which a later one wins.
//!
//! ```text
//! 58ce3b2a {"version":1}
//! 7a1d0c44 {"put":{"id":1,"record":{"name":"server","uri":"distro:server@127.0.0.1:4433",…}}}
//! 0b62f911 {"removed":{"name":"server","owner":[…]}}
//! ```
//!
//! Opening it cuts off an unfinished last line, keeps a copy if other lines are damaged, and replaces
//! the file by the names that are left. It is replaced again whenever it has outgrown them.

#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use crate::{
    files,
    net::{
        naming::{JournalEntry, StoredRegistration},
        trust::principal::Principal,
    },
};

const FILE: &str = "names.journal";
const VERSION: u32 = 1;
/// Size up to which the file is not worth replacing, in bytes.
const MIN_COMPACT: u64 = 1 << 20;
/// The growth factor since the last replacement at which the file is compacted.
const GROWTH: u64 = 4;

/// One line, after its checksum.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum JournalLine<'a> {
    Version(u32),
    Put(Cow<'a, StoredRegistration>),
    Removed {
        name: Cow<'a, str>,
        owner: Principal,
    },
}

/// The content of a file.
#[derive(Debug, Default, PartialEq)]
struct JournalContent {
    names: BTreeMap<(String, Principal), StoredRegistration>,
    /// Lines that are not what was written.
    damaged: usize,
    /// The format's version, if it is a newer one.
    newer: Option<u32>,
}

/// The open file.
pub(super) struct NamesFile {
    path: PathBuf,
    file: File,
    /// Bytes that hold acknowledged entries; nothing behind them counts.
    length: u64,
    /// Bytes of a failed write may follow.
    torn: bool,
    compact_at: u64,
    /// Flush each write to disk.
    sync: bool,
    /// Removals that could not be written yet.
    unwritten: BTreeSet<(String, Principal)>,
}

impl NamesFile {
    /// Opens or creates the file in a folder and returns the names in it. With `sync`, what is appended
    /// survives a power loss, otherwise a crash of the program.
    ///
    /// # Errors
    /// The system's, or that the file was written by a newer version.
    pub(super) fn open(folder: &Path, sync: bool) -> io::Result<(Self, Vec<StoredRegistration>)> {
        let path = path(folder);
        let content = match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            content => content?,
        };
        let JournalContent {
            names,
            damaged,
            newer,
        } = replay(&content);
        if let Some(version) = newer {
            let why = format!("it is of version {version}; use a newer distro-tui");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        if damaged > 0 {
            let copy = copy_name(&path);
            // The file is replaced below, which leaves the damaged one under this name.
            fs::hard_link(&path, &copy)?;
            let (path, copy, salvaged) = (path.display(), copy.display(), names.len());
            tracing::error!(%path, %copy, damaged, salvaged, "the file of names is damaged");
        }
        let (file, length) = write_all(&path, names.values())?;
        let file = Self {
            path,
            file,
            length,
            torn: false,
            compact_at: compact_at(length),
            sync,
            unwritten: BTreeSet::new(),
        };
        Ok((file, names.into_values().collect()))
    }

    /// Appends entries, all of them or none. Removals that failed are repeated by the next call.
    pub(super) fn append(&mut self, entries: &[JournalEntry]) -> io::Result<()> {
        let mut lines = Vec::new();
        for (name, owner) in &self.unwritten {
            write_line(&mut lines, &removed(name, *owner))?;
        }
        for entry in entries {
            write_line(&mut lines, &line(entry))?;
        }
        let appended = self.write(&lines);
        if appended.is_err() {
            self.unwritten.extend(entries.iter().filter_map(removal));
        } else {
            self.unwritten.clear();
            self.compact();
        }
        appended
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
        }
        self.torn = true;
        self.file.write_all_at(lines, self.length)?;
        if self.sync {
            self.file.sync_data()?;
        }
        self.torn = false;
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Replaces the file if it has outgrown the names in it. On failure the old one stays in use.
    fn compact(&mut self) {
        if self.length < self.compact_at {
            return;
        }
        let replaced = fs::read(&self.path)
            .and_then(|content| write_all(&self.path, replay(&content).names.values()));
        match replaced {
            Ok((file, length)) => {
                self.file = file;
                self.length = length;
            }
            Err(error) => tracing::warn!(%error, "the file of names cannot be made smaller"),
        }
        self.compact_at = compact_at(self.length);
    }
}

/// Returns the path of the file in a data folder.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

fn copy_name(path: &Path) -> PathBuf {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    path.with_extension(format!("journal.damaged-{}", now.as_millis()))
}

const fn compact_at(length: u64) -> u64 {
    match length.saturating_mul(GROWTH) {
        large if large > MIN_COMPACT => large,
        _ => MIN_COMPACT,
    }
}

/// Replaces the file by one with these names; returns the new one and its length.
fn write_all<'a>(
    path: &Path,
    names: impl Iterator<Item = &'a StoredRegistration>,
) -> io::Result<(File, u64)> {
    let mut lines = Vec::new();
    write_line(&mut lines, &JournalLine::Version(VERSION))?;
    for registration in names {
        write_line(&mut lines, &JournalLine::Put(Cow::Borrowed(registration)))?;
    }
    files::replace(path, &lines)?;
    Ok((files::open(path)?, lines.len() as u64))
}

fn write_line(lines: &mut Vec<u8>, line: &JournalLine<'_>) -> io::Result<()> {
    let text = serde_json::to_string(line)?;
    let checksum = crc32fast::hash(text.as_bytes());
    writeln!(lines, "{checksum:08x} {text}")
}

/// Reads a file. What follows the last line break was never acknowledged.
fn replay(content: &[u8]) -> JournalContent {
    let mut replay = JournalContent::default();
    let lines = content.split_inclusive(|byte| *byte == b'\n');
    for line in lines.filter_map(|line| line.strip_suffix(b"\n")) {
        match read_line(line) {
            Some(line) => apply(line, &mut replay),
            None => replay.damaged += 1,
        }
    }
    replay
}

/// Returns what a line says, or `None` if it is not what was written.
fn read_line(line: &[u8]) -> Option<JournalLine<'static>> {
    let (checksum, text) = str::from_utf8(line).ok()?.split_once(' ')?;
    let whole = checksum == format!("{:08x}", crc32fast::hash(text.as_bytes()));
    whole.then(|| serde_json::from_str(text).ok()).flatten()
}

fn apply(line: JournalLine<'_>, replay: &mut JournalContent) {
    match line {
        JournalLine::Version(version) => {
            replay.newer = (version > VERSION).then_some(version).or(replay.newer);
        }
        JournalLine::Put(registration) => {
            let registration = registration.into_owned();
            let key = (registration.record.name.clone(), registration.record.owner);
            replay.names.insert(key, registration);
        }
        JournalLine::Removed { name, owner } => {
            replay.names.remove(&(name.into_owned(), owner));
        }
    }
}

fn line(entry: &JournalEntry) -> JournalLine<'_> {
    match entry {
        JournalEntry::Put(registration) => JournalLine::Put(Cow::Borrowed(registration)),
        JournalEntry::Removed { name, owner } => removed(name, *owner),
    }
}

fn removed(name: &str, owner: Principal) -> JournalLine<'_> {
    JournalLine::Removed {
        name: Cow::Borrowed(name),
        owner,
    }
}

fn removal(entry: &JournalEntry) -> Option<(String, Principal)> {
    match entry {
        JournalEntry::Removed { name, owner } => Some((name.clone(), *owner)),
        JournalEntry::Put(_) => None,
    }
}

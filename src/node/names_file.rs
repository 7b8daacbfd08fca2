//! The file of registered names: checksummed lines of JSON, of which a later one wins.
//!
//! ```text
//! 58ce3b2a {"version":1}
//! 7a1d0c44 {"put":{"id":1,"name":"server","owner":"aaaqc…","uri":"distro:server@127.0.0.1:4433",…}}
//! 0b62f911 {"removed":{"name":"server","owner":"aaaqc…"}}
//! 51c4be20 {"evicted":{"owner":"aaaqc…","up_to":17}}
//! ```
//!
//! Opening it cuts off an unfinished last line, keeps a copy if other lines are damaged, and replaces
//! the file by the names that are left. It is replaced again whenever it has outgrown them.

mod line;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use self::line::{JournalLine, read_line, write_line};
use crate::{
    files::{self, FileIdentity},
    health::{FindingKind, Findings},
    net::{
        naming::{JournalEntry, StoredRegistration},
        trust::principal::Principal,
    },
    text::pluralize,
};

const FILE: &str = "names.journal";
const VERSION: u32 = 1;
/// Size up to which the file is not worth replacing, in bytes.
const MIN_COMPACT: u64 = 1 << 20;
/// The growth factor since the last replacement at which the file is compacted.
const GROWTH: u64 = 4;

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
    /// Removals that could not be written yet, in order.
    unwritten: Vec<JournalEntry>,
}

impl NamesFile {
    /// Opens or creates the file in a folder and returns the names in it. With `sync`, what is appended
    /// survives a power loss, otherwise a crash of the program.
    ///
    /// # Errors
    /// The system's, or that the file was written by a newer version.
    pub(super) fn open(
        folder: &Path,
        sync: bool,
        findings: &Findings,
    ) -> io::Result<(Self, Vec<StoredRegistration>)> {
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
            let (damaged, salvaged) = (pluralize(damaged, "line"), pluralize(salvaged, "name"));
            let text = format!(
                "{path} was damaged: {damaged} cannot be read, {salvaged} salvaged; a copy is at {copy}"
            );
            findings.report(FindingKind::NamesSalvaged, &copy.to_string(), &text);
        }
        let (file, length) = match write_all(&path, names.values()) {
            // A full disk: the file is used as it is, behind its last whole line.
            Err(error) if damaged == 0 && !content.is_empty() => {
                tracing::warn!(%error, "the file of names cannot be made smaller");
                let whole = content.iter().rposition(|byte| *byte == b'\n');
                (files::open(&path)?, whole.map_or(0, |at| at as u64 + 1))
            }
            written => written?,
        };
        let file = Self {
            path,
            file,
            length,
            torn: length != content.len() as u64,
            compact_at: compact_at(length),
            sync,
            unwritten: Vec::new(),
        };
        Ok((file, names.into_values().collect()))
    }

    /// Appends entries, all of them or none. Removals that failed are repeated by the next call.
    pub(super) fn append(&mut self, entries: &[JournalEntry]) -> io::Result<()> {
        let mut lines = Vec::new();
        for entry in self.unwritten.iter().chain(entries) {
            write_line(&mut lines, &entry.into())?;
        }
        let appended = self.write(&lines);
        if appended.is_err() {
            let is_removal = |entry: &&JournalEntry| !matches!(entry, JournalEntry::Put(_));
            self.unwritten
                .extend(entries.iter().filter(is_removal).cloned());
        } else {
            self.unwritten.clear();
            self.compact();
        }
        appended
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.verify()?;
        if self.torn {
            self.file.set_len(self.length)?;
        }
        self.torn = true;
        self.file.write_all_at(lines, self.length)?;
        if self.sync {
            self.file.sync_data()?;
        }
        self.verify()?;
        self.torn = false;
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Checks that the file was neither deleted nor replaced: what is appended then is lost.
    fn verify(&self) -> io::Result<()> {
        let file = FileIdentity::of_file(&self.file)?;
        file.verify(&self.path).map_err(io::Error::other)
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
        write_line(&mut lines, &registration.into())?;
    }
    files::replace(path, &lines)?;
    Ok((files::open(path)?, lines.len() as u64))
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

fn apply(line: JournalLine<'_>, replay: &mut JournalContent) {
    match line {
        JournalLine::Version(version) => {
            replay.newer = (version > VERSION).then_some(version).or(replay.newer);
        }
        JournalLine::Put(registration) => {
            let registration = StoredRegistration::from(registration);
            let key = (registration.record.name.clone(), registration.record.owner);
            replay.names.insert(key, registration);
        }
        JournalLine::Removed { name, owner } => {
            replay.names.remove(&(name.into_owned(), owner.0));
        }
        JournalLine::Evicted { owner, up_to } => {
            let is_evicted =
                |of: &Principal, stored: &StoredRegistration| *of == owner.0 && stored.id <= up_to;
            replay
                .names
                .retain(|(_, of), stored| !is_evicted(of, stored));
        }
    }
}

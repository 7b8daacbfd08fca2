//! The file of registered names: checksummed lines of JSON, of which a later one wins.
//!
//! ```text
//! 58ce3b2a {"version":1}
//! 7a1d0c44 {"put":{"name":"server","owner":"…","id":1,"uri":"distro:server@127.0.0.1:4433",…}}
//! 0b62f911 {"removed":{"name":"server","owner":"…"}}
//! ```
//!
//! Opening it cuts off an unfinished last line, keeps a copy if other lines are damaged, and replaces
//! the file by the names that are left. It is replaced again whenever it has outgrown them.

use std::{
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
        naming::{Health, JournalEntry, Record, StoredRegistration},
        trust::principal::Principal,
    },
};

const FILE: &str = "names.journal";
const VERSION: u32 = 1;
/// Size up to which the file is not worth replacing, in bytes.
const MIN_COMPACT: u64 = 1 << 20;
/// How much larger than after the last replacement it may become.
const GROWTH: u64 = 4;

/// One line, after its checksum.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Version(u32),
    Put {
        name: String,
        owner: String,
        id: u64,
        uri: String,
        tags: Vec<String>,
        lease_ms: Option<u64>,
        exclusive: bool,
    },
    Removed {
        name: String,
        owner: String,
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
    write_line(&mut lines, &Line::Version(VERSION))?;
    for registration in names {
        write_line(&mut lines, &put(registration))?;
    }
    files::replace(path, &lines)?;
    Ok((files::open(path)?, lines.len() as u64))
}

fn write_line(lines: &mut Vec<u8>, line: &Line) -> io::Result<()> {
    let text = serde_json::to_string(line)?;
    let checksum = crc32fast::hash(text.as_bytes());
    writeln!(lines, "{checksum:08x} {text}")
}

/// Reads a file. What follows the last line break was never acknowledged.
fn replay(content: &[u8]) -> JournalContent {
    let mut replay = JournalContent::default();
    let lines = content.split_inclusive(|byte| *byte == b'\n');
    for line in lines.filter_map(|line| line.strip_suffix(b"\n")) {
        let applied = read_line(line).and_then(|line| apply(line, &mut replay));
        replay.damaged += usize::from(applied.is_none());
    }
    replay
}

/// Returns what a line says, or `None` if it is not what was written.
fn read_line(line: &[u8]) -> Option<Line> {
    let (checksum, text) = str::from_utf8(line).ok()?.split_once(' ')?;
    let whole = checksum == format!("{:08x}", crc32fast::hash(text.as_bytes()));
    whole.then(|| serde_json::from_str(text).ok()).flatten()
}

fn apply(line: Line, replay: &mut JournalContent) -> Option<()> {
    match line {
        Line::Version(version) => {
            replay.newer = (version > VERSION).then_some(version).or(replay.newer);
        }
        Line::Put {
            name,
            owner,
            id,
            uri,
            tags,
            lease_ms,
            exclusive,
        } => {
            let owner = owner.parse().ok()?;
            let record = Record {
                name: name.clone(),
                uri,
                owner,
                tags,
                lease_ms,
                health: Health::Suspect,
                exclusive,
            };
            let registration = StoredRegistration { id, record };
            replay.names.insert((name, owner), registration);
        }
        Line::Removed { name, owner } => {
            replay.names.remove(&(name, owner.parse().ok()?));
        }
    }
    Some(())
}

fn line(entry: &JournalEntry) -> Line {
    match entry {
        JournalEntry::Put(registration) => put(registration),
        JournalEntry::Removed { name, owner } => removed(name, *owner),
    }
}

fn put(StoredRegistration { id, record }: &StoredRegistration) -> Line {
    Line::Put {
        name: record.name.clone(),
        owner: record.owner.to_string(),
        id: *id,
        uri: record.uri.clone(),
        tags: record.tags.clone(),
        lease_ms: record.lease_ms,
        exclusive: record.exclusive,
    }
}

fn removed(name: &str, owner: Principal) -> Line {
    Line::Removed {
        name: name.to_owned(),
        owner: owner.to_string(),
    }
}

fn removal(entry: &JournalEntry) -> Option<(String, Principal)> {
    match entry {
        JournalEntry::Removed { name, owner } => Some((name.clone(), *owner)),
        JournalEntry::Put(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn registration(name: &str, id: u64) -> StoredRegistration {
        StoredRegistration {
            id,
            record: Record {
                name: name.into(),
                uri: "distro:x@127.0.0.1:1".into(),
                owner: crate::net::trust::key::PublicKey::from_bytes([7; 32]).into(),
                tags: vec!["a \"tag\"\n".into()],
                lease_ms: Some(15_000),
                health: Health::Suspect,
                exclusive: true,
            },
        }
    }

    fn put(name: &str, id: u64) -> JournalEntry {
        JournalEntry::Put(registration(name, id))
    }

    fn remove(name: &str) -> JournalEntry {
        JournalEntry::Removed {
            name: name.into(),
            owner: crate::net::trust::key::PublicKey::from_bytes([7; 32]).into(),
        }
    }

    fn names(folder: &Path) -> Vec<StoredRegistration> {
        NamesFile::open(folder, true).expect("opens").1
    }

    fn copies(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let damaged = names.filter(|name| name.to_string_lossy().contains("damaged"));
        damaged.count()
    }

    #[test]
    fn names_are_there_at_the_next_start() {
        let home = tempfile::tempdir().expect("a folder");
        let (mut file, none) = NamesFile::open(home.path(), true).expect("opens");
        assert_eq!(none, []);
        let entries = [put("a", 1), put("b", 2), put("a", 3), remove("b")];
        file.append(&entries[..2]).expect("appended");
        file.append(&entries[2..]).expect("appended");
        drop(file);
        let mode = fs::metadata(path(home.path())).expect("exists");
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        for _ in 0..2 {
            assert_eq!(names(home.path()), [registration("a", 3)]);
        }
    }

    #[test]
    fn a_torn_tail_is_cut_off() {
        let home = tempfile::tempdir().expect("a folder");
        let (mut file, _) = NamesFile::open(home.path(), true).expect("opens");
        file.append(&[put("a", 1)]).expect("appended");
        let whole = file.length;
        file.append(&[put("b", 2)]).expect("appended");
        let content = fs::read(path(home.path())).expect("readable");
        let whole = usize::try_from(whole).expect("short");
        for cut in whole..content.len() {
            fs::write(path(home.path()), &content[..cut]).expect("written");
            assert_eq!(names(home.path()), [registration("a", 1)], "cut at {cut}");
            // What follows is not appended to the tail.
            let (mut file, _) = NamesFile::open(home.path(), true).expect("opens");
            file.append(&[put("c", 3)]).expect("appended");
            let after = [registration("a", 1), registration("c", 3)];
            assert_eq!(names(home.path()), after, "cut at {cut}");
        }
        assert_eq!(copies(home.path()), 0);
    }

    #[test]
    fn a_flipped_byte_costs_its_line_and_is_reported() {
        let home = tempfile::tempdir().expect("a folder");
        let (mut file, _) = NamesFile::open(home.path(), true).expect("opens");
        file.append(&[put("a", 1), put("b", 2), put("c", 3)])
            .expect("appended");
        let all = names(home.path());
        let content = fs::read(path(home.path())).expect("readable");
        let breaks = content.iter().enumerate().filter(|(_, b)| **b == b'\n');
        let breaks: Vec<usize> = breaks.map(|(at, _)| at).collect();
        for at in 0..content.len() {
            let mut damaged = content.clone();
            damaged[at] ^= 1;
            let line = breaks.iter().filter(|end| **end < at).count();
            let mut expected: Vec<_> = all.clone();
            // Without the break between them, two lines are one that is damaged; without the last one,
            // the line is not finished.
            let lost = line..=line + usize::from(breaks.contains(&at));
            let mut number = 0;
            expected.retain(|_| {
                number += 1;
                !lost.contains(&number)
            });
            let replay = replay(&damaged);
            assert_eq!(
                replay.names.into_values().collect::<Vec<_>>(),
                expected,
                "byte {at}"
            );
            let last = at == content.len() - 1;
            assert_eq!(replay.damaged > 0, !last, "byte {at}");
        }
        let mut damaged = content.clone();
        damaged[breaks[1] + 20] ^= 1;
        fs::write(path(home.path()), &damaged).expect("written");
        let expected = [registration("a", 1), registration("c", 3)];
        assert_eq!(names(home.path()), expected);
        assert_eq!(copies(home.path()), 1, "the damaged file is kept");
        assert_eq!(names(home.path()), expected);
        assert_eq!(copies(home.path()), 1, "and reported once");
    }

    #[test]
    fn a_newer_version_is_left_alone() {
        let home = tempfile::tempdir().expect("a folder");
        let mut lines = Vec::new();
        write_line(&mut lines, &Line::Version(VERSION + 1)).expect("text");
        fs::write(path(home.path()), &lines).expect("written");
        let refused = NamesFile::open(home.path(), true).err().expect("newer");
        assert!(refused.to_string().contains("newer"), "{refused}");
        assert_eq!(fs::read(path(home.path())).expect("readable"), lines);
    }

    #[test]
    fn the_file_does_not_outgrow_its_names() {
        let home = tempfile::tempdir().expect("a folder");
        let (mut file, _) = NamesFile::open(home.path(), false).expect("opens");
        let many: Vec<_> = (0..1000).map(|id| put("a", id)).collect();
        for _ in 0..20 {
            file.append(&many).expect("appended");
            let length = fs::metadata(path(home.path())).expect("exists").len();
            assert!(length < 2 * MIN_COMPACT, "{length}");
        }
        assert_eq!(names(home.path()), [registration("a", 999)]);
    }

    #[test]
    fn a_write_that_fails_leaves_no_trace_and_removals_are_repeated() {
        let home = tempfile::tempdir().expect("a folder");
        let (mut file, _) = NamesFile::open(home.path(), true).expect("opens");
        file.append(&[put("a", 1), put("b", 2)]).expect("appended");
        let read_only = File::open(path(home.path())).expect("opens");
        let writable = std::mem::replace(&mut file.file, read_only);
        assert!(file.append(&[remove("b"), put("c", 3)]).is_err());
        file.file = writable;
        // As a write that was cut short leaves it.
        file.file.write_all_at(b"half", file.length).expect("space");
        file.append(&[put("d", 4)]).expect("appended");
        let expected = [registration("a", 1), registration("d", 4)];
        assert_eq!(names(home.path()), expected);
        assert_eq!(copies(home.path()), 0);
    }
}

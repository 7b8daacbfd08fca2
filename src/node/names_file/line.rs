//! The lines of the file of names: a checksum, and JSON that says what is registered or removed.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::net::{
    naming::{Health, JournalEntry, Record, ShareRule, StoredRegistration},
    trust::principal::Principal,
    uri::Uri,
};

/// One line, after its checksum.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum JournalLine<'a> {
    Version(u32),
    Put(PutLine<'a>),
    Removed {
        name: Cow<'a, str>,
        owner: OwnerText,
    },
    Evicted {
        owner: OwnerText,
        up_to: u64,
    },
}

/// A registration.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PutLine<'a> {
    id: u64,
    name: Cow<'a, str>,
    owner: OwnerText,
    uri: Cow<'a, Uri>,
    tags: Cow<'a, [String]>,
    lease_ms: Option<u64>,
    since: u64,
    share: ShareRule,
}

/// An owner, written as elsewhere: a key as its 52 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OwnerText(pub(super) Principal);

impl Serialize for OwnerText {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for OwnerText {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(d)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

impl<'a> From<&'a StoredRegistration> for JournalLine<'a> {
    fn from(stored: &'a StoredRegistration) -> Self {
        let record = &stored.record;
        Self::Put(PutLine {
            id: stored.id,
            name: Cow::Borrowed(&record.name),
            owner: OwnerText(record.owner),
            uri: Cow::Borrowed(&record.uri),
            tags: Cow::Borrowed(&record.tags),
            lease_ms: record.lease_ms,
            since: stored.since,
            share: record.share,
        })
    }
}

impl<'a> From<&'a JournalEntry> for JournalLine<'a> {
    fn from(entry: &'a JournalEntry) -> Self {
        match entry {
            JournalEntry::Put(stored) => stored.into(),
            JournalEntry::Removed { name, owner } => Self::Removed {
                name: Cow::Borrowed(name),
                owner: OwnerText(*owner),
            },
            JournalEntry::Evicted { owner, up_to } => Self::Evicted {
                owner: OwnerText(*owner),
                up_to: *up_to,
            },
        }
    }
}

impl From<PutLine<'_>> for StoredRegistration {
    fn from(line: PutLine<'_>) -> Self {
        Self {
            id: line.id,
            since: line.since,
            record: Record {
                name: line.name.into_owned(),
                uri: line.uri.into_owned(),
                owner: line.owner.0,
                tags: line.tags.into_owned(),
                lease_ms: line.lease_ms,
                health: Health::Suspect,
                share: line.share,
            },
        }
    }
}

/// Appends a line with its checksum.
pub(super) fn write_line(lines: &mut Vec<u8>, line: &JournalLine<'_>) -> io::Result<()> {
    let text = serde_json::to_string(line)?;
    let checksum = crc32fast::hash(text.as_bytes());
    writeln!(lines, "{checksum:08x} {text}")
}

/// Returns what a line says, or `None` if it is not what was written.
pub(super) fn read_line(line: &[u8]) -> Option<JournalLine<'static>> {
    let (checksum, text) = str::from_utf8(line).ok()?.split_once(' ')?;
    let whole = checksum == format!("{:08x}", crc32fast::hash(text.as_bytes()));
    whole.then(|| serde_json::from_str(text).ok()).flatten()
}

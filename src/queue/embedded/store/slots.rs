//! A small file beside the tasks that survives `kill -9`: which task each worker runs, so that a crash
//! is blamed on the tasks that really ran, and the highest id that was acknowledged, so that tasks
//! which a damaged file has lost are missed.
//!
//! Every entry is eight bytes at a place of its own and is written with one call and without waiting
//! for the disk: the system keeps what a process has written, however the process ends. A machine that
//! loses its power may lose the newest of it, and then nothing is blamed on anybody.

use std::{collections::BTreeSet, fs::File, io, os::unix::fs::FileExt, path::Path};

use crate::{files, queue::task::WorkerId};

/// Says what the file is, and in which version.
const MAGIC: &[u8; 8] = b"dtslots1";
/// Workers with a place; those with higher numbers are not noted.
const MAX_SLOTS: u16 = 1_024;
const WORD: usize = 8;
const ACKNOWLEDGED: u64 = 8;
const FIRST_SLOT: u64 = 16;
const LENGTH: usize = 16 + WORD * MAX_SLOTS as usize;

/// The open file.
#[derive(Debug)]
pub(in crate::queue) struct InFlightFile(File);

/// What the file said when it was opened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::queue) struct Noted {
    /// Tasks that were running.
    pub(in crate::queue) running: BTreeSet<u64>,
    /// The highest id that was acknowledged; 0 when none is known.
    pub(in crate::queue) acknowledged: u64,
}

impl InFlightFile {
    /// Opens or makes the file and reads what it says. What is no slot file says nothing.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Noted)> {
        let file = files::open(path)?;
        let mut bytes = vec![0; LENGTH];
        let mut length = 0;
        while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, length as u64)? {
                0 => break,
                read => length += read,
            }
        }
        Ok((Self(file), read(&bytes)))
    }

    /// Starts a new life: nobody runs anything, and this is the highest id. Whoever was blamed by the
    /// old one has been dealt with by now.
    pub(super) fn clear(&self, acknowledged: u64) -> io::Result<()> {
        let mut bytes = vec![0; LENGTH];
        if let Some(head) = bytes.first_chunk_mut() {
            *head = *MAGIC;
        }
        self.0.write_all_at(&bytes, 0)?;
        self.acknowledged(acknowledged);
        Ok(())
    }

    /// Notes what a worker runs; 0 is nothing. A place that cannot be written blames nobody, which is
    /// no reason to stop the work.
    pub(in crate::queue) fn put(&self, worker: WorkerId, task: u64) {
        if worker.0 < MAX_SLOTS {
            let place = FIRST_SLOT + u64::from(worker.0) * WORD as u64;
            self.0.write_all_at(&task.to_le_bytes(), place).ok();
        }
    }

    /// Notes the highest id that was acknowledged.
    pub(super) fn acknowledged(&self, id: u64) {
        self.0.write_all_at(&id.to_le_bytes(), ACKNOWLEDGED).ok();
    }
}

fn read(bytes: &[u8]) -> Noted {
    let (words, _) = bytes.as_chunks::<WORD>();
    let mut words = words.iter();
    if words.next() != Some(MAGIC) {
        return Noted::default();
    }
    Noted {
        acknowledged: words.next().map_or(0, |word| u64::from_le_bytes(*word)),
        running: words
            .map(|word| u64::from_le_bytes(*word))
            .filter(|id| *id != 0)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_told_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tasks.slots");
        {
            let (slots, noted) = InFlightFile::open(&path).expect("opens");
            assert_eq!(noted, Noted::default());
            slots.clear(0).expect("written");
            slots.put(WorkerId(1), 41);
            slots.put(WorkerId(2), 42);
            slots.put(WorkerId(2), 0);
            slots.put(WorkerId(9_999), 43);
            slots.acknowledged(77);
        }
        let (slots, noted) = InFlightFile::open(&path).expect("opens");
        assert_eq!(noted.running, BTreeSet::from([41]));
        assert_eq!(noted.acknowledged, 77);
        slots.clear(noted.acknowledged).expect("written");
        let (_, noted) = InFlightFile::open(&path).expect("opens");
        assert_eq!(
            (noted.running.len(), noted.acknowledged),
            (0, 77),
            "blamed once"
        );
    }

    #[test]
    fn what_is_no_slot_file_blames_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        for content in [&b""[..], b"short", &[7; 20_000]] {
            let path = folder.path().join("tasks.slots");
            std::fs::write(&path, content).expect("written");
            let (_, noted) = InFlightFile::open(&path).expect("opens");
            assert_eq!(noted, Noted::default());
        }
    }
}

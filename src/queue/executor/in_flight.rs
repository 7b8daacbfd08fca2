//! The in-flight record: a small file that survives `kill -9` and says which task each worker runs, so
//! that a crash is attributed to the tasks that really ran, and the highest acknowledged id, so that
//! tasks which a damaged task file has lost are reported missing.
//!
//! Every entry has eight bytes at a fixed offset and is written with one call, without a sync: the
//! system keeps what a process has written, however the process ends. After a power cut the newest
//! entries may be missing, and then no task is held responsible.

use std::{collections::BTreeSet, fs::File, io, os::unix::fs::FileExt, path::Path};

use crate::{
    files,
    queue::id::{TaskId, WorkerNumber},
};

/// The format and its version.
const MAGIC: &[u8; 8] = b"dtflght1";
/// Workers with an entry; those with higher numbers are not recorded.
const MAX_RECORDED: u16 = 1_024;
const ENTRY: usize = 8;
const LAST_ACKNOWLEDGED: u64 = 8;
const FIRST_WORKER: u64 = 16;
const LENGTH: usize = 16 + ENTRY * MAX_RECORDED as usize;

/// The open record.
#[derive(Debug)]
pub(in crate::queue) struct InFlightFile(File);

/// The contents of the file when it was opened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::queue) struct Recorded {
    /// The tasks that were running.
    pub(in crate::queue) running: BTreeSet<u64>,
    /// The highest acknowledged id; 0 when none is known.
    pub(in crate::queue) last_acknowledged: u64,
}

impl InFlightFile {
    /// Opens or creates the file and reads it. A file of another format counts as empty.
    pub(in crate::queue) fn open(path: &Path) -> io::Result<(Self, Recorded)> {
        let file = files::open(path)?;
        let mut bytes = vec![0; LENGTH];
        let mut length = 0;
        while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, length as u64)? {
                0 => break,
                read => length += read,
            }
        }
        Ok((Self(file), decode(&bytes)))
    }

    /// Empties the record but for the highest acknowledged id. The crash of the previous process has
    /// been attributed by now.
    pub(in crate::queue) fn reset(&self, last_acknowledged: u64) -> io::Result<()> {
        let mut bytes = vec![0; LENGTH];
        if let Some(head) = bytes.first_chunk_mut() {
            *head = *MAGIC;
        }
        self.0.write_all_at(&bytes, 0)?;
        self.record_acknowledged(last_acknowledged);
        Ok(())
    }

    /// Records the task that a worker runs, or that it runs none. Only tasks with a sequence number can be
    /// recorded. A failed write only loses the attribution of a crash, so it does not stop the worker.
    pub(in crate::queue) fn record(&self, worker: WorkerNumber, task: Option<&TaskId>) {
        let number = task.and_then(TaskId::sequence);
        if worker.0 < MAX_RECORDED {
            let offset = FIRST_WORKER + u64::from(worker.0) * ENTRY as u64;
            self.0
                .write_all_at(&number.unwrap_or_default().to_le_bytes(), offset)
                .ok();
        }
    }

    /// Records the highest acknowledged id.
    pub(in crate::queue) fn record_acknowledged(&self, id: u64) {
        self.0
            .write_all_at(&id.to_le_bytes(), LAST_ACKNOWLEDGED)
            .ok();
    }
}

fn decode(bytes: &[u8]) -> Recorded {
    let (entries, _) = bytes.as_chunks::<ENTRY>();
    let mut entries = entries.iter();
    if entries.next() != Some(MAGIC) {
        return Recorded::default();
    }
    Recorded {
        last_acknowledged: entries.next().map_or(0, |entry| u64::from_le_bytes(*entry)),
        running: entries
            .map(|entry| u64::from_le_bytes(*entry))
            .filter(|id| *id != 0)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_read_once_and_then_reset() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tasks.file");
        {
            let (file, recorded) = InFlightFile::open(&path).expect("opens");
            assert_eq!(recorded, Recorded::default());
            file.reset(0).expect("written");
            file.record(WorkerNumber(1), Some(&TaskId::Sequence(41)));
            file.record(WorkerNumber(2), Some(&TaskId::Sequence(42)));
            file.record(WorkerNumber(2), None);
            file.record(WorkerNumber(9_999), Some(&TaskId::Sequence(43)));
            file.record_acknowledged(77);
        }
        let (file, recorded) = InFlightFile::open(&path).expect("opens");
        assert_eq!(recorded.running, BTreeSet::from([41]));
        assert_eq!(recorded.last_acknowledged, 77);
        file.reset(recorded.last_acknowledged).expect("written");
        let (_, recorded) = InFlightFile::open(&path).expect("opens");
        assert_eq!(
            (recorded.running.len(), recorded.last_acknowledged),
            (0, 77),
            "attributed once"
        );
    }

    #[test]
    fn a_file_of_another_format_counts_as_empty() {
        let folder = tempfile::tempdir().expect("a folder");
        for content in [&b""[..], b"short", &[7; 20_000]] {
            let path = folder.path().join("tasks.file");
            std::fs::write(&path, content).expect("written");
            let (_, recorded) = InFlightFile::open(&path).expect("opens");
            assert_eq!(recorded, Recorded::default());
        }
    }
}

//! Power loss. A preloaded library (`power_loss/record.c`) records every file operation of a process. A
//! disk keeps synced data; of later writes it may keep any subset of sectors. From the recording, possible
//! disk states after a power loss at random moments are built, and every task acknowledged by then must
//! be on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::kill_recovery::{Ledger, listen, spawn_with};

/// Power losses in a default run.
const CUTS: usize = 40;
/// The unit that a disk writes atomically, in bytes.
const SECTOR: usize = 512;

/// A recorded operation of the process.
#[derive(Debug)]
enum Operation {
    Name(u32, String),
    Write(u32, usize, Vec<u8>),
    Truncate(u32, usize),
    Sync(u32),
    Unlink(u32),
    Output(String),
}

fn read(log: &[u8]) -> Vec<Operation> {
    let mut operations = Vec::new();
    let mut rest = log;
    while let Some((head, after)) = rest.split_first_chunk::<17>() {
        let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four"));
        let (file, length) = (number(&head[1..5]), number(&head[13..17]) as usize);
        let offset = u64::from_le_bytes(head[5..13].try_into().expect("eight")) as usize;
        let Some((data, after)) = after.split_at_checked(length) else {
            break;
        };
        rest = after;
        let text = || String::from_utf8_lossy(data).into_owned();
        operations.push(match head[0] {
            b'N' => Operation::Name(file, text()),
            b'W' => Operation::Write(file, offset, data.to_vec()),
            b'T' => Operation::Truncate(file, offset),
            b'S' => Operation::Sync(file),
            b'U' => Operation::Unlink(file),
            _ => Operation::Output(text()),
        });
    }
    operations
}

/// A write that was not synced, so that the disk may have lost it.
#[derive(Debug, Clone)]
enum Unsynced {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Unsynced {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, data) => {
                if bytes.len() < offset + data.len() {
                    bytes.resize(offset + data.len(), 0);
                }
                bytes[*offset..offset + data.len()].copy_from_slice(data);
            }
            Self::Truncate(length) => bytes.resize(*length, 0),
        }
    }
}

/// The synced content and the unsynced writes of each file, and the removed files that may come back.
#[derive(Debug, Default, Clone)]
struct Disk {
    names: BTreeMap<u32, String>,
    synced: BTreeMap<u32, Vec<u8>>,
    unsynced: BTreeMap<u32, Vec<Unsynced>>,
    unlinked: BTreeSet<u32>,
}

impl Disk {
    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Name(file, name) => {
                self.names.insert(*file, name.clone());
            }
            Operation::Write(file, offset, data) => {
                let unsynced = self.unsynced.entry(*file).or_default();
                unsynced.push(Unsynced::Write(*offset, data.clone()));
            }
            Operation::Truncate(file, length) => {
                let unsynced = self.unsynced.entry(*file).or_default();
                unsynced.push(Unsynced::Truncate(*length));
            }
            // The folder itself has the empty name; syncing it makes removals permanent.
            Operation::Sync(file) if self.names.get(file).is_some_and(String::is_empty) => {
                for gone in std::mem::take(&mut self.unlinked) {
                    self.synced.remove(&gone);
                    self.unsynced.remove(&gone);
                }
            }
            Operation::Sync(file) => {
                let bytes = self.synced.entry(*file).or_default();
                for unsynced in self.unsynced.remove(file).unwrap_or_default() {
                    unsynced.apply(bytes);
                }
                self.unlinked.remove(file);
            }
            Operation::Unlink(file) => {
                self.unlinked.insert(*file);
            }
            Operation::Output(_) => {}
        }
    }

    /// Writes a possible disk state after a power loss: any subset of the unsynced writes, and of large
    /// writes any subset of their sectors.
    fn after_cut(&self, folder: &Path, rng: &mut Rng) {
        for (file, name) in &self.names {
            let mut bytes = self.synced.get(file).cloned().unwrap_or_default();
            let unsynced = self.unsynced.get(file);
            if name.is_empty() || (unsynced.is_none() && !self.synced.contains_key(file)) {
                continue;
            }
            if self.unlinked.contains(file) && rng.coin() {
                continue;
            }
            for unsynced in unsynced.into_iter().flatten() {
                match unsynced {
                    Unsynced::Write(offset, data) if data.len() > SECTOR && rng.coin() => {
                        for (i, sector) in data.chunks(SECTOR).enumerate() {
                            if rng.coin() {
                                Unsynced::Write(offset + i * SECTOR, sector.to_vec())
                                    .apply(&mut bytes);
                            }
                        }
                    }
                    unsynced if rng.coin() => unsynced.apply(&mut bytes),
                    _ => {}
                }
            }
            fs::write(folder.join(name), bytes).expect("written");
        }
    }
}

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn coin(&mut self) -> bool {
        self.next() >> 20 & 1 == 1
    }
}

fn recorder(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/queue/power_loss/record.c");
    let library = folder.join("record.so");
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .args([&library, &source])
        .args(["-ldl", "-lpthread"])
        .status();
    assert!(made.expect("a C compiler").success());
    library
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_at_any_moment() {
    let tools = tempfile::tempdir().expect("a folder");
    let home = tempfile::tempdir().expect("a folder");
    let log = tools.path().join("log");
    let library = recorder(tools.path());
    let child = spawn_with(
        home.path(),
        0,
        &[
            ("LD_PRELOAD", library.as_path()),
            ("RECORD_DIR", home.path()),
            ("RECORD_LOG", &log),
        ],
    );
    listen(
        child,
        &mut Ledger::default(),
        Some(Duration::from_millis(400)),
    );
    let operations = read(&fs::read(&log).expect("recorded"));
    let acknowledged = |operation: &Operation| matches!(operation, Operation::Output(text) if text.starts_with("A "));
    let first = operations
        .iter()
        .position(acknowledged)
        .expect("something was acknowledged");
    let mut rng = Rng(0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()));
    let span = operations.len() - first;
    let mut cuts: Vec<usize> = (0..CUTS)
        .map(|_| first + rng.next() as usize % span)
        .collect();
    cuts.sort_unstable();

    let (mut disk, mut ledger, mut output) = (Disk::default(), Ledger::default(), String::new());
    let mut done = 0;
    for cut in cuts {
        for operation in &operations[done..cut] {
            disk.apply(operation);
            if let Operation::Output(text) = operation {
                output.push_str(text);
            }
        }
        done = cut;
        // A line may be written in parts.
        while let Some((line, rest)) = output.split_once('\n') {
            ledger.record(line);
            output = rest.to_owned();
        }
        let after = tempfile::tempdir().expect("a folder");
        disk.after_cut(after.path(), &mut rng);
        ledger.check(after.path(), false);
    }
    assert!(ledger.len() > 20, "tasks were acknowledged");
}

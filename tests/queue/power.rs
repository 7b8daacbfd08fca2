//! Power cuts. Everything that a process does to its files is written down by a library that is loaded
//! before it (`power/record.c`). A disk keeps what was synced; of what came after it keeps whatever it
//! likes, in sectors. From that, disks are made as they may be after a cut at any moment, and whatever
//! had been acknowledged by then must be on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::account::{Account, listen, spawn_with};

/// Power cuts of the usual run.
const CUTS: usize = 40;
/// What a disk writes whole.
const SECTOR: usize = 512;

/// One thing that the process did, in order.
#[derive(Debug)]
enum BulkAction {
    Name(u32, String),
    Write(u32, usize, Vec<u8>),
    Truncate(u32, usize),
    Sync(u32),
    Unlink(u32),
    Said(String),
}

fn read(log: &[u8]) -> Vec<BulkAction> {
    let mut deeds = Vec::new();
    let mut rest = log;
    while let Some((head, after)) = rest.split_first_chunk::<17>() {
        let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four"));
        let (file, length) = (number(&head[1..5]), number(&head[13..17]) as usize);
        let place = u64::from_le_bytes(head[5..13].try_into().expect("eight")) as usize;
        let Some((data, after)) = after.split_at_checked(length) else {
            break;
        };
        rest = after;
        let text = || String::from_utf8_lossy(data).into_owned();
        deeds.push(match head[0] {
            b'N' => BulkAction::Name(file, text()),
            b'W' => BulkAction::Write(file, place, data.to_vec()),
            b'T' => BulkAction::Truncate(file, place),
            b'S' => BulkAction::Sync(file),
            b'U' => BulkAction::Unlink(file),
            _ => BulkAction::Said(text()),
        });
    }
    deeds
}

/// A change that the disk has been told and need not have made.
#[derive(Debug, Clone)]
enum Loose {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Loose {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(place, data) => {
                if bytes.len() < place + data.len() {
                    bytes.resize(place + data.len(), 0);
                }
                bytes[*place..place + data.len()].copy_from_slice(data);
            }
            Self::Truncate(length) => bytes.resize(*length, 0),
        }
    }
}

/// What is safe and what is loose of each file, and which of the removed ones may come back.
#[derive(Debug, Default, Clone)]
struct Disk {
    names: BTreeMap<u32, String>,
    safe: BTreeMap<u32, Vec<u8>>,
    loose: BTreeMap<u32, Vec<Loose>>,
    unlinked: BTreeSet<u32>,
}

impl Disk {
    fn take(&mut self, deed: &BulkAction) {
        match deed {
            BulkAction::Name(file, name) => {
                self.names.insert(*file, name.clone());
            }
            BulkAction::Write(file, place, data) => {
                let loose = self.loose.entry(*file).or_default();
                loose.push(Loose::Write(*place, data.clone()));
            }
            BulkAction::Truncate(file, length) => {
                let loose = self.loose.entry(*file).or_default();
                loose.push(Loose::Truncate(*length));
            }
            // The folder itself has no name in it: with it, what was removed stays removed.
            BulkAction::Sync(file) if self.names.get(file).is_some_and(String::is_empty) => {
                for gone in std::mem::take(&mut self.unlinked) {
                    self.safe.remove(&gone);
                    self.loose.remove(&gone);
                }
            }
            BulkAction::Sync(file) => {
                let bytes = self.safe.entry(*file).or_default();
                for loose in self.loose.remove(file).unwrap_or_default() {
                    loose.apply(bytes);
                }
                self.unlinked.remove(file);
            }
            BulkAction::Unlink(file) => {
                self.unlinked.insert(*file);
            }
            BulkAction::Said(_) => {}
        }
    }

    /// A disk as it may be after a cut: of what is loose any part, of large writes any sectors.
    fn after_cut(&self, folder: &Path, dice: &mut Dice) {
        for (file, name) in &self.names {
            let mut bytes = self.safe.get(file).cloned().unwrap_or_default();
            let loose = self.loose.get(file);
            if name.is_empty() || (loose.is_none() && !self.safe.contains_key(file)) {
                continue;
            }
            if self.unlinked.contains(file) && dice.coin() {
                continue;
            }
            for loose in loose.into_iter().flatten() {
                match loose {
                    Loose::Write(place, data) if data.len() > SECTOR && dice.coin() => {
                        for (i, sector) in data.chunks(SECTOR).enumerate() {
                            if dice.coin() {
                                Loose::Write(place + i * SECTOR, sector.to_vec()).apply(&mut bytes);
                            }
                        }
                    }
                    loose if dice.coin() => loose.apply(&mut bytes),
                    _ => {}
                }
            }
            fs::write(folder.join(name), bytes).expect("written");
        }
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn coin(&mut self) -> bool {
        self.roll() >> 20 & 1 == 1
    }
}

fn recorder(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/queue/power/record.c");
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
        &mut Account::default(),
        Some(Duration::from_millis(400)),
    );
    let deeds = read(&fs::read(&log).expect("it was written down"));
    let acknowledged =
        |deed: &BulkAction| matches!(deed, BulkAction::Said(text) if text.starts_with("A "));
    let first = deeds
        .iter()
        .position(acknowledged)
        .expect("something was acknowledged");
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()));
    let span = deeds.len() - first;
    let mut cuts: Vec<usize> = (0..CUTS)
        .map(|_| first + dice.roll() as usize % span)
        .collect();
    cuts.sort_unstable();

    let (mut disk, mut account, mut said) = (Disk::default(), Account::default(), String::new());
    let mut done = 0;
    for cut in cuts {
        for deed in &deeds[done..cut] {
            disk.take(deed);
            if let BulkAction::Said(text) = deed {
                said.push_str(text);
            }
        }
        done = cut;
        // A line may have been said in parts.
        while let Some((line, rest)) = said.split_once('\n') {
            account.hear(line);
            said = rest.to_owned();
        }
        let after = tempfile::tempdir().expect("a folder");
        disk.after_cut(after.path(), &mut dice);
        account.settle(after.path(), false);
    }
    assert!(account.len() > 20, "it did something");
}

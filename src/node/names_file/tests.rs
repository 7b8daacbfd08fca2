use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::net::naming::{Health, Record, ShareRule};

fn registration(name: &str, id: u64) -> StoredRegistration {
    StoredRegistration {
        id,
        since: 1,
        record: Record {
            name: name.into(),
            uri: "distro:x@127.0.0.1:1".parse().expect("a URI"),
            owner: crate::net::trust::key::PublicKey::from_bytes([7; 32]).into(),
            tags: vec!["a \"tag\"\n".into()],
            lease_ms: Some(15_000),
            health: Health::Suspect,
            share: ShareRule::Members,
        },
    }
}

fn put_entry(name: &str, id: u64) -> JournalEntry {
    JournalEntry::Put(registration(name, id))
}

fn remove(name: &str) -> JournalEntry {
    JournalEntry::Removed {
        name: name.into(),
        owner: crate::net::trust::key::PublicKey::from_bytes([7; 32]).into(),
    }
}

fn names(folder: &Path) -> Vec<StoredRegistration> {
    NamesFile::open(folder, true, &Findings::default())
        .expect("opens")
        .1
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
    let (mut file, none) = NamesFile::open(home.path(), true, &Findings::default()).expect("opens");
    assert_eq!(none, []);
    let entries = [
        put_entry("a", 1),
        put_entry("b", 2),
        put_entry("a", 3),
        remove("b"),
    ];
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
    let (mut file, _) = NamesFile::open(home.path(), true, &Findings::default()).expect("opens");
    file.append(&[put_entry("a", 1)]).expect("appended");
    let whole = file.length;
    file.append(&[put_entry("b", 2)]).expect("appended");
    let content = fs::read(path(home.path())).expect("readable");
    let whole = usize::try_from(whole).expect("short");
    for cut in whole..content.len() {
        fs::write(path(home.path()), &content[..cut]).expect("written");
        assert_eq!(names(home.path()), [registration("a", 1)], "cut at {cut}");
        // What follows is not appended to the tail.
        let (mut file, _) =
            NamesFile::open(home.path(), true, &Findings::default()).expect("opens");
        file.append(&[put_entry("c", 3)]).expect("appended");
        let after = [registration("a", 1), registration("c", 3)];
        assert_eq!(names(home.path()), after, "cut at {cut}");
    }
    assert_eq!(copies(home.path()), 0);
}

#[test]
fn a_flipped_byte_costs_its_line_and_is_reported() {
    let home = tempfile::tempdir().expect("a folder");
    let (mut file, _) = NamesFile::open(home.path(), true, &Findings::default()).expect("opens");
    file.append(&[put_entry("a", 1), put_entry("b", 2), put_entry("c", 3)])
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
    write_line(&mut lines, &JournalLine::Version(VERSION + 1)).expect("text");
    fs::write(path(home.path()), &lines).expect("written");
    let refused = NamesFile::open(home.path(), true, &Findings::default())
        .err()
        .expect("newer");
    assert!(refused.to_string().contains("newer"), "{refused}");
    assert_eq!(fs::read(path(home.path())).expect("readable"), lines);
}

#[test]
fn the_file_does_not_outgrow_its_names() {
    let home = tempfile::tempdir().expect("a folder");
    let (mut file, _) = NamesFile::open(home.path(), false, &Findings::default()).expect("opens");
    let many: Vec<_> = (0..1000).map(|id| put_entry("a", id)).collect();
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
    let (mut file, _) = NamesFile::open(home.path(), true, &Findings::default()).expect("opens");
    file.append(&[put_entry("a", 1), put_entry("b", 2)])
        .expect("appended");
    let read_only = File::open(path(home.path())).expect("opens");
    let writable = std::mem::replace(&mut file.file, read_only);
    assert!(file.append(&[remove("b"), put_entry("c", 3)]).is_err());
    file.file = writable;
    // As a write that was cut short leaves it.
    file.file.write_all_at(b"half", file.length).expect("space");
    file.append(&[put_entry("d", 4)]).expect("appended");
    let expected = [registration("a", 1), registration("d", 4)];
    assert_eq!(names(home.path()), expected);
    assert_eq!(copies(home.path()), 0);
}

#[test]
fn an_owner_is_written_as_it_is_shown() {
    let home = tempfile::tempdir().expect("a folder");
    let (mut file, _) = NamesFile::open(home.path(), false, &Findings::default()).expect("opens");
    let owner = registration("a", 1).record.owner;
    file.append(&[put_entry("a", 1), remove("a")])
        .expect("appended");
    let text = fs::read_to_string(path(home.path())).expect("text");
    let shown = format!("\"owner\":\"{owner}\"");
    assert_eq!(text.matches(&shown).count(), 2, "{text}");
}

#[test]
fn one_line_removes_what_an_owner_had_registered_before() {
    let home = tempfile::tempdir().expect("a folder");
    let (mut file, _) = NamesFile::open(home.path(), true, &Findings::default()).expect("opens");
    let owner = registration("a", 1).record.owner;
    let entries: Vec<_> = (1..=1000)
        .map(|id| put_entry(&id.to_string(), id))
        .collect();
    file.append(&entries).expect("appended");
    let before = file.length;
    let up_to = 1000;
    file.append(&[
        put_entry("later", 1001),
        JournalEntry::Evicted { owner, up_to },
    ])
    .expect("appended");
    assert!(file.length - before < 1000, "{}", file.length - before);
    assert_eq!(names(home.path()), [registration("later", 1001)]);
}

#[test]
fn names_are_stored_only_in_the_file_that_was_opened() {
    let home = tempfile::tempdir().expect("a folder");
    let (mut file, _) = NamesFile::open(home.path(), true, &Findings::default()).expect("opens");
    file.append(&[put_entry("a", 1)]).expect("appended");
    let (path, away) = (path(home.path()), home.path().join("away"));
    fs::rename(&path, &away).expect("moved");
    let refused = file.append(&[put_entry("b", 2)]).expect_err("it is gone");
    assert!(
        refused.to_string().contains("was deleted while"),
        "{refused}"
    );
    fs::write(&path, "").expect("written");
    let refused = file.append(&[put_entry("b", 2)]).expect_err("another file");
    assert!(
        refused.to_string().contains("was replaced while"),
        "{refused}"
    );
    fs::rename(&away, &path).expect("moved back");
    file.append(&[put_entry("c", 3)]).expect("appended");
    let expected = [registration("a", 1), registration("c", 3)];
    assert_eq!(names(home.path()), expected);
}

#[test]
fn lines_that_are_lost_are_a_finding() {
    let home = tempfile::tempdir().expect("a folder");
    let findings = Findings::default();
    let (mut file, _) = NamesFile::open(home.path(), true, &findings).expect("opens");
    file.append(&[put_entry("a", 1), put_entry("b", 2)])
        .expect("appended");
    let path = path(home.path());
    let damaged = fs::read_to_string(&path)
        .expect("text")
        .replace("\"a\"", "\"x\"");
    fs::write(&path, damaged).expect("written");
    let (_, names) = NamesFile::open(home.path(), true, &findings).expect("opens");
    assert_eq!(names, [registration("b", 2)]);
    let [found] = &findings.list()[..] else {
        panic!("{:?}", findings.list());
    };
    assert_eq!(found.kind, FindingKind::NamesSalvaged);
    assert!(
        found
            .text
            .contains("1 line cannot be read, 1 name salvaged"),
        "{}",
        found.text
    );
}

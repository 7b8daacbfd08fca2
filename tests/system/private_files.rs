//! Folders and files that another user can change are not used.

use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use crate::process::Home;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it exists").mode() & 0o777
}

/// The text of a command that is refused.
fn refused(home: &Home, args: &[&str]) -> String {
    let output = home.output(args);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_data_folder_that_others_can_change_is_refused() {
    let home = Home::new();
    let node = home.serve(&[]);
    let folder = home.path().join("distro-tui");
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).expect("chmod");
    let text = refused(&home, &["names", "list"]);
    assert!(
        text.contains("changed by other users (mode 0777); run: chmod go-w"),
        "{text}"
    );
    assert_eq!(node.end(), Some(0));
    let text = refused(&home, &["serve"]);
    assert!(text.contains("(mode 0777)"), "{text}");
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).expect("chmod");
    assert_eq!(home.serve(&[]).end(), Some(0));
}

#[test]
fn a_link_in_place_of_the_lock_is_refused_and_its_target_untouched() {
    let home = Home::new();
    assert_eq!(home.serve(&[]).end(), Some(0));
    let (lock, target) = (
        home.path().join("distro-tui/node.json"),
        home.path().join("target"),
    );
    fs::write(&target, "untouched").expect("written");
    fs::remove_file(&lock).expect("removed");
    symlink(&target, &lock).expect("linked");
    for args in [&["serve"][..], &["names", "list"]] {
        let text = refused(&home, args);
        assert!(text.contains("node.json: it is a symbolic link"), "{text}");
    }
    assert_eq!(fs::read(&target).expect("readable"), b"untouched");
}

#[test]
fn a_process_with_another_key_is_not_mistaken_for_the_node_of_a_folder() {
    let (home, other) = (Home::new(), Home::new());
    let key = home.serve(&[]).key();
    let other_node = other.serve(&[]);
    let mut lock = File::create(home.path().join("distro-tui/node.json")).expect("created");
    lock.lock().expect("no node holds it");
    let (other_addr, other_key) = (other_node.addr(), other_node.key());
    assert_ne!(key, other_key);
    write!(
        lock,
        r#"{{"pid":1,"port":1,"addr":"{other_addr}","key":"{other_key}"}}"#
    )
    .expect("written");
    let output = home.output(&["tasks", "purge", "--all"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("which is not the key of this folder"),
        "{text}"
    );
}

#[test]
fn exports_and_logs_are_private() {
    let home = Home::new();
    let log = home.path().join("state/node.log");
    let node = home.serve(&["--log-file", &log.to_string_lossy()]);
    for name in ["tasks.csv", "tasks.json"] {
        let path = home.path().join(name);
        home.run(&["tasks", "export", &path.to_string_lossy()]);
        assert_eq!(mode(&path), 0o600);
    }
    assert_eq!(node.end(), Some(0));
    assert_eq!(
        (mode(&log), mode(&home.path().join("state"))),
        (0o600, 0o700)
    );
    for file in fs::read_dir(home.path().join("distro-tui")).expect("a folder") {
        let path = file.expect("a file").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

//! Documentation that is made from the program is the program's own.

use std::{fs, path::Path};

/// Compares a file with what it should be; with `UPDATE_DOCS=1` writes it instead.
pub(super) fn check(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, expected).expect("written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{} is not of today; run the tests once with UPDATE_DOCS=1",
        path.display()
    );
}

#[test]
fn the_readme_has_today_s_keys() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(path).expect("a README");
    let (before, rest) = readme
        .split_once("<!-- keys -->\n")
        .expect("a place for the keys");
    let (_, after) = rest
        .split_once("<!-- end of keys -->")
        .expect("an end of it");
    let keys = crate::ui::keys_markdown();
    check(
        "README.md",
        &format!("{before}<!-- keys -->\n{keys}<!-- end of keys -->{after}"),
    );
}

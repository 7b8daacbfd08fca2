//! Generated documentation matches the program.

use std::{fs, path::Path};

/// Compares a file with its expected content; with `UPDATE_DOCS=1` writes it first.
pub(super) fn check(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, expected).expect("written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{} is out of date; run the tests once with UPDATE_DOCS=1",
        path.display()
    );
}

#[test]
fn the_dashboard_guide_has_the_current_keys() {
    const GUIDE: &str = "docs/dashboard.md";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GUIDE);
    let guide = fs::read_to_string(path).expect("a guide");
    let (before, rest) = guide.split_once("<!-- keys -->\n").expect("a start");
    let (_, after) = rest.split_once("<!-- end of keys -->").expect("an end");
    let keys = crate::ui::keys_markdown();
    check(
        GUIDE,
        &format!("{before}<!-- keys -->\n{keys}<!-- end of keys -->{after}"),
    );
}

#[test]
fn every_link_in_the_documents_leads_to_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guides = fs::read_dir(root.join("docs")).expect("a folder");
    let guides = guides.map(|guide| guide.expect("a file").path());
    let top = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"].map(|name| root.join(name));
    for document in guides.chain(top) {
        let text = fs::read_to_string(&document).expect("a document");
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            let folder = document.parent().expect("a folder");
            assert!(
                target.starts_with("https://") || folder.join(target).exists(),
                "{}: {target}",
                document.display()
            );
        }
    }
}

//! The code and the documents use the standard terms: no word of [`crate::vocabulary`] is in them.

use std::{collections::BTreeSet, fs, path::PathBuf};

use regex::Regex;

use crate::{
    source::{files, relative, root},
    vocabulary::{DECLARATIONS, FUNCTIONS, NAMES, Table, WORDS},
};

/// The text that is searched, without [`LISTS`].
const SEARCHED: [&str; 14] = [
    "src",
    "tests",
    "benches",
    "examples",
    "fuzz",
    "scripts",
    "assets",
    "docs",
    "Cargo.toml",
    "clippy.toml",
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
];

/// The keywords before the name in a declaration.
const DECLARED: &str = "(?:struct|enum|trait|type|union|const|static|mod)";

/// The files that list words which are not used.
const LISTS: [&str; 2] = ["tests/structure/names.rs", "tests/structure/vocabulary.rs"];

/// A word with the pattern that finds it.
struct Rule {
    word: &'static str,
    instead: &'static str,
    pattern: Regex,
}

/// The pattern that finds a word of a table.
type Pattern = fn(&str) -> String;

fn rules() -> Vec<Rule> {
    let tables: [(Table, Pattern); 4] = [
        (WORDS, phrase),
        (NAMES, |name| format!(r"\b{name}\b")),
        (DECLARATIONS, |name| format!(r"\b{DECLARED}\s+{name}\b")),
        (FUNCTIONS, |name| format!(r"\bfn\s+{name}\s*[(<]")),
    ];
    let rules = tables.into_iter().flat_map(|(table, pattern)| {
        table.iter().map(move |(word, instead)| Rule {
            word,
            instead,
            pattern: Regex::new(&pattern(word)).expect("a valid pattern"),
        })
    });
    rules.collect()
}

/// A phrase in upper or lower case, which may go on in the next line of a comment.
fn phrase(phrase: &str) -> String {
    let words: Vec<String> = phrase.split(' ').map(regex::escape).collect();
    let start = if phrase.starts_with('-') { "" } else { r"\b" };
    format!(r"(?i){start}{}\b", words.join(r"\s+(?:(?://[/!]?|#)\s+)?"))
}

/// The searched files, each with its path and its text.
fn texts() -> Vec<(PathBuf, String)> {
    let mut texts = Vec::new();
    for searched in SEARCHED {
        let path = root().join(searched);
        let found = if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        };
        for file in found {
            let path = relative(&file);
            // Files that are no text, and those that are not there yet, have no words.
            if !LISTS.iter().any(|list| path.as_os_str() == *list)
                && let Ok(text) = fs::read_to_string(&file)
            {
                texts.push((path, text));
            }
        }
    }
    texts
}

#[test]
fn words_are_the_standard_ones() {
    let texts = texts();
    let (mut total, mut words, mut list) = (0, 0, String::new());
    for rule in rules() {
        let mut places = Vec::new();
        for (path, text) in &texts {
            let path = path.display().to_string();
            // Words of a file's name may be joined with `_`, which counts as a letter in a pattern.
            if rule.pattern.is_match(&path) || rule.pattern.is_match(&path.replace('_', " ")) {
                places.push(path.clone());
            }
            for hit in rule.pattern.find_iter(text) {
                let before = text.get(..hit.start()).unwrap_or_default();
                places.push(format!("{path}:{}", before.matches('\n').count() + 1));
            }
        }
        if !places.is_empty() {
            words += 1;
            total += places.len();
            let Rule { word, instead, .. } = rule;
            list.push_str(&format!("`{word}`, write instead: {instead}\n    "));
            list.push_str(&places.join("\n    "));
            list.push('\n');
        }
    }
    println!("{total} uses of {words} words that have a standard term");
    assert!(total == 0, "{total} uses of private words:\n{list}");
}

#[test]
fn the_table_has_every_word_once() {
    let mut seen = BTreeSet::new();
    let tables = [WORDS, NAMES, DECLARATIONS, FUNCTIONS];
    for (n, table) in tables.into_iter().enumerate() {
        for (word, _) in table {
            assert!(seen.insert((n, word)), "{word} is in its table twice");
        }
    }
}

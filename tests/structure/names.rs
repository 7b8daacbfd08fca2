//! One name for one type, and documentation that begins with the thing.

use std::{collections::BTreeMap, fs};

use crate::source::{Sources, relative, root, rust_files};

/// The most types that may share their name with another one, in percent.
const MAX_SHARED: f64 = 8.0;
/// The most first lines that may begin with a question word, in percent.
const MAX_QUESTIONS: f64 = 4.0;

const QUESTION_WORDS: [&str; 9] = [
    "What", "Who", "Whom", "Whose", "Whether", "How", "Where", "Which", "Whoever",
];

fn percent(part: usize, whole: usize) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

#[test]
fn one_name_stands_for_one_type() {
    let sources = Sources::read();
    let types = sources.types();
    let total = types.len();
    let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for found in types {
        let place = format!("{}:{}", found.file.display(), found.line);
        by_name.entry(found.name).or_default().push(place);
    }
    by_name.retain(|_, places| places.len() > 1);
    let shared: usize = by_name.values().map(Vec::len).sum();
    let share = percent(shared, total);
    println!("{shared} of {total} types share their name with another: {share:.1} %");
    let list: Vec<String> = by_name
        .iter()
        .map(|(name, places)| format!("{name}: {}", places.join(", ")))
        .collect();
    assert!(
        share <= MAX_SHARED,
        "{share:.1} % of the types share their name with another, and at most {MAX_SHARED} % may:\n{}",
        list.join("\n")
    );
}

#[test]
fn documentation_begins_with_the_thing() {
    let (mut total, mut wrong) = (0, Vec::new());
    for file in rust_files(&root().join("src")) {
        let text = fs::read_to_string(&file).expect("a readable file");
        for (line, sentence) in first_lines(&text) {
            total += 1;
            let word: String = sentence.chars().take_while(|c| c.is_alphabetic()).collect();
            if QUESTION_WORDS.contains(&word.as_str()) {
                wrong.push(format!("{}:{line}: {sentence}", relative(&file).display()));
            }
        }
    }
    let share = percent(wrong.len(), total);
    println!(
        "{} of {total} first lines begin with a question word: {share:.1} %",
        wrong.len()
    );
    assert!(
        share <= MAX_QUESTIONS,
        "{share:.1} % of the first lines begin with a question word, and at most {MAX_QUESTIONS} % \
         may; begin with what the thing is or does:\n{}",
        wrong.join("\n")
    );
}

/// The first line of every block of documentation, with its number.
fn first_lines(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut before = None;
    for (n, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let mut marks = ["///", "//!"].into_iter();
        let doc = marks.find_map(|mark| Some((mark, line.strip_prefix(mark)?)));
        if let Some((mark, sentence)) = doc
            && before != Some(mark)
        {
            found.push((n + 1, sentence.trim()));
        }
        before = doc.map(|(mark, _)| mark);
    }
    found
}

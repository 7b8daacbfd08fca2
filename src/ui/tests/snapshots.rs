//! Snapshots of the screen at five sizes, with their styles.
//!
//! A snapshot has the text and, under it, one line for each row that says which styles its cells
//! have: a letter and how many cells, explained at the end.

use std::collections::BTreeMap;

use ratatui::{buffer::Buffer, style::Style};

use super::fixture::draw;
use crate::ui::model::Model;

const SIZES: [(u16, u16); 5] = [(200, 50), (120, 36), (80, 24), (40, 12), (10, 3)];

pub(super) fn shown(buffer: &Buffer) -> String {
    let mut letters: BTreeMap<String, char> = BTreeMap::new();
    let (mut text, mut styles) = (String::new(), String::new());
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut runs: Vec<(char, usize)> = Vec::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            let next = char::from(b'a' + u8::try_from(letters.len() % 26).expect("small"));
            let letter = *letters.entry(name(cell.style())).or_insert(next);
            match runs.last_mut() {
                Some((last, count)) if *last == letter => *count += 1,
                _ => runs.push((letter, 1)),
            }
            // What a wide character covers is not text of its own.
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = crate::text::width(cell.symbol()).saturating_sub(1);
            line.push_str(cell.symbol());
        }
        text.push_str(line.trim_end());
        text.push('\n');
        let runs: Vec<String> = runs.iter().map(|(c, n)| format!("{c}{n}")).collect();
        styles.push_str(&runs.join(" "));
        styles.push('\n');
    }
    let legend: Vec<String> = letters
        .iter()
        .map(|(style, c)| format!("{c} = {style}"))
        .collect();
    format!("{text}---\n{styles}---\n{}\n", legend.join("\n"))
}

fn name(style: Style) -> String {
    let colour = |c: Option<ratatui::style::Color>| c.map_or("-".to_owned(), |c| c.to_string());
    format!(
        "{} on {} {:?}",
        colour(style.fg),
        colour(style.bg),
        style.add_modifier
    )
}

/// Compares a drawn screen with its snapshot.
pub(super) fn assert_shown(scene: &str, buffer: &Buffer) {
    insta::assert_snapshot!(scene, shown(buffer));
}

/// A scene is drawn once before its snapshot, as on the real screen, where lists learn their height.
pub(super) fn at_every_size(scene: &str, make: impl Fn() -> Model) {
    for (width, height) in SIZES {
        let mut model = make();
        draw(&mut model, width, height);
        let buffer = draw(&mut model, width, height);
        assert_shown(&format!("{scene}@{width}x{height}"), &buffer);
    }
}

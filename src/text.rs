//! Text for the terminal: sanitized, truncated and formatted. All text from outside goes through here.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The most characters without a width, such as accents, on one character; no script needs more.
const MAX_MARKS: usize = 6;

/// Replaces everything that moves a cursor, changes a colour or turns the reading direction: control
/// characters become their pictures, directional marks a replacement character. Joined emoji are split,
/// because terminals disagree on the width of the joined form. More than [`MAX_MARKS`] marks on one character
/// are removed, because they would be drawn over other lines.
pub(crate) fn sanitize(text: &str) -> Cow<'_, str> {
    let mut marks = Marks::default();
    if !text.chars().any(|c| is_unsafe(c) || marks.is_too_many(c)) {
        return Cow::Borrowed(text);
    }
    let mut marks = Marks::default();
    let safe = text.chars().filter_map(replacement);
    Cow::Owned(safe.filter(|c| !marks.is_too_many(*c)).collect())
}

/// The number of marks since the last character with a width.
#[derive(Default)]
struct Marks(usize);

impl Marks {
    /// Counts the next character; returns true for a mark that is one too many.
    fn is_too_many(&mut self, c: char) -> bool {
        // Below the first combining character no character lacks a width.
        let is_mark = c >= '\u{300}' && c.width() == Some(0);
        self.0 = if is_mark { self.0 + 1 } else { 0 };
        self.0 > MAX_MARKS
    }
}

/// Returns the character to show; `None` removes it.
fn replacement(c: char) -> Option<char> {
    match c {
        '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' => None,
        '\n' | '\r' => Some('␤'),
        '\t' => Some(' '),
        '\u{7f}' => Some('␡'),
        '\0'..='\u{1f}' => char::from_u32('␀' as u32 + c as u32),
        c if is_unsafe(c) => Some('\u{fffd}'),
        c => Some(c),
    }
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}'          // zero-width and directional marks
            | '\u{202a}'..='\u{202e}'        // embeddings and overrides
            | '\u{2028}' | '\u{2029}'        // line and paragraph separators
            | '\u{2060}'..='\u{206f}'        // isolates and other invisible operators
            | '\u{061c}' | '\u{feff}' | '\u{fe0e}' | '\u{fe0f}'
            | '\u{1f3fb}'..='\u{1f3ff}'      // skin tones, which some terminals join and some do not
            | '\u{e0000}'..='\u{e007f}'      // tags
            | '\u{fff9}'..='\u{fffb}')
}

/// Returns the number of cells of a sanitized text.
pub(crate) fn width(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// Sanitizes text and truncates it to `cells` cells; a cut is marked with `mark`.
pub(crate) fn truncate<'a>(text: &'a str, cells: usize, mark: &str) -> Cow<'a, str> {
    // A cell seldom takes more than a few bytes, so the start of a long text shows that it does not fit.
    let head = text
        .get(..text.floor_char_boundary(cells.saturating_mul(32) + 64))
        .unwrap_or(text);
    let safe = sanitize(head);
    if head.len() == text.len() && width(&safe) <= cells {
        return safe;
    }
    let room = cells.saturating_sub(width(mark));
    let mut used = 0;
    let mut cut = String::new();
    for cluster in safe.graphemes(true) {
        used += cluster.width();
        if used > room {
            break;
        }
        cut.push_str(cluster);
    }
    if cells >= width(mark) {
        cut.push_str(mark);
    }
    Cow::Owned(cut)
}

/// Sanitizes text and wraps it at spaces into at most `lines` lines of at most `cells` cells; a longer word is
/// divided. A line does not begin with the spaces at which it was broken.
pub(crate) fn wrap(text: &str, cells: usize, lines: usize) -> Vec<String> {
    let cells = cells.max(1);
    let mut out = Vec::new();
    for paragraph in text.lines() {
        wrap_paragraph(&sanitize(paragraph), cells, &mut out);
        if out.len() >= lines {
            break;
        }
    }
    out.truncate(lines);
    out
}

fn wrap_paragraph(text: &str, cells: usize, out: &mut Vec<String>) {
    let (mut line, mut used, mut broken) = (String::new(), 0, false);
    for token in text.split_inclusive(' ') {
        let word = token.trim_end_matches(' ');
        let wide = width(word);
        if used > 0 && used + wide > cells {
            line.truncate(line.trim_end_matches(' ').len());
            out.push(std::mem::take(&mut line));
            (used, broken) = (0, true);
        }
        if broken && used == 0 && word.is_empty() {
            continue;
        }
        if wide > cells {
            for cluster in word.graphemes(true) {
                let wide = cluster.width();
                if used + wide > cells {
                    out.push(std::mem::take(&mut line));
                    used = 0;
                }
                line.push_str(cluster);
                used += wide;
            }
        } else {
            line.push_str(word);
            used += wide;
        }
        // The space behind the last word of a line needs no cell.
        if token.len() > word.len() {
            line.push(' ');
            used += 1;
        }
    }
    if used > cells {
        line.truncate(line.trim_end_matches(' ').len());
    }
    out.push(line);
}

/// Formats a count with thousands separators: `1,234,567`.
pub(crate) fn fmt_count(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Formats a count with its noun: `1 task`, `1,234 tasks`.
pub(crate) fn pluralize(n: usize, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        n => format!("{} {noun}s", fmt_count(n)),
    }
}

/// Formats a count in at most six cells: `999`, `12.3k`, `4.5M`.
pub(crate) fn fmt_compact(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{:.1}k", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1}M", n as f64 / 1e6),
        _ => format!("{:.1}G", n as f64 / 1e9),
    }
}

/// Formats a duration in at most seven cells: `850 µs`, `1.25 ms`, `3.4 s`, `2m 05s`.
pub(crate) fn fmt_duration(time: std::time::Duration) -> String {
    let micros = time.as_micros();
    let seconds = time.as_secs_f64();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{:.2} ms", seconds * 1e3),
        10_000..100_000 => format!("{:.1} ms", seconds * 1e3),
        100_000..1_000_000 => format!("{:.0} ms", seconds * 1e3),
        1_000_000..60_000_000 => format!("{seconds:.1} s"),
        60_000_000..3_600_000_000 => {
            format!("{}m {:02}s", time.as_secs() / 60, time.as_secs() % 60)
        }
        _ => format!(
            "{}h {:02}m",
            time.as_secs() / 3_600,
            time.as_secs() / 60 % 60
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_and_direction_marks_are_replaced() {
        assert_eq!(sanitize("\u{1b}[2J"), "␛[2J");
        assert_eq!(sanitize("a\nb\tc\u{7f}\u{9b}"), "a␤b c␡\u{fffd}");
        assert_eq!(sanitize("\u{202e}evil"), "\u{fffd}evil");
        assert_eq!(sanitize("👩\u{200d}👧"), "👩👧");
        assert!(matches!(sanitize("plain é 漢"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_character_has_a_bounded_number_of_marks() {
        let marks = |count| format!("a{}b", "\u{301}".repeat(count));
        assert_eq!(sanitize(&marks(1_327)), marks(MAX_MARKS));
        assert!(matches!(sanitize(&marks(MAX_MARKS)), Cow::Borrowed(_)));
        // The marks of a removed character count for the one before.
        let joined = format!("a{0}\u{200d}{0}", "\u{301}".repeat(MAX_MARKS));
        assert_eq!(sanitize(&joined).chars().count(), 1 + MAX_MARKS);
        for text in [
            "e\u{301}\u{323}",
            "ก\u{e34}\u{e4b}",
            "\u{1112}\u{1161}\u{11ab}",
        ] {
            assert_eq!(sanitize(text), text, "no script is harmed");
        }
    }

    #[test]
    fn text_is_cut_at_whole_characters() {
        assert_eq!(truncate("hello", 5, "…"), "hello");
        assert_eq!(truncate("hello", 4, "…"), "hel…");
        assert_eq!(truncate("漢字漢字", 5, "…"), "漢字…");
        assert_eq!(truncate("漢字", 1, "…"), "…");
        assert_eq!(truncate("x", 0, "…"), "");
    }

    #[test]
    fn lines_wrap_at_words_and_long_words_in_the_middle() {
        assert_eq!(wrap("one two three", 7, 9), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3, 9), ["abc", "def", "gh"]);
        assert_eq!(wrap("a\nb\nc", 3, 2), ["a", "b"]);
        assert_eq!(wrap("key:K, queue:Q", 7, 9), ["key:K,", "queue:Q"]);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(fmt_count(0), "0");
        assert_eq!(fmt_count(1_234_567), "1,234,567");
        assert_eq!(fmt_compact(12_345), "12.3k");
        for (micros, text) in [
            (850, "850 µs"),
            (1_250, "1.25 ms"),
            (12_500, "12.5 ms"),
            (250_000, "250 ms"),
            (3_400_000, "3.4 s"),
            (125_000_000, "2m 05s"),
            (7_260_000_000, "2h 01m"),
        ] {
            assert_eq!(fmt_duration(Duration::from_micros(micros)), text);
        }
    }

    proptest! {
        #[test]
        fn truncated_text_fits_and_has_no_control_characters(text in "\\PC*|[\u{0}-\u{ff}\u{200b}-\u{2070}👩🏽]*", cells in 0usize..30) {
            let truncated = truncate(&text, cells, "…");
            prop_assert!(width(&truncated) <= cells, "{:?}", truncated);
            prop_assert!(!truncated.chars().any(is_unsafe));
            for line in wrap(&text, cells, 10) {
                // A character that is wider than the line has its own line.
                let widest = line.graphemes(true).map(UnicodeWidthStr::width).max().unwrap_or(0);
                prop_assert!(width(&line) <= cells.max(widest), "{:?}", line);
                prop_assert!(!line.chars().any(is_unsafe));
            }
        }
    }
}

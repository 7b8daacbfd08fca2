//! The frames on a screen: panes and overlays, found by their borders.

use vt100::Screen;

/// The titles of all panes.
pub(crate) const PANES: [&str; 5] = ["1 Names", "2 Greeter", "3 Tasks", "4 Workers", "5 Events"];

/// A frame with a complete border.
pub(crate) struct Frame {
    pub(crate) title: String,
    /// The text inside, row by row.
    pub(crate) rows: Vec<String>,
}

/// Returns every complete frame, from the top down.
pub(crate) fn frames(screen: &Screen) -> Vec<Frame> {
    let cells = cells(screen);
    let at = |y: usize, x: usize| {
        cells
            .get(y)
            .and_then(|row| row.get(x))
            .map_or("", String::as_str)
    };
    let mut found = Vec::new();
    for (top, row) in cells.iter().enumerate() {
        for left in (0..row.len()).filter(|x| row[*x] == "╭") {
            let right = (left + 1..row.len()).find(|x| ["╮", "╭"].contains(&row[*x].as_str()));
            let bottom = (top + 1..cells.len()).find(|y| at(*y, left) != "│");
            let (Some(right), Some(bottom)) = (right, bottom) else {
                continue;
            };
            // A list that is longer than its pane has a mark on the right border.
            let sides = (top + 1..bottom).all(|y| ["│", "▐"].contains(&at(y, right)));
            let corners = [at(top, right), at(bottom, left), at(bottom, right)];
            if sides && corners == ["╮", "╰", "╯"] {
                let title = row[left + 1..right].concat();
                let title = title.trim_start_matches(['─', ' ']);
                found.push(Frame {
                    title: title.split(" ─").next().unwrap_or_default().to_owned(),
                    rows: (top + 1..bottom)
                        .map(|y| cells[y][left + 1..right].concat())
                        .collect(),
                });
            }
        }
    }
    found
}

/// Returns true if complete frames with these titles are on the screen.
pub(crate) fn has_frames(screen: &Screen, titles: &[&str]) -> bool {
    let there = frames(screen);
    titles
        .iter()
        .all(|title| there.iter().any(|frame| frame.title == *title))
}

/// Returns the rows in the frame with this title that have all of these words.
pub(crate) fn rows_with(screen: &Screen, title: &str, words: &[&str]) -> Vec<String> {
    let rows = frames(screen)
        .into_iter()
        .filter(|frame| frame.title == title);
    let has = |row: &String, word: &str| row.split([' ', '│', '▌']).any(|there| there == word);
    rows.flat_map(|frame| frame.rows)
        .filter(|row| words.iter().all(|word| has(row, word)))
        .collect()
}

/// Returns true if the frame with this title has a row with this text.
pub(crate) fn has_text(screen: &Screen, title: &str, text: &str) -> bool {
    let there = frames(screen).into_iter();
    let mut rows = there
        .filter(|frame| frame.title == title)
        .flat_map(|frame| frame.rows);
    rows.any(|row| row.contains(text))
}

/// The positions of corners and sides of frames; tops and bottoms have texts that change.
pub(crate) fn outline(screen: &Screen) -> Vec<(usize, usize, String)> {
    let mut found = Vec::new();
    for (y, row) in cells(screen).into_iter().enumerate() {
        for (x, cell) in row.into_iter().enumerate() {
            // The scroll position of a list is drawn on the side of its frame.
            let cell = if cell == "▐" {
                "│".to_owned()
            } else {
                cell
            };
            if ["╭", "╮", "╰", "╯", "│"].contains(&cell.as_str()) {
                found.push((y, x, cell));
            }
        }
    }
    found
}

/// The text of each cell: a space if empty, nothing behind a wide character.
fn cells(screen: &Screen) -> Vec<Vec<String>> {
    let (columns, rows) = screen_size(screen);
    let shown = |y: u16, x: u16| match screen.cell(y, x) {
        Some(cell) if cell.is_wide_continuation() => String::new(),
        Some(cell) if cell.has_contents() => cell.contents().to_owned(),
        _ => " ".to_owned(),
    };
    (0..rows)
        .map(|y| (0..columns).map(|x| shown(y, x)).collect())
        .collect()
}

fn screen_size(screen: &Screen) -> (u16, u16) {
    let (rows, columns) = screen.size();
    (columns.get(), rows.get())
}

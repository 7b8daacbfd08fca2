//! Tables. Only the rows that are to be seen are made.

use std::borrow::Cow;

use ratatui::{layout::Rect, style::Modifier};

use super::canvas::{Canvas, rows};
use crate::ui::theme::StyleRole;

/// A column: its width in cells, or a share of what is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) width: Width,
    pub(crate) right: bool,
    /// The table is at least so wide when this column is shown.
    pub(crate) from: u16,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Width {
    Cells(u16),
    Share(u16),
}

impl Column {
    pub(crate) const fn cells(title: &'static str, width: u16) -> Self {
        Self {
            title,
            width: Width::Cells(width),
            right: false,
            from: 0,
        }
    }

    pub(crate) const fn share(title: &'static str, share: u16) -> Self {
        Self {
            title,
            width: Width::Share(share),
            right: false,
            from: 0,
        }
    }

    pub(crate) const fn right(mut self) -> Self {
        self.right = true;
        self
    }

    pub(crate) const fn from(mut self, width: u16) -> Self {
        self.from = width;
        self
    }
}

/// A cell: text and role.
pub(crate) type Cell<'a> = (Cow<'a, str>, StyleRole);

/// How a row stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    None,
    /// Selected, in the pane that has the keyboard.
    Selected,
    /// Selected, in another pane.
    Marked,
}

/// The columns that are shown in an area, with their places. The first cell is for the pointer.
pub(crate) fn places(area: Rect, columns: &[Column]) -> Vec<(usize, u16, u16)> {
    const GAP: u16 = 2;
    let shown: Vec<(usize, &Column)> = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| area.width >= column.from)
        .collect();
    let gaps = u16::try_from(shown.len().saturating_sub(1)).unwrap_or_default() * GAP;
    // A cell for the pointer, and one at the right so that nothing touches the border.
    let mut left = area.width.saturating_sub(2 + gaps);
    let mut shares = 0;
    for (_, column) in &shown {
        match column.width {
            Width::Cells(cells) => left = left.saturating_sub(cells),
            Width::Share(share) => shares += share,
        }
    }
    let mut x = area.x + 1;
    let mut out = Vec::new();
    let last_share = shown
        .iter()
        .rposition(|(_, c)| matches!(c.width, Width::Share(_)));
    let mut given = 0;
    for (place, (i, column)) in shown.iter().enumerate() {
        let wide = match column.width {
            Width::Cells(cells) => cells,
            Width::Share(_) if Some(place) == last_share => left - given,
            Width::Share(share) => {
                let wide = left * share / shares.max(1);
                given += wide;
                wide
            }
        };
        let wide = wide.min(area.right().saturating_sub(x));
        out.push((*i, x, wide));
        x = (x + wide + GAP).min(area.right());
    }
    out
}

/// Draws the titles in the first row of the area.
pub(crate) fn header(canvas: &mut Canvas<'_>, area: Rect, columns: &[Column]) {
    let style = canvas.fg(StyleRole::Header);
    for (i, x, wide) in places(area, columns) {
        if let Some(column) = columns.get(i) {
            put(canvas, (x, area.y, wide), column, column.title, style);
        }
    }
}

/// Draws rows into the area, one a line, as many as there is room for.
pub(crate) fn body<'a>(
    canvas: &mut Canvas<'_>,
    area: Rect,
    columns: &[Column],
    lines: impl Iterator<Item = (Mark, Vec<Cell<'a>>)>,
) {
    let places = places(area, columns);
    for (line, (mark, cells)) in rows(area).zip(lines) {
        let whole = match mark {
            Mark::None => None,
            Mark::Selected => Some(StyleRole::Selected),
            Mark::Marked => Some(StyleRole::Marked),
        };
        if let Some(role) = whole {
            canvas.fill(line, role);
        }
        if mark == Mark::Selected {
            let (sign, style) = (canvas.symbols().pointer, canvas.fg(StyleRole::Focus));
            canvas.write(line.x, line.y, 1, sign, style);
        }
        // On a reversed row, colours would turn into backgrounds.
        let reversed = whole.is_some_and(|role| {
            canvas
                .theme
                .style(role)
                .add_modifier
                .contains(Modifier::REVERSED)
        });
        for (i, x, wide) in &places {
            if let (Some((text, role)), Some(column)) = (cells.get(*i), columns.get(*i)) {
                let mut style = canvas.fg(*role);
                if reversed {
                    style.fg = None;
                }
                put(canvas, (*x, line.y, *wide), column, text, style);
            }
        }
    }
}

fn put(
    canvas: &mut Canvas<'_>,
    (x, y, wide): (u16, u16, u16),
    column: &Column,
    text: &str,
    style: ratatui::style::Style,
) {
    let x = if column.right {
        let taken = crate::text::width(&crate::text::truncate(text, wide.into(), ""));
        x + wide.saturating_sub(u16::try_from(taken).unwrap_or(wide))
    } else {
        x
    };
    canvas.write(x, y, wide, text, style);
}

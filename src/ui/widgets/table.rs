//! Tables. Only the visible rows are built.

use std::borrow::Cow;

use ratatui::{layout::Rect, style::Modifier};

use super::canvas::{Canvas, rows};
use crate::ui::theme::StyleRole;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) width: Width,
    pub(crate) right: bool,
    /// The minimum width of the table for which this column is shown.
    pub(crate) from: u16,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Width {
    Cells(u16),
    /// A share of the remaining width.
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

/// The text of a cell with a style role.
pub(crate) type Cell<'a> = (Cow<'a, str>, StyleRole);

/// The highlight of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Highlight {
    None,
    /// Selected, in the pane that has the keyboard.
    Selected,
    /// Selected, in a pane without it.
    Inactive,
}

/// Returns the visible columns as (index, x, width). The first cell of the area is for the pointer.
pub(crate) fn layout(area: Rect, columns: &[Column]) -> Vec<(usize, u16, u16)> {
    const GAP: u16 = 2;
    let shown: Vec<(usize, &Column)> = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| area.width >= column.from)
        .collect();
    let gaps = u16::try_from(shown.len().saturating_sub(1)).unwrap_or_default() * GAP;
    // One cell for the pointer, and one on the right so that nothing touches the border.
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
    for (n, (i, column)) in shown.iter().enumerate() {
        let wide = match column.width {
            Width::Cells(cells) => cells,
            Width::Share(_) if Some(n) == last_share => left - given,
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

/// Draws the column titles into the first row of the area.
pub(crate) fn header(canvas: &mut Canvas<'_>, area: Rect, columns: &[Column]) {
    let style = canvas.fg(StyleRole::Header);
    for (i, x, wide) in layout(area, columns) {
        if let Some(column) = columns.get(i) {
            draw_cell(canvas, (x, area.y, wide), column, column.title, style);
        }
    }
}

/// Draws as many rows as fit into the area.
pub(crate) fn body<'a>(
    canvas: &mut Canvas<'_>,
    area: Rect,
    columns: &[Column],
    lines: impl Iterator<Item = (Highlight, Vec<Cell<'a>>)>,
) {
    let columns_at = layout(area, columns);
    for (line, (highlight, cells)) in rows(area).zip(lines) {
        let whole = match highlight {
            Highlight::None => None,
            Highlight::Selected => Some(StyleRole::Selected),
            Highlight::Inactive => Some(StyleRole::SelectedInactive),
        };
        if let Some(role) = whole {
            canvas.fill(line, role);
        }
        if highlight == Highlight::Selected {
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
        for (i, x, wide) in &columns_at {
            if let (Some((text, role)), Some(column)) = (cells.get(*i), columns.get(*i)) {
                let mut style = canvas.fg(*role);
                if reversed {
                    style.fg = None;
                }
                draw_cell(canvas, (*x, line.y, *wide), column, text, style);
            }
        }
    }
}

fn draw_cell(
    canvas: &mut Canvas<'_>,
    (x, y, wide): (u16, u16, u16),
    column: &Column,
    text: &str,
    style: ratatui::style::Style,
) {
    let x = if column.right {
        let used = crate::text::width(&crate::text::truncate(text, wide.into(), ""));
        x + wide.saturating_sub(u16::try_from(used).unwrap_or(wide))
    } else {
        x
    };
    canvas.write(x, y, wide, text, style);
}

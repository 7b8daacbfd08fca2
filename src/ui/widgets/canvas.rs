//! The drawing surface. All text goes through [`truncate`], so nothing is drawn outside its area.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
    widgets::{Block, Clear, Widget},
};

use crate::{
    text::{truncate, width},
    ui::theme::{StyleRole, Symbols, Theme},
};

pub(crate) struct Canvas<'a> {
    pub(crate) buffer: &'a mut Buffer,
    pub(crate) theme: &'a Theme,
    /// The position of the terminal's cursor, while text is being typed.
    pub(crate) cursor: Option<(u16, u16)>,
}

/// A text with a style role.
pub(crate) type TextSpan<'a> = (&'a str, StyleRole);

impl Canvas<'_> {
    pub(crate) fn fg(&self, role: StyleRole) -> Style {
        self.theme.fg(role)
    }

    pub(crate) const fn symbols(&self) -> &Symbols {
        &self.theme.symbols
    }

    pub(crate) fn fill(&mut self, area: Rect, role: StyleRole) {
        let style = self.theme.style(role);
        self.buffer.set_style(area, style);
    }

    /// Draws everything in an area as secondary text; backgrounds stay.
    pub(crate) fn fade(&mut self, area: Rect) {
        let dim = self.fg(StyleRole::Dim);
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.modifier.remove(Modifier::BOLD);
                cell.set_style(dim);
            }
        }
    }

    /// Writes text into at most `cells` cells; returns the number of cells used.
    pub(crate) fn write(&mut self, x: u16, y: u16, cells: u16, text: &str, style: Style) -> u16 {
        let area = self.buffer.area;
        if y < area.y || y >= area.bottom() || x < area.x || x >= area.right() {
            return 0;
        }
        let room = cells.min(area.right() - x);
        let text = truncate(text, room.into(), self.theme.symbols.ellipsis);
        let text = self.theme.symbols.adapt(text);
        self.buffer.set_stringn(x, y, &text, room.into(), style);
        u16::try_from(width(&text)).unwrap_or(room)
    }

    /// Writes spans into one row; returns the number of cells used.
    pub(crate) fn spans(&mut self, area: Rect, spans: &[TextSpan<'_>]) -> u16 {
        let mut used = 0;
        for (text, role) in spans {
            let room = area.width.saturating_sub(used);
            if area.height == 0 || room == 0 {
                break;
            }
            let style = self.fg(*role);
            used += self.write(area.x + used, area.y, room, text, style);
        }
        used
    }

    /// Writes the first of these spans that fit, aligned to the right, the most important first; returns the number
    /// of cells used.
    pub(crate) fn spans_right_that_fit(&mut self, area: Rect, spans: &[TextSpan<'_>]) -> u16 {
        let mut room = usize::from(area.width);
        let fitting = spans.iter().take_while(|(text, _)| {
            let fits = width(text) <= room;
            room = room.saturating_sub(width(text));
            fits
        });
        let fitting: Vec<_> = fitting.copied().collect();
        self.spans_right(area, &fitting)
    }

    /// Writes spans aligned to the right; writes nothing if they do not all fit.
    pub(crate) fn spans_right(&mut self, area: Rect, spans: &[TextSpan<'_>]) -> u16 {
        let wide: usize = spans.iter().map(|(text, _)| width(text)).sum();
        let wide = u16::try_from(wide).unwrap_or(u16::MAX);
        if wide > area.width {
            return 0;
        }
        let at = Rect {
            x: area.right() - wide,
            width: wide,
            ..area
        };
        self.spans(at, spans)
    }

    /// Draws a border with a title on the left and a status on the right; returns the area inside.
    pub(crate) fn frame(
        &mut self,
        area: Rect,
        focused: bool,
        title: &[TextSpan<'_>],
        right: &[TextSpan<'_>],
    ) -> Rect {
        let role = if focused {
            StyleRole::Focus
        } else {
            StyleRole::Border
        };
        let mut style = self.fg(role);
        if !focused {
            style = style.remove_modifier(Modifier::BOLD);
        }
        let block = Block::bordered()
            .border_set(self.theme.symbols.border)
            .border_style(style);
        let inner = block.inner(area);
        block.render(area, self.buffer);
        if area.width > 4 && area.height > 0 {
            let top = Rect::new(area.x + 2, area.y, area.width - 4, 1);
            let used = self.spans(top, title);
            let rest = Rect {
                x: top.x + used + 1,
                width: top.width.saturating_sub(used + 1),
                ..top
            };
            self.spans_right_that_fit(rest, right);
        }
        inner
    }

    /// Draws an empty box in the middle of the screen; returns the area inside.
    pub(crate) fn popup(
        &mut self,
        screen: Rect,
        (wide, high): (u16, u16),
        title: &str,
        bottom: &str,
    ) -> Rect {
        let (wide, high) = (wide.min(screen.width), high.min(screen.height));
        let area = Rect::new(
            screen.x + (screen.width - wide) / 2,
            screen.y + (screen.height - high) / 2,
            wide,
            high,
        );
        Clear.render(area, self.buffer);
        self.fill(area, StyleRole::Popup);
        let title = format!(" {title} ");
        let inner = self.frame(area, true, &[(&title, StyleRole::Focus)], &[]);
        if !bottom.is_empty() && area.height > 1 && area.width > 4 {
            let edge = Rect::new(area.x + 2, area.bottom() - 1, area.width - 4, 1);
            let bottom = format!(" {bottom} ");
            self.spans_right(edge, &[(&bottom, StyleRole::Dim)]);
        }
        Rect {
            x: inner.x.saturating_add(1).min(inner.right()),
            width: inner.width.saturating_sub(2),
            ..inner
        }
    }

    /// Draws the scroll position of a list on its right border.
    pub(crate) fn scrollbar(&mut self, area: Rect, top: usize, shown: usize, length: usize) {
        if length <= shown || area.height == 0 || area.width == 0 {
            return;
        }
        let height = usize::from(area.height);
        let size = (height * shown / length).clamp(1, height);
        let at = (height - size) * top / (length - shown).max(1);
        let (sign, style) = (self.theme.symbols.scroll, self.fg(StyleRole::Dim));
        for y in at..(at + size).min(height) {
            let y = area.y + u16::try_from(y).unwrap_or_default();
            self.write(area.right() - 1, y, 1, sign, style);
        }
    }
}

/// Returns the rows of an area from the top.
pub(crate) fn rows(area: Rect) -> impl Iterator<Item = Rect> {
    (area.y..area.bottom()).map(move |y| Rect {
        y,
        height: 1,
        ..area
    })
}

/// Returns a row of an area, empty if it is outside.
pub(crate) fn row(area: Rect, at: u16) -> Rect {
    if at < area.height {
        Rect {
            y: area.y + at,
            height: 1,
            ..area
        }
    } else {
        Rect {
            y: area.y,
            height: 0,
            width: 0,
            ..area
        }
    }
}

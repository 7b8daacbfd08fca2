//! A line editor; it scrolls so that the cursor is always visible.

use ratatui::layout::Rect;
use tui_input::Input;
use unicode_segmentation::UnicodeSegmentation;

use super::canvas::Canvas;
use crate::{
    net::trust::ticket::mask,
    text::{sanitize, width},
    ui::theme::StyleRole,
};

/// Draws the line, and the cursor if it has the keyboard.
pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, input: &Input, has_keyboard: bool) {
    if area.is_empty() {
        return;
    }
    // A ticket is a secret, also on a shared screen and in a screenshot.
    let value = mask(input.value());
    let room = usize::from(area.width).saturating_sub(1);
    let at = value
        .char_indices()
        .nth(input.cursor())
        .map_or(value.len(), |(at, _)| at);
    let (before, after) = value.split_at(at);
    // Counted back from the cursor, so that a long line costs no more than a short one.
    let mut cursor = 0;
    let before = sanitize(before);
    let mut from = before.len();
    for (start, cluster) in before.grapheme_indices(true).rev() {
        let wide = width(cluster);
        if cursor + wide > room {
            break;
        }
        cursor += wide;
        from = start;
    }
    let shown = before.get(from..).unwrap_or_default();
    let rest: String = after.chars().take(usize::from(area.width)).collect();
    let visible = format!("{shown}{rest}");
    let cursor = u16::try_from(cursor).unwrap_or_default();
    let style = canvas.fg(StyleRole::Strong);
    canvas.write(area.x, area.y, area.width, &visible, style);
    if has_keyboard {
        canvas.cursor = Some((area.x + cursor.min(area.width - 1), area.y));
    }
}

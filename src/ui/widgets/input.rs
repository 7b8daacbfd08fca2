//! A line that is being typed on: it scrolls so that the cursor is always to be seen.

use ratatui::layout::Rect;
use tui_input::Input;

use super::canvas::Canvas;
use crate::ui::{
    text::{clean, width},
    theme::Role,
};

/// Draws the line, and the cursor when it has the keyboard.
pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, input: &Input, has_keyboard: bool) {
    if area.is_empty() {
        return;
    }
    let room = usize::from(area.width).saturating_sub(1);
    let before: String = input.value().chars().take(input.cursor()).collect();
    // Characters at the left go until the cursor fits.
    let mut skip = 0;
    let mut shown = before.as_str();
    while width(&clean(shown)) > room {
        let mut chars = shown.chars();
        chars.next();
        shown = chars.as_str();
        skip += 1;
    }
    let cursor = u16::try_from(width(&clean(shown))).unwrap_or_default();
    let visible: String = input
        .value()
        .chars()
        .skip(skip)
        .take(usize::from(area.width) * 2)
        .collect();
    let style = canvas.ink(Role::Strong);
    canvas.write(area.x, area.y, area.width, &visible, style);
    if has_keyboard {
        canvas.cursor = Some((area.x + cursor.min(area.width - 1), area.y));
    }
}

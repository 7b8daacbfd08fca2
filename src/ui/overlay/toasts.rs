//! Toasts, at the lower right above the footer.

use ratatui::{
    layout::Rect,
    widgets::{Clear, Widget},
};

use crate::{
    text::{truncate, width},
    ui::{model::Model, theme::StyleRole, widgets::canvas::Canvas},
};

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model) {
    let mut y = screen.bottom().saturating_sub(2);
    for toast in model.toasts.iter() {
        if y <= screen.y || screen.width < 8 {
            return;
        }
        let room = screen.width.saturating_sub(6).min(90);
        let text = format!(
            " {} ",
            truncate(&toast.text, room.into(), canvas.symbols().ellipsis)
        );
        let wide = u16::try_from(width(&text)).unwrap_or(room) + 1;
        let wide = wide.min(screen.width);
        let area = Rect::new(screen.right() - wide, y, wide, 1);
        Clear.render(area, canvas.buffer);
        canvas.fill(area, StyleRole::Popup);
        let pointer = canvas.symbols().pointer;
        canvas.spans(
            area,
            &[(pointer, toast.tone.role()), (&text, StyleRole::Strong)],
        );
        y -= 1;
    }
}

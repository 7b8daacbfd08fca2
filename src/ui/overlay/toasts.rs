//! Toasts, at the lower right above the footer.

use ratatui::{
    layout::Rect,
    widgets::{Clear, Widget},
};

use crate::{
    text::{width, wrap},
    ui::{
        model::Model,
        theme::StyleRole,
        widgets::canvas::{Canvas, rows},
    },
};

/// The most lines of a toast; the log has the whole text of results.
const MAX_LINES: usize = 4;

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model) {
    let mut y = screen.bottom().saturating_sub(2);
    for toast in model.toasts.iter() {
        if y <= screen.y || screen.width < 8 {
            return;
        }
        let room = screen.width.saturating_sub(6).min(90);
        let lines = wrap(&toast.text, room.into(), MAX_LINES);
        let wide = lines
            .iter()
            .map(|line| width(line))
            .max()
            .unwrap_or_default()
            + 3;
        let wide = u16::try_from(wide)
            .unwrap_or(screen.width)
            .min(screen.width);
        let high = u16::try_from(lines.len()).unwrap_or(1).max(1);
        // The newest toasts are below; what has no room above them is left out.
        let Some(top) = (y + 1).checked_sub(high).filter(|top| *top > screen.y) else {
            return;
        };
        let area = Rect::new(screen.right() - wide, top, wide, high);
        Clear.render(area, canvas.buffer);
        canvas.fill(area, StyleRole::Popup);
        let pointer = canvas.symbols().pointer;
        for (area, line) in rows(area).zip(&lines) {
            let text = format!(" {line} ");
            canvas.spans(
                area,
                &[(pointer, toast.tone.role()), (&text, StyleRole::Strong)],
            );
        }
        y = top.saturating_sub(1);
    }
}

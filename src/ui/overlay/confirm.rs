//! The question before a destructive action.

use ratatui::layout::Rect;

use crate::{
    text::wrap,
    ui::{
        model::layer::Confirm,
        theme::StyleRole,
        widgets::canvas::{Canvas, rows},
    },
};

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, confirm: &Confirm) {
    let inner = canvas.popup(screen, (64, 6), "Confirm", "");
    let mut lines = wrap(&confirm.question, inner.width.into(), 2);
    lines.push(String::new());
    for (area, line) in rows(inner).zip(&lines) {
        canvas.spans(area, &[(line, StyleRole::Strong)]);
    }
    let at = Rect {
        y: inner.bottom().saturating_sub(1).max(inner.y),
        height: inner.height.min(1),
        ..inner
    };
    let pieces = [
        ("y", StyleRole::Key),
        (" yes, do it    ", StyleRole::Bad),
        ("n", StyleRole::Key),
        (" or esc: leave it", StyleRole::Text),
    ];
    canvas.spans(at, &pieces);
}

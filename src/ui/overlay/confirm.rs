//! A question before something is destroyed. Only y says yes.

use ratatui::layout::Rect;

use crate::ui::{
    model::layer::Confirm,
    text::wrap,
    theme::Role,
    widgets::canvas::{Canvas, rows},
};

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, confirm: &Confirm) {
    let inner = canvas.popup(screen, (64, 6), "Sure?", "");
    let mut lines = wrap(&confirm.question, inner.width.into(), 2);
    lines.push(String::new());
    for (area, line) in rows(inner).zip(&lines) {
        canvas.pieces(area, &[(line, Role::Strong)]);
    }
    let at = Rect {
        y: inner.bottom().saturating_sub(1).max(inner.y),
        height: inner.height.min(1),
        ..inner
    };
    let pieces = [
        ("y", Role::Key),
        (" yes, do it    ", Role::Bad),
        ("n", Role::Key),
        (" or esc: leave it", Role::Text),
    ];
    canvas.pieces(at, &pieces);
}

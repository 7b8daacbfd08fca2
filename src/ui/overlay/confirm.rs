//! The question before a destructive action.

use ratatui::layout::Rect;

use crate::{
    text::wrap,
    ui::{
        action::Action,
        model::{Model, layer::Confirm},
        scope,
        theme::StyleRole,
        widgets::canvas::{Canvas, rows},
    },
};

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model, confirm: &Confirm) {
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
    let answers = model.keymap.acting(scope::CONFIRM);
    let answers = answers.filter(|(spec, _)| !spec.hint.is_empty());
    let answers: Vec<_> = answers
        .map(|(spec, key)| (spec, key.to_string(), format!(" {}    ", spec.hint)))
        .collect();
    let spans: Vec<_> = answers
        .iter()
        .flat_map(|(spec, key, text)| {
            let role = match spec.action {
                Action::Yes => StyleRole::Bad,
                _ => StyleRole::Text,
            };
            [(key.as_str(), StyleRole::Key), (text.as_str(), role)]
        })
        .collect();
    canvas.spans(at, &spans);
}

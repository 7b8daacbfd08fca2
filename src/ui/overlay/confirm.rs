//! The question before an action on many tasks, or one that cannot be taken back.

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

use ratatui::layout::Rect;

const WIDTH: u16 = 68;
/// The most lines of a question.
const MAX_LINES: usize = 12;

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model, confirm: &Confirm) {
    let is_complete = confirm.question.is_complete();
    let hints = model.keymap.acting(scope::CONFIRM);
    let hints = hints.filter(|(verb, _)| !verb.hint.is_empty());
    // A question is answered with yes when it is complete.
    let hints = hints.filter(|(verb, _)| is_complete || verb.action != Action::Yes);
    let hints: Vec<_> = hints
        .map(|(verb, key)| format!("{key} {}", verb.hint))
        .collect();
    let width = usize::from(WIDTH.min(screen.width))
        .saturating_sub(4)
        .max(1);
    let lines = wrap(confirm.question.text(), width, MAX_LINES);
    let mut lines: Vec<_> = lines
        .iter()
        .map(|line| (line.as_str(), StyleRole::Strong))
        .collect();
    if !is_complete {
        lines.push(("counting…", StyleRole::Dim));
    }
    let high = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let inner = canvas.popup(screen, (WIDTH, high), "Confirm", &hints.join(", "));
    for (area, line) in rows(inner).zip(lines) {
        canvas.spans(area, &[line]);
    }
}

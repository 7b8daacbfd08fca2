//! A prompt: a line to type, what it expects, and the error in the typed text.

use ratatui::layout::Rect;

use crate::{
    text::wrap,
    ui::{
        model::{Model, layer::Prompt},
        scope,
        theme::StyleRole,
        widgets::{
            canvas::{Canvas, row, rows},
            input,
        },
    },
};

const WIDTH: u16 = 84;
/// The most lines of an error.
const MAX_LINES: usize = 12;

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model, prompt: &Prompt) {
    let keys = model.keymap.hints(scope::PROMPT);
    let (text, role) = match &prompt.error {
        Some(error) => (error.as_str(), StyleRole::Bad),
        None => (prompt.help(), StyleRole::Dim),
    };
    let width = usize::from(WIDTH.min(screen.width)).saturating_sub(4);
    let text = wrap(text, width, MAX_LINES);
    // The line, the mark of a mistake, and the text; the box keeps its size while the text is short.
    let high = u16::try_from(text.len() + 4).unwrap_or(u16::MAX).max(6);
    let inner = canvas.popup(screen, (WIDTH, high), &prompt.title(), &keys);
    let line = row(inner, 0);
    let used = canvas.spans(line, &[("> ", StyleRole::Accent)]);
    let line = Rect {
        x: line.x + used,
        width: line.width.saturating_sub(used),
        ..line
    };
    input::draw(canvas, line, &prompt.input, true);
    let below = Rect {
        y: (inner.y + 1).min(inner.bottom()),
        height: inner.height.saturating_sub(1),
        ..inner
    };
    // The cursor is at the error; the mark below also shows it without a cursor.
    if let (Some(_), Some((x, _))) = (&prompt.error, canvas.cursor) {
        let style = canvas.fg(StyleRole::Bad);
        canvas.write(x, below.y, 1, "^", style);
    }
    let below = Rect {
        y: (below.y + 1).min(below.bottom()),
        height: below.height.saturating_sub(1),
        ..below
    };
    for (area, line) in rows(below).zip(text) {
        canvas.spans(area, &[(&line, role)]);
    }
}

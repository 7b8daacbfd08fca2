//! Help: every action with its keys, from the table.

use ratatui::layout::Rect;

use crate::ui::pane::Pane;
use crate::ui::{
    action::{TABLE, Where},
    model::Model,
    theme::Role,
    widgets::canvas::{Canvas, rows},
};

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model, scroll: usize) {
    let lines = lines(model);
    let high = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let bottom = format!("{} scroll, esc closes", canvas.symbols().up_down);
    let inner = canvas.popup(screen, (86, high), "Help", &bottom);
    let shown = usize::from(inner.height);
    let top = scroll.min(lines.len().saturating_sub(shown));
    for (area, line) in rows(inner).zip(lines.iter().skip(top)) {
        match line {
            Line::Title(title) => {
                canvas.pieces(area, &[(title, Role::Accent)]);
            }
            Line::Entry {
                keys,
                text,
                why_not,
            } => {
                let keys = format!("  {keys:<14} ");
                let why = why_not
                    .as_ref()
                    .map_or(String::new(), |why| format!("  ({why})"));
                let role = if why_not.is_some() {
                    Role::Dim
                } else {
                    Role::Text
                };
                canvas.pieces(area, &[(&keys, Role::Key), (text, role), (&why, Role::Dim)]);
            }
            Line::Gap => {}
        }
    }
    let edge = Rect {
        width: inner.width + 2,
        ..inner
    };
    canvas.scrollbar(edge, top, shown, lines.len());
}

enum Line {
    Title(String),
    Entry {
        keys: String,
        text: String,
        why_not: Option<String>,
    },
    Gap,
}

/// First what the focused pane has, then what is everywhere, then the other panes.
fn lines(model: &Model) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut section = |title: String, wanted: &dyn Fn(&Where) -> bool| {
        let entries: Vec<_> = TABLE.iter().filter(|entry| wanted(&entry.at)).collect();
        if entries.is_empty() {
            return;
        }
        if !lines.is_empty() {
            lines.push(Line::Gap);
        }
        lines.push(Line::Title(title));
        for entry in entries {
            let keys = match model.keymap.text(entry.action) {
                keys if keys.is_empty() => format!(":{}", entry.name),
                keys => keys,
            };
            lines.push(Line::Entry {
                keys,
                text: entry.text.to_owned(),
                why_not: model.why_not(entry.action),
            });
        }
    };
    let own = |at: &Where, pane: Pane| match at {
        Where::Everywhere => false,
        Where::In(panes) => panes.contains(&pane),
    };
    section(format!("{} (here)", model.focus.title()), &|at| {
        own(at, model.focus)
    });
    section("Everywhere".to_owned(), &|at| *at == Where::Everywhere);
    for pane in Pane::ALL.into_iter().filter(|pane| *pane != model.focus) {
        section(pane.title().to_owned(), &|at| {
            own(at, pane) && !own(at, model.focus)
        });
    }
    lines
}

//! The help overlay: every action with its keys, from the table.

use ratatui::layout::Rect;

use crate::ui::pane::Pane;
use crate::ui::{
    action::{Scope, TABLE},
    model::Model,
    theme::StyleRole,
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
            HelpRow::Title(title) => {
                canvas.spans(area, &[(title, StyleRole::Accent)]);
            }
            HelpRow::ActionSpec {
                keys,
                text,
                why_not,
            } => {
                let keys = format!("  {keys:<14} ");
                let why = why_not
                    .as_ref()
                    .map_or(String::new(), |why| format!("  ({why})"));
                let role = if why_not.is_some() {
                    StyleRole::Dim
                } else {
                    StyleRole::Text
                };
                canvas.spans(
                    area,
                    &[
                        (&keys, StyleRole::Key),
                        (text, role),
                        (&why, StyleRole::Dim),
                    ],
                );
            }
            HelpRow::Gap => {}
        }
    }
    let edge = Rect {
        width: inner.width + 2,
        ..inner
    };
    canvas.scrollbar(edge, top, shown, lines.len());
}

enum HelpRow {
    Title(String),
    ActionSpec {
        keys: String,
        text: String,
        why_not: Option<String>,
    },
    Gap,
}

/// First what the focused pane has, then what is everywhere, then the other panes.
fn lines(model: &Model) -> Vec<HelpRow> {
    let mut lines = Vec::new();
    let mut section = |title: String, wanted: &dyn Fn(&Scope) -> bool| {
        let entries: Vec<_> = TABLE.iter().filter(|entry| wanted(&entry.at)).collect();
        if entries.is_empty() {
            return;
        }
        if !lines.is_empty() {
            lines.push(HelpRow::Gap);
        }
        lines.push(HelpRow::Title(title));
        for entry in entries {
            let keys = match model.keymap.text(entry.action) {
                keys if keys.is_empty() => format!(":{}", entry.name),
                keys => keys,
            };
            lines.push(HelpRow::ActionSpec {
                keys,
                text: entry.text.to_owned(),
                why_not: model.why_not(entry.action),
            });
        }
    };
    let own = |at: &Scope, pane: Pane| match at {
        Scope::Everywhere => false,
        Scope::In(panes) => panes.contains(&pane),
    };
    section(format!("{} (here)", model.focus.title()), &|at| {
        own(at, model.focus)
    });
    section("Everywhere".to_owned(), &|at| *at == Scope::Everywhere);
    for pane in Pane::ALL.into_iter().filter(|pane| *pane != model.focus) {
        section(pane.title().to_owned(), &|at| {
            own(at, pane) && !own(at, model.focus)
        });
    }
    lines
}

//! The help overlay: every action with its keys, from the table.

use ratatui::layout::Rect;

use crate::ui::{
    action::Action,
    model::Model,
    pane::Pane,
    scope::{self, Scope},
    theme::StyleRole,
    verbs::{ActionSpec, TABLE},
    widgets::canvas::{Canvas, rows},
};

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model, scroll: usize) {
    let lines = lines(model);
    let high = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let scroll_keys = [Action::Up, Action::Down].map(|action| {
        model
            .keymap
            .key(action, scope::SCROLL)
            .map_or(String::new(), |key| key.to_string())
    });
    let bottom = format!(
        "{} scroll, {}",
        scroll_keys.join(" "),
        model.keymap.hints(scope::SCROLL)
    );
    let inner = canvas.popup(screen, (86, high), "Help", &bottom);
    let shown = usize::from(inner.height);
    let top = scroll.min(lines.len().saturating_sub(shown));
    for (area, line) in rows(inner).zip(lines.iter().skip(top)) {
        match line {
            HelpRow::Title(title) => {
                canvas.spans(area, &[(title, StyleRole::Accent)]);
            }
            HelpRow::Verb {
                keys,
                text,
                disabled_reason,
            } => {
                let keys = format!("  {keys:<20} ");
                let why = disabled_reason
                    .as_ref()
                    .map_or(String::new(), |why| format!("  ({why})"));
                let role = if disabled_reason.is_some() {
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
    Verb {
        keys: String,
        text: &'static str,
        disabled_reason: Option<String>,
    },
    Gap,
}

/// First the keys of the focused pane, then those everywhere, those of other panes and of overlays.
fn lines(model: &Model) -> Vec<HelpRow> {
    let mut lines = Vec::new();
    let mut section = |title: &str, scopes: &[Scope]| {
        let rows = TABLE.iter().filter_map(|spec| row(model, spec, scopes));
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            return;
        }
        if !lines.is_empty() {
            lines.push(HelpRow::Gap);
        }
        lines.push(HelpRow::Title(title.to_owned()));
        lines.extend(rows);
    };
    let focus = Scope::Pane(model.focus);
    let here = format!("{} (here)", focus.title());
    let lists = scope::pane(model.focus).contains(&Scope::Lists);
    if lists {
        section(&here, &[focus, Scope::Lists]);
    } else {
        section(&here, &[focus]);
    }
    section("Everywhere", &[Scope::Panes, Scope::Always]);
    for pane in Pane::ALL.into_iter().filter(|pane| *pane != model.focus) {
        section(pane.title(), &[Scope::Pane(pane)]);
    }
    if !lists {
        section("Lists", &[Scope::Lists]);
    }
    for overlay in scope::OVERLAYS {
        section(overlay.title(), &[overlay]);
    }
    lines
}

/// The row of a verb that acts in one of these scopes; without a key it is shown as a command.
fn row(model: &Model, spec: &ActionSpec, scopes: &[Scope]) -> Option<HelpRow> {
    let scope = spec.scopes().find(|scope| scopes.contains(scope))?;
    let keys = match model.keymap.keys_in(spec.action, scope) {
        keys if !keys.is_empty() => keys,
        _ if scope.is_pane() => format!(":{}", spec.name),
        _ => return None,
    };
    // In an overlay it is about something else than what is selected now.
    let disabled = scope.is_pane().then(|| model.disabled_reason(spec.action));
    Some(HelpRow::Verb {
        keys,
        text: spec.text,
        disabled_reason: disabled.flatten(),
    })
}

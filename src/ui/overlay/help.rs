//! The help overlay: every action with its keys, from the table.

use ratatui::layout::Rect;

use crate::{
    text::{self, wrap},
    ui::{
        action::Action,
        model::Model,
        pane::Pane,
        scope::{self, Scope},
        theme::StyleRole,
        verbs::{ActionSpec, TABLE},
        widgets::canvas::{Canvas, rows},
    },
};

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model, scroll: usize) {
    let width = usize::from(WIDTH.min(screen.width).saturating_sub(4));
    let lines: Vec<HelpLine> = lines(model)
        .into_iter()
        .flat_map(|row| row.lines(width))
        .collect();
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
    let inner = canvas.popup(screen, (WIDTH, high), "Help", &bottom);
    let shown = usize::from(inner.height);
    let top = scroll.min(lines.len().saturating_sub(shown));
    for (area, line) in rows(inner).zip(lines.iter().skip(top)) {
        let spans: Vec<_> = line
            .iter()
            .map(|(text, role)| (text.as_str(), *role))
            .collect();
        canvas.spans(area, &spans);
    }
    let edge = Rect {
        width: inner.width + 2,
        ..inner
    };
    canvas.scrollbar(edge, top, shown, lines.len());
}

const WIDTH: u16 = 96;
/// The columns of the keys, on a wide and on a narrow screen, and the width from which it is wide.
const KEYS: (usize, usize) = (20, 12);
const WIDE: usize = 60;
/// The most lines of one text.
const MAX_LINES: usize = 6;

/// A drawn line: spans with their roles.
type HelpLine = Vec<(String, StyleRole)>;

enum HelpRow {
    Title(String),
    Verb {
        keys: String,
        text: &'static str,
        disabled_reason: Option<String>,
    },
    Gap,
}

impl HelpRow {
    /// Returns the lines of the row: its text is wrapped, never cut. Keys that are wider than their column have a
    /// line of their own.
    fn lines(self, width: usize) -> Vec<HelpLine> {
        let (keys, text, disabled_reason) = match self {
            Self::Title(title) => return vec![vec![(title, StyleRole::Accent)]],
            Self::Gap => return vec![vec![]],
            Self::Verb {
                keys,
                text,
                disabled_reason,
            } => (keys, text, disabled_reason),
        };
        let (text, role) = match disabled_reason {
            Some(why) => (format!("{text}  ({why})"), StyleRole::Dim),
            None => (text.to_owned(), StyleRole::Text),
        };
        let column = if width >= WIDE { KEYS.0 } else { KEYS.1 };
        let room = width.saturating_sub(column + 3).max(1);
        let mut lines = Vec::new();
        let mut first = keys;
        if text::width(&first) > column {
            lines.push(vec![(format!("  {first}"), StyleRole::Key)]);
            first = String::new();
        }
        for line in wrap(&text, room, MAX_LINES) {
            let keys = format!("  {:<column$} ", std::mem::take(&mut first));
            lines.push(vec![(keys, StyleRole::Key), (line, role)]);
        }
        lines
    }
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
        text: spec.text_in(scope),
        disabled_reason: disabled.flatten(),
    })
}

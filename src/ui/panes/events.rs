//! The Events pane: the event log, the newest line at the bottom.

use ratatui::layout::Rect;

use super::{empty, frame, highlight};
use crate::{
    text::fmt_count,
    ui::{
        layout::Regions,
        model::{
            Model,
            events::{Kind, Tone},
        },
        pane::Pane,
        theme::StyleRole,
        widgets::{
            canvas::{Canvas, rows},
            table::Highlight,
        },
    },
};

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, model: &Model, regions: &mut Regions) {
    let view = &model.events;
    let log = &model.data().log;
    let lines = log.matching(&view.filter);
    let dropped = match log.dropped {
        0 => String::new(),
        n => format!(
            " {} dropped ",
            fmt_count(usize::try_from(n).unwrap_or(usize::MAX))
        ),
    };
    let filter = match view.filter.as_str() {
        "" => String::new(),
        text => format!(" /{text} "),
    };
    let held = if view.held { " scrolled " } else { "" };
    let total = format!(" {} ", fmt_count(lines.len()));
    let right = [
        (dropped.as_str(), StyleRole::Warn),
        (filter.as_str(), StyleRole::Accent),
        (held, StyleRole::Warn),
        (total.as_str(), StyleRole::Dim),
    ];
    let inner = frame(canvas, area, model, Pane::Events, &right);
    if lines.is_empty() {
        return empty(canvas, inner, &["no events yet"]);
    }
    let selection = view.selection(lines.len(), inner.height.into());
    let visible = selection.visible(lines.len());
    regions.rows.push((Pane::Events, inner, visible.start));
    for (area, i) in rows(inner).zip(visible.clone()) {
        let Some(line) = lines.get(i) else { continue };
        let selected = view.held && i == selection.at;
        match highlight(model, Pane::Events, selected) {
            Highlight::None => {}
            Highlight::Selected => canvas.fill(area, StyleRole::Selected),
            Highlight::Inactive => canvas.fill(area, StyleRole::SelectedInactive),
        }
        let at = model.local(line.at).strftime(" %H:%M:%S ").to_string();
        let kind = if area.width >= 40 {
            format!("{:<7} ", line.kind.as_str())
        } else {
            String::new()
        };
        let sign = format!("{} ", line.tone.sign(canvas.symbols()));
        let text = match line.tone {
            Tone::Plain | Tone::Good => StyleRole::Text,
            Tone::Warn | Tone::Bad => line.tone.role(),
        };
        let pieces = [
            (at.as_str(), StyleRole::Dim),
            (kind.as_str(), kind_role(line.kind)),
            (sign.as_str(), line.tone.role()),
            (line.text.as_str(), text),
        ];
        canvas.spans(area, &pieces);
    }
    let edge = Rect {
        width: inner.width + 1,
        ..inner
    };
    canvas.scrollbar(edge, visible.start, visible.len(), lines.len());
}

const fn kind_role(kind: Kind) -> StyleRole {
    match kind {
        Kind::Name => StyleRole::Accent,
        Kind::Call => StyleRole::Active,
        Kind::Task => StyleRole::Chart,
        Kind::Worker => StyleRole::Waiting,
        Kind::Program => StyleRole::Key,
    }
}

//! The Names pane: registered names with address, owner, lease and state.

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::{empty, frame, highlight};
use crate::{
    net::naming::Health,
    text::fmt_count,
    ui::{
        action::Action,
        layout::Regions,
        model::Model,
        pane::Pane,
        theme::StyleRole,
        widgets::{
            canvas::{Canvas, row},
            table::{self, Column},
        },
    },
};

const COLUMNS: [Column; 5] = [
    Column::share("NAME", 1),
    Column::cells("ADDRESS", 21).from(58),
    // Several owners can register the same name, so a narrow screen shows the owner first.
    Column::cells("OWNER", 8).from(38),
    Column::cells("LEASE", 5).right().from(66),
    Column::cells("STATE", 9),
];

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, model: &Model, regions: &mut Regions) {
    let names = &model.names;
    let rows = names.rows();
    let total = if names.filter.is_empty() {
        format!(" {} ", fmt_count(names.total()))
    } else {
        format!(
            " {} of {} ",
            fmt_count(rows.len()),
            fmt_count(names.total())
        )
    };
    let filter = match names.filter.as_str() {
        "" => String::new(),
        text => format!(" /{text} "),
    };
    let dropped = match names.dropped {
        0 => String::new(),
        n => format!(" {} not shown ", fmt_count(n)),
    };
    let right = [
        (dropped.as_str(), StyleRole::Warn),
        (filter.as_str(), StyleRole::Accent),
        (total.as_str(), StyleRole::Dim),
    ];
    let inner = frame(canvas, area, model, Pane::Names, &right);
    if rows.is_empty() {
        let all = model.keymap.text(Action::Clear);
        let hint = match (names.connected, names.filter.is_empty()) {
            (false, _) => "loading names…",
            (true, true) => "no names registered",
            (true, false) => &format!("no name matches; {all} shows all"),
        };
        return empty(canvas, inner, &[hint]);
    }
    table::header(canvas, row(inner, 0), &COLUMNS);
    let body = Rect {
        y: (inner.y + 1).min(inner.bottom()),
        height: inner.height.saturating_sub(1),
        ..inner
    };
    let mut selection = names.selection;
    selection.height = body.height.into();
    selection.clamp(rows.len());
    let visible = selection.visible(rows.len());
    regions.rows.push((Pane::Names, body, visible.start));
    let lines = visible.clone().filter_map(|i| {
        let record = rows.get(i)?;
        let (state, role) = match record.health {
            Health::Live => ("live", StyleRole::Good),
            Health::Suspect => ("suspect", StyleRole::Warn),
        };
        let state = format!("{} {state}", model.theme.symbols.health(record.health));
        let lease = match record.lease_ms {
            Some(ms) => Cow::Owned(format!("{} s", ms / 1_000)),
            None => Cow::Borrowed("none"),
        };
        let name = match record.has_mixed_scripts() {
            true => (Cow::Owned(record.marked_name()), StyleRole::Warn),
            false => (Cow::Borrowed(record.name.as_str()), StyleRole::Strong),
        };
        let cells = vec![
            name,
            (record.uri.location(), StyleRole::Text),
            (Cow::Owned(record.owner.fingerprint()), StyleRole::Dim),
            (lease, StyleRole::Dim),
            (Cow::Owned(state), role),
        ];
        Some((highlight(model, Pane::Names, i == selection.at), cells))
    });
    table::body(canvas, body, &COLUMNS, lines);
    let edge = Rect {
        width: body.width + 1,
        ..body
    };
    canvas.scrollbar(edge, visible.start, visible.len(), rows.len());
}

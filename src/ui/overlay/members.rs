//! Who has joined this node, and which nodes it has joined.

use std::borrow::Cow;

use ratatui::layout::Rect;

use crate::{
    net::{admission::MemberStatus, rpc::wire::Role as Rights},
    node::UpstreamStatus,
    queue::task::Timestamp,
    ui::{
        model::{Model, layer::MembersView},
        theme::StyleRole,
        widgets::{
            canvas::{Canvas, row},
            table::{self, Cell, Column, Highlight},
        },
    },
};

const HERE: [Column; 5] = [
    Column::cells("JOINED HERE", 18),
    Column::cells("ROLE", 7),
    Column::share("LABEL", 1),
    Column::cells("LINES", 6).right().from(60),
    Column::cells("SINCE", 16).from(80),
];
const THERE: [Column; 4] = [
    Column::cells("JOINED BY IT", 18),
    Column::cells("ROLE", 7),
    Column::cells("WHERE", 22).from(60),
    Column::share("NAMES THERE", 1),
];

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model, view: &MembersView) {
    let keys = "t makes a ticket, c joins another node, D throws out, esc closes";
    let (here, there) = (view.here(), view.there());
    let high = u16::try_from(here.len() + there.len() + 7).unwrap_or(u16::MAX);
    let high = high.clamp(8, screen.height.max(8));
    let inner = canvas.popup(screen, (100, high), "Peers", keys);
    match &view.peers {
        None => {
            canvas.spans(row(inner, 0), &[("looking…", StyleRole::Dim)]);
            return;
        }
        Some(Err(why)) => {
            canvas.spans(row(inner, 0), &[(why, StyleRole::Bad)]);
            return;
        }
        Some(Ok(_)) => {}
    }
    // What was joined is short, and below; who has joined scrolls above it.
    let below = u16::try_from(there.len().max(1) + 2).unwrap_or(u16::MAX);
    let below = below.min(inner.height / 2);
    let above = Rect {
        height: inner.height.saturating_sub(below),
        ..inner
    };
    let below = Rect {
        y: above.bottom(),
        height: below,
        ..inner
    };
    table::header(canvas, row(above, 0), &HERE);
    let body = under(above, 1);
    if here.is_empty() {
        let text = "nobody yet; t makes a ticket to paste elsewhere";
        canvas.spans(row(body, 0), &[(text, StyleRole::Dim)]);
    }
    let shown = usize::from(body.height).max(1);
    let top = (view.selected + 1).saturating_sub(shown);
    let lines = here.iter().enumerate().skip(top).map(|(i, info)| {
        let highlight = if i == view.selected {
            Highlight::Selected
        } else {
            Highlight::None
        };
        (highlight, peer(info, model))
    });
    table::body(canvas, body, &HERE, lines);
    table::header(canvas, row(under(below, 1), 0), &THERE);
    let body = under(below, 2);
    if there.is_empty() {
        canvas.spans(row(body, 0), &[("none; c joins one", StyleRole::Dim)]);
    }
    let lines = there.iter().map(|info| (Highlight::None, link(info)));
    table::body(canvas, body, &THERE, lines);
}

fn under(area: Rect, rows: u16) -> Rect {
    Rect {
        y: (area.y + rows).min(area.bottom()),
        height: area.height.saturating_sub(rows),
        ..area
    }
}

fn rights(role: Rights) -> Cell<'static> {
    let ink = match role {
        Rights::Admin => StyleRole::Warn,
        _ => StyleRole::Text,
    };
    (Cow::Borrowed(role.as_str()), ink)
}

fn peer<'a>(info: &'a MemberStatus, model: &Model) -> Vec<Cell<'a>> {
    let since = model.local(Timestamp(info.peer.joined_at.saturating_mul(1_000_000)));
    let lines = match info.connections {
        0 => (Cow::Borrowed("none"), StyleRole::Dim),
        n => (Cow::Owned(n.to_string()), StyleRole::Good),
    };
    vec![
        (short(&info.peer.key), StyleRole::Strong),
        rights(info.peer.role),
        (Cow::Borrowed(info.peer.label.as_str()), StyleRole::Text),
        lines,
        (
            Cow::Owned(since.strftime("%Y-%m-%d %H:%M").to_string()),
            StyleRole::Dim,
        ),
    ]
}

fn link(info: &UpstreamStatus) -> Vec<Cell<'_>> {
    let all_held = info.names.iter().all(|(_, how)| how == "held");
    let names = info.names.iter();
    let names: Vec<_> = names.map(|(name, how)| format!("{name} {how}")).collect();
    let ink = if all_held {
        StyleRole::Good
    } else {
        StyleRole::Warn
    };
    vec![
        (short(&info.key), StyleRole::Strong),
        rights(info.role),
        (Cow::Owned(info.addr.to_string()), StyleRole::Text),
        (Cow::Owned(names.join(", ")), ink),
    ]
}

fn short(key: &crate::net::trust::key::PublicKey) -> Cow<'static, str> {
    Cow::Owned(key.to_string().chars().take(16).collect())
}

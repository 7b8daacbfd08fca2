//! The members overlay: the members of this node, and its upstreams.

use std::borrow::Cow;

use ratatui::layout::Rect;

use crate::{
    net::{admission::MemberStatus, trust::role::Role},
    node::UpstreamStatus,
    queue::clock::Timestamp,
    ui::{
        action::Action,
        model::{Model, layer::MembersView},
        scope,
        theme::StyleRole,
        widgets::{
            canvas::{Canvas, row},
            table::{self, Cell, Column, Highlight},
        },
    },
};

const MEMBERS: [Column; 5] = [
    Column::cells("MEMBER", 18),
    Column::cells("ROLE", 7),
    Column::share("LABEL", 1),
    Column::cells("CONNS", 6).right().from(60),
    Column::cells("JOINED", 16).from(80),
];
const UPSTREAMS: [Column; 4] = [
    Column::cells("UPSTREAM", 18),
    Column::cells("ROLE", 7),
    Column::cells("ADDRESS", 22).from(60),
    Column::share("NAMES", 1),
];

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model, view: &MembersView) {
    let keys = model.keymap.hints(scope::MEMBERS);
    let key = |action| model.keymap.key(action, scope::MEMBERS);
    let hint = |action, text: &str| match key(action) {
        Some(key) => format!("none; {key} {text}"),
        None => "none".to_owned(),
    };
    let (here, there) = (view.members(), view.upstreams());
    let high = u16::try_from(here.len() + there.len() + 7).unwrap_or(u16::MAX);
    let high = high.clamp(8, screen.height.max(8));
    let inner = canvas.popup(screen, (100, high), "Members", &keys);
    match &view.loaded {
        None => {
            canvas.spans(row(inner, 0), &[("loading…", StyleRole::Dim)]);
            return;
        }
        Some(Err(why)) => {
            canvas.spans(row(inner, 0), &[(why, StyleRole::Bad)]);
            return;
        }
        Some(Ok(_)) => {}
    }
    // The upstreams are few and stay below; the members scroll above them.
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
    table::header(canvas, row(above, 0), &MEMBERS);
    let body = below_rows(above, 1);
    if here.is_empty() {
        let text = hint(Action::Ticket, "makes a ticket for others to join with");
        canvas.spans(row(body, 0), &[(&text, StyleRole::Dim)]);
    }
    let shown = usize::from(body.height).max(1);
    let top = (view.selected + 1).saturating_sub(shown);
    let lines = here.iter().enumerate().skip(top).map(|(i, info)| {
        let highlight = if i == view.selected {
            Highlight::Selected
        } else {
            Highlight::None
        };
        (highlight, member_cells(info, model))
    });
    table::body(canvas, body, &MEMBERS, lines);
    table::header(canvas, row(below_rows(below, 1), 0), &UPSTREAMS);
    let body = below_rows(below, 2);
    if there.is_empty() {
        let text = hint(Action::Join, "joins a node");
        canvas.spans(row(body, 0), &[(&text, StyleRole::Dim)]);
    }
    let lines = there
        .iter()
        .map(|info| (Highlight::None, upstream_cells(info)));
    table::body(canvas, body, &UPSTREAMS, lines);
}

fn below_rows(area: Rect, rows: u16) -> Rect {
    Rect {
        y: (area.y + rows).min(area.bottom()),
        height: area.height.saturating_sub(rows),
        ..area
    }
}

fn role_cell(role: Role) -> Cell<'static> {
    let style = match role {
        Role::Admin => StyleRole::Warn,
        _ => StyleRole::Text,
    };
    (Cow::Borrowed(role.as_str()), style)
}

fn member_cells<'a>(info: &'a MemberStatus, model: &Model) -> Vec<Cell<'a>> {
    let origin = match info.via {
        Some(upstream) => format!("via {}", upstream.fingerprint()),
        None => {
            let since = Timestamp(info.member.joined_at.saturating_mul(1_000_000));
            model.local(since).strftime("%Y-%m-%d %H:%M").to_string()
        }
    };
    let connections = match info.connections {
        0 => (Cow::Borrowed("none"), StyleRole::Dim),
        n => (Cow::Owned(n.to_string()), StyleRole::Good),
    };
    vec![
        (key_cell(&info.member.key), StyleRole::Strong),
        role_cell(info.member.role),
        (Cow::Borrowed(info.member.label.as_str()), StyleRole::Text),
        connections,
        (Cow::Owned(origin), StyleRole::Dim),
    ]
}

fn upstream_cells(info: &UpstreamStatus) -> Vec<Cell<'_>> {
    let all_held = info.names.iter().all(|(_, how)| how == "held");
    let style = if all_held {
        StyleRole::Good
    } else {
        StyleRole::Warn
    };
    vec![
        (key_cell(&info.key), StyleRole::Strong),
        role_cell(info.role),
        (Cow::Owned(info.addr.to_string()), StyleRole::Text),
        (Cow::Owned(info.names_by_state()), style),
    ]
}

fn key_cell(key: &crate::net::trust::key::PublicKey) -> Cow<'static, str> {
    Cow::Owned(key.to_string().chars().take(16).collect())
}

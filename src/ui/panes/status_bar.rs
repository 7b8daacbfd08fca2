//! The status bar: the node and its broker, or the panes as tabs.

use ratatui::layout::Rect;

use crate::{
    net::trust::role::Role as Rights,
    node::Locality,
    queue::state::State,
    text::{fmt_compact, truncate, width},
    ui::{
        action::Action,
        layout::{Plan, Regions},
        model::{Model, Replay, freshness::LocalNode},
        pane::Pane,
        theme::StyleRole,
        widgets::canvas::{Canvas, TextSpan},
    },
};

pub(crate) fn draw(canvas: &mut Canvas<'_>, plan: &Plan, model: &Model, regions: &mut Regions) {
    let right = badges(canvas, plan, model);
    let rest = Rect {
        width: plan.bar.width.saturating_sub(right),
        ..plan.bar
    };
    if plan.tabs {
        tabs(canvas, rest, model, regions);
    } else {
        status(canvas, rest, model);
    }
}

/// Draws the states that must not be overlooked, the most important first; returns their width. Beside tabs they have
/// half of the bar.
fn badges(canvas: &mut Canvas<'_>, plan: &Plan, model: &Model) -> u16 {
    let overview = &model.data().overview;
    let stats = &overview.stats;
    let stuck = match stats.stuck {
        0 => String::new(),
        n => format!(" {n} STUCK "),
    };
    let not_saved = if stats.persist_error().is_some() {
        " NOT SAVED "
    } else {
        ""
    };
    let paused = match stats.paused_queues.len() {
        _ if stats.paused => " PAUSED ".to_owned(),
        0 => String::new(),
        1 => format!(" {} PAUSED ", truncate(&stats.paused_queues[0], 16, "~")),
        n => format!(" {n} QUEUES PAUSED "),
    };
    let lost = lost_badge(model, plan.tabs);
    let health = model.health.badge();
    let replay = model.replay.as_ref().map(replay_badge);
    let read_only = model.header.read_only || model.header.role == Rights::Read;
    let pieces = [
        (replay.as_deref().unwrap_or_default(), StyleRole::Active),
        (lost.as_deref().unwrap_or_default(), StyleRole::Bad),
        (
            if read_only { " READ-ONLY " } else { "" },
            StyleRole::Active,
        ),
        (health.as_deref().unwrap_or_default(), StyleRole::Bad),
        (not_saved, StyleRole::Bad),
        (stuck.as_str(), StyleRole::Bad),
        (
            if model.leaving { " QUITTING " } else { "" },
            StyleRole::Warn,
        ),
        (
            if model.is_frozen() { " FROZEN " } else { "" },
            StyleRole::Active,
        ),
        (paused.as_str(), StyleRole::Warn),
    ];
    let room = match plan.tabs {
        true => {
            let first = pieces
                .iter()
                .map(|(text, _)| width(text))
                .find(|wide| *wide > 0);
            let first = u16::try_from(first.unwrap_or_default()).unwrap_or(u16::MAX);
            first.max(plan.bar.width / 2).min(plan.bar.width)
        }
        false => plan.bar.width,
    };
    let area = Rect {
        x: plan.bar.right() - room,
        width: room,
        ..plan.bar
    };
    canvas.spans_right_that_fit(area, &pieces)
}

/// Describes what is lost and when it is tried next, or how to start a node in place of a lost one.
fn lost_badge(model: &Model, short: bool) -> Option<String> {
    let (_, retry_at) = model.loss().zip(model.retry_at())?;
    if model.local_node == LocalNode::Starting {
        return Some(" STARTING A NODE ".to_owned());
    }
    if model.can_start_node() {
        let key = model.keymap.text(Action::StartNode);
        return Some(match short {
            true => format!(" {key} STARTS A NODE "),
            false => format!(" NODE ENDED, {key} STARTS ONE "),
        });
    }
    let what = match model.broker_link.lost() {
        Some(_) => "DISCONNECTED",
        None => "NAMES DISCONNECTED",
    };
    let left = retry_at.since(model.now).as_secs_f64().ceil();
    Some(match left {
        left if left > 0.0 && short => format!(" LOST, RETRY IN {left} S "),
        left if left > 0.0 => format!(" {what}, RETRY IN {left} S "),
        _ => " RECONNECTING ".to_owned(),
    })
}

/// Describes the position of a replay.
fn replay_badge(replay: &Replay) -> String {
    let clock = |time: std::time::Duration| {
        let seconds = time.as_secs();
        format!("{}:{:02}", seconds / 60, seconds % 60)
    };
    let (at, length) = (clock(replay.at), clock(replay.length));
    let how = match (replay.paused, replay.at >= replay.length) {
        (_, true) => " END".to_owned(),
        (true, _) => " PAUSED".to_owned(),
        (false, _) => format!(" x{}", replay.speed),
    };
    format!(" REPLAY {at} / {length}{how} ")
}

fn status(canvas: &mut Canvas<'_>, area: Rect, model: &Model) {
    let header = &model.header;
    let overview = &model.data().overview;
    let stats = &overview.stats;
    let symbols = *canvas.symbols();
    let dot = format!("  {}  ", symbols.dot);
    let workers = match (overview.active, overview.desired_workers()) {
        (1, 1) => "1 worker".to_owned(),
        (active, desired) if active == desired => format!("{desired} workers"),
        (active, desired) => format!("{active} of {desired} workers"),
    };
    let state_count = |state: State| {
        (
            format!("{} {} {state}", symbols.state(state), stats.tasks_in(state)),
            stats.count(state),
        )
    };
    let (running, _) = state_count(State::Running);
    let (queued, _) = state_count(State::Queued);
    let (failed, failures) = state_count(State::Failed);
    let rate = overview
        .rate(model.shown_at(), 1)
        .last()
        .copied()
        .unwrap_or_default();
    let rate = format!("{}/s", fmt_compact(rate.into()));
    // What is not known now is not shown as if it were.
    let live = |role: StyleRole| match model.broker_link.lost() {
        Some(_) => StyleRole::Dim,
        None => role,
    };
    let failed_role = match failures {
        0 => StyleRole::Dim,
        _ => live(StyleRole::Bad),
    };
    let (label, role) = match header.locality {
        Locality::InProcess => ("key ", ""),
        Locality::LocalProcess => ("attached to ", ""),
        Locality::Remote => ("node ", header.role.as_str()),
    };
    let joiner = if role.is_empty() { "" } else { " as " };
    let node: [TextSpan<'_>; 7] = [
        (label, StyleRole::Dim),
        (&header.fingerprint, StyleRole::Text),
        (" at ", StyleRole::Dim),
        (&header.addr, StyleRole::Text),
        (joiner, StyleRole::Dim),
        (role, StyleRole::Strong),
        (&dot, StyleRole::Border),
    ];
    let broker: [TextSpan<'_>; 4] = [
        (&header.engine, StyleRole::Text),
        (", ", StyleRole::Dim),
        (&workers, live(StyleRole::Text)),
        (&dot, StyleRole::Border),
    ];
    let counts: [TextSpan<'_>; 7] = [
        (&running, live(StyleRole::Active)),
        ("  ", StyleRole::Dim),
        (&queued, live(StyleRole::Waiting)),
        ("  ", StyleRole::Dim),
        (&failed, failed_role),
        ("  ", StyleRole::Dim),
        (&rate, live(StyleRole::Chart)),
    ];
    // The counts are last, and on a narrow screen the node and the broker make room for them.
    let brand: [TextSpan<'_>; 2] = [(" distro-tui", StyleRole::Accent), ("  ", StyleRole::Dim)];
    let wide = |pieces: &[TextSpan<'_>]| pieces.iter().map(|(text, _)| width(text)).sum::<usize>();
    let mut room = usize::from(area.width).saturating_sub(wide(&brand) + wide(&counts));
    let mut line = brand.to_vec();
    for group in [&node[..], &broker[..]] {
        if wide(group) <= room {
            room -= wide(group);
            line.extend(group);
        }
    }
    line.extend(counts);
    canvas.spans(area, &line);
}

fn tabs(canvas: &mut Canvas<'_>, area: Rect, model: &Model, regions: &mut Regions) {
    let all: usize = Pane::ALL.iter().map(|pane| width(pane.title()) + 4).sum();
    let named = all <= area.width.into();
    let mut x = area.x;
    for pane in Pane::ALL {
        let focused = pane == model.focus;
        let title = if named || focused { pane.title() } else { "" };
        let gap = if title.is_empty() { "" } else { " " };
        let number = format!(" {}", pane.number());
        let name = format!("{gap}{title} ");
        let room = Rect {
            x,
            width: area.right().saturating_sub(x),
            ..area
        };
        let role = if focused {
            StyleRole::Focus
        } else {
            StyleRole::Text
        };
        let used = canvas.spans(room, &[(&number, StyleRole::Key), (&name, role)]);
        let button = Rect {
            width: used,
            ..room
        };
        regions.buttons.push((button, Action::Focus(pane)));
        x += used;
    }
}

//! The line at the top: this process and its broker in a sentence, or the panes to choose from.

use ratatui::layout::Rect;

use crate::ui::pane::Pane;
use crate::{
    net::rpc::wire::Role as Rights,
    node::Locality,
    queue::task::State,
    text::{fmt_compact, fmt_count, truncate, width},
    ui::{
        action::Action,
        layout::{Plan, Regions},
        model::{Model, Replay},
        theme::StyleRole,
        widgets::canvas::{Canvas, TextSpan},
    },
};

pub(crate) fn draw(canvas: &mut Canvas<'_>, plan: &Plan, model: &Model, regions: &mut Regions) {
    let right = badges(canvas, plan.bar, model);
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

/// States of the whole screen that must not be overlooked.
fn badges(canvas: &mut Canvas<'_>, area: Rect, model: &Model) -> u16 {
    let overview = &model.data().overview;
    let stats = &overview.stats;
    let stuck = match stats.stuck {
        0 => String::new(),
        n => format!(" {n} STUCK "),
    };
    let unsaved = if stats.trouble.is_some() {
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
    let lost = model.lost.as_ref().map(|lost| {
        let left = lost.again_at.since(model.now).as_secs_f64().ceil();
        match left {
            left if left > 0.0 => format!(" LOST, AGAIN IN {left} S "),
            _ => " RECONNECTING ".to_owned(),
        }
    });
    let replay = model.replay.as_ref().map(replayed);
    let read_only = model.about.read_only || model.about.role == Rights::Read;
    let pieces = [
        (replay.as_deref().unwrap_or_default(), StyleRole::Active),
        (lost.as_deref().unwrap_or_default(), StyleRole::Bad),
        (
            if read_only { " READ-ONLY " } else { "" },
            StyleRole::Active,
        ),
        (unsaved, StyleRole::Bad),
        (stuck.as_str(), StyleRole::Bad),
        (
            if model.leaving { " LEAVING " } else { "" },
            StyleRole::Warn,
        ),
        (
            if model.is_frozen() { " FROZEN " } else { "" },
            StyleRole::Active,
        ),
        (paused.as_str(), StyleRole::Warn),
    ];
    canvas.spans_right(area, &pieces)
}

/// How far a recording is.
fn replayed(replay: &Replay) -> String {
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
    let about = &model.about;
    let overview = &model.data().overview;
    let stats = &overview.stats;
    let symbols = *canvas.symbols();
    let dot = format!("  {}  ", symbols.dot);
    let workers = match (overview.active, overview.wanted) {
        (1, 1) => "1 worker".to_owned(),
        (working, wanted) if working == wanted => format!("{wanted} workers"),
        (working, wanted) => format!("{working} of {wanted} workers"),
    };
    let counted = |state: State| {
        (
            format!(
                "{} {} {state}",
                symbols.state(state),
                fmt_count(stats.count(state))
            ),
            stats.count(state),
        )
    };
    let (running, _) = counted(State::Running);
    let (queued, _) = counted(State::Queued);
    let (failed, failures) = counted(State::Failed);
    let rate = overview
        .rate(model.now, 1)
        .last()
        .copied()
        .unwrap_or_default();
    let rate = format!("{}/s", fmt_compact(rate.into()));
    let failed_role = if failures > 0 {
        StyleRole::Bad
    } else {
        StyleRole::Dim
    };
    let (what_node, role) = match about.place {
        Locality::InProcess => ("key ", ""),
        Locality::LocalProcess => ("attached to ", ""),
        Locality::Remote => ("node ", about.role.as_str()),
    };
    let joiner = if role.is_empty() { "" } else { " as " };
    let who: [TextSpan<'_>; 7] = [
        (what_node, StyleRole::Dim),
        (&about.fingerprint, StyleRole::Text),
        (" at ", StyleRole::Dim),
        (&about.addr, StyleRole::Text),
        (joiner, StyleRole::Dim),
        (role, StyleRole::Strong),
        (&dot, StyleRole::Border),
    ];
    let what: [TextSpan<'_>; 4] = [
        (&about.engine, StyleRole::Text),
        (", ", StyleRole::Dim),
        (&workers, StyleRole::Text),
        (&dot, StyleRole::Border),
    ];
    let doing: [TextSpan<'_>; 7] = [
        (&running, StyleRole::Active),
        ("  ", StyleRole::Dim),
        (&queued, StyleRole::Waiting),
        ("  ", StyleRole::Dim),
        (&failed, failed_role),
        ("  ", StyleRole::Dim),
        (&rate, StyleRole::Chart),
    ];
    // What goes on comes last and goes last: who this is gives way to it.
    let brand: [TextSpan<'_>; 2] = [(" distro-tui", StyleRole::Accent), ("  ", StyleRole::Dim)];
    let wide = |pieces: &[TextSpan<'_>]| pieces.iter().map(|(text, _)| width(text)).sum::<usize>();
    let mut room = usize::from(area.width).saturating_sub(wide(&brand) + wide(&doing));
    let mut line = brand.to_vec();
    for group in [&who[..], &what[..]] {
        if wide(group) <= room {
            room -= wide(group);
            line.extend(group);
        }
    }
    line.extend(doing);
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

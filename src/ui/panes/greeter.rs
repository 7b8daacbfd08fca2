//! The Greeter pane: a line to type a name, the greeting, the latency, and past calls.

use ratatui::layout::Rect;

use super::frame;
use crate::{
    text::{fmt_count, fmt_duration, wrap},
    ui::{
        action::Action,
        model::{
            Model,
            greeter::{GreetOutcome, Greeter, Greeting},
        },
        pane::Pane,
        theme::StyleRole,
        widgets::{
            canvas::{Canvas, row},
            chart, input,
        },
    },
};

/// The most lines of a hint.
const MAX_HINT: usize = 3;

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, model: &Model) {
    let greeter = &model.greeter;
    let calls = match calls(greeter) {
        1 => " 1 call ".to_owned(),
        n => format!(" {} calls ", fmt_count(n)),
    };
    let inner = frame(
        canvas,
        area,
        model,
        Pane::Greeter,
        &[(&calls, StyleRole::Dim)],
    );
    let mut rest = pad(inner);
    prompt(canvas, split_top(&mut rest, 1), model);
    let spacious = rest.height >= 12;
    split_top(&mut rest, u16::from(spacious));
    newest(canvas, &mut rest, model);
    if greeter.latency.is_empty() {
        return;
    }
    if spacious {
        split_top(&mut rest, 1);
        latency(canvas, &mut rest, greeter);
        split_top(&mut rest, 1);
    } else if rest.height >= 3 {
        percentiles(canvas, split_top(&mut rest, 1), greeter);
    }
    history(canvas, rest, model);
}

fn calls(greeter: &Greeter) -> usize {
    usize::try_from(greeter.latency.len() + greeter.failed).unwrap_or(usize::MAX)
}

/// Leaves one cell free on each side.
const fn pad(area: Rect) -> Rect {
    Rect {
        x: area.x + if area.width > 2 { 1 } else { 0 },
        width: area.width.saturating_sub(2),
        ..area
    }
}

/// Splits rows off the top.
fn split_top(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    let cut = Rect {
        height: rows,
        ..*area
    };
    area.y += rows;
    area.height -= rows;
    cut
}

fn prompt(canvas: &mut Canvas<'_>, area: Rect, model: &Model) {
    let used = canvas.spans(area, &[("Name ", StyleRole::Accent)]);
    let line = Rect {
        x: area.x + used,
        width: area.width.saturating_sub(used),
        ..area
    };
    let typing = model.focus == Pane::Greeter && model.layers.is_empty();
    if model.greeter.input.value().is_empty() && !typing {
        let focus = model.keymap.text(Action::Focus(Pane::Greeter));
        let hint = format!("press {focus} to type a name");
        canvas.spans(line, &[(&hint, StyleRole::Dim)]);
    } else {
        input::draw(canvas, line, &model.greeter.input, typing);
    }
}

/// Draws the hint, or the newest greeting with its timings.
fn newest(canvas: &mut Canvas<'_>, rest: &mut Rect, model: &Model) {
    let hint = match (&model.greeter.hint, model.greeter.history.front()) {
        (Some(hint), _) => Some((hint.as_str(), StyleRole::Warn)),
        (None, None) => {
            let hint = "looks up the greeter by name and calls it over QUIC";
            Some((hint, StyleRole::Dim))
        }
        (None, Some(_)) => None,
    };
    if let Some((hint, role)) = hint {
        for line in wrap(hint, rest.width.into(), MAX_HINT) {
            canvas.spans(split_top(rest, 1), &[(&line, role)]);
        }
    }
    let Some(greeting) = model.greeter.history.front().filter(|_| hint.is_none()) else {
        return;
    };
    let (text, role) = match &greeting.outcome {
        GreetOutcome::Pending => ("calling…", StyleRole::Active),
        GreetOutcome::Greeted { text, .. } => (text.as_str(), StyleRole::Good),
        GreetOutcome::Failed(why) => (why.as_str(), StyleRole::Bad),
    };
    let lines = if rest.height > 6 { 3 } else { 1 };
    for line in wrap(text, rest.width.into(), lines) {
        let style = canvas.fg(role).add_modifier(ratatui::style::Modifier::BOLD);
        let at = split_top(rest, 1);
        if at.height > 0 {
            canvas.write(at.x, at.y, at.width, &line, style);
        }
    }
    if let GreetOutcome::Greeted { lookup, call, .. } = &greeting.outcome
        && rest.height > 4
    {
        let timings = format!(
            "lookup {}, call {}",
            fmt_duration(*lookup),
            fmt_duration(*call)
        );
        canvas.spans(split_top(rest, 1), &[(&timings, StyleRole::Dim)]);
    }
}

fn percentiles(canvas: &mut Canvas<'_>, area: Rect, greeter: &Greeter) {
    let at = |quantile| {
        fmt_duration(std::time::Duration::from_micros(
            greeter.latency.value_at_quantile(quantile),
        ))
    };
    let (p50, p95, p99) = (at(0.5), at(0.95), at(0.99));
    let failed = match greeter.failed {
        0 => String::new(),
        n => format!("  {n} failed"),
    };
    canvas.spans(
        area,
        &[
            ("p50 ", StyleRole::Dim),
            (&p50, StyleRole::Strong),
            ("  p95 ", StyleRole::Dim),
            (&p95, StyleRole::Strong),
            ("  p99 ", StyleRole::Dim),
            (&p99, StyleRole::Strong),
            (&failed, StyleRole::Bad),
        ],
    );
}

/// Draws the percentiles and a small histogram on a logarithmic scale.
fn latency(canvas: &mut Canvas<'_>, rest: &mut Rect, greeter: &Greeter) {
    percentiles(canvas, split_top(rest, 1), greeter);
    let chart = split_top(rest, 3);
    let columns = usize::from(chart.width.min(48)).max(1);
    let low = (greeter.latency.min().max(1) as f64).ln();
    let high = (greeter.latency.max().max(2) as f64).ln().max(low + 0.7);
    let step = (high - low) / columns as f64;
    let mut counts = vec![0; columns];
    for value in greeter.latency.iter_recorded() {
        let column = (((value.value_iterated_to().max(1) as f64).ln() - low) / step) as usize;
        if let Some(count) = counts.get_mut(column.min(columns - 1)) {
            *count += value.count_at_value();
        }
    }
    chart::histogram(canvas, chart, &counts, StyleRole::Chart);
    let axis = split_top(rest, 1);
    let shown = Rect {
        width: u16::try_from(columns).unwrap_or(axis.width).min(axis.width),
        ..axis
    };
    let time = |ln: f64| fmt_duration(std::time::Duration::from_micros(ln.exp() as u64));
    let (left, right) = (time(low), time(high));
    canvas.spans(shown, &[(&left, StyleRole::Dim)]);
    canvas.spans_right(shown, &[(&right, StyleRole::Dim)]);
}

fn history(canvas: &mut Canvas<'_>, area: Rect, model: &Model) {
    for (i, greeting) in (0..area.height).zip(&model.greeter.history) {
        line(canvas, row(area, i), model, greeting);
    }
}

fn line(canvas: &mut Canvas<'_>, area: Rect, model: &Model, greeting: &Greeting) {
    let at = model.local(greeting.at).strftime("%H:%M:%S ").to_string();
    let time = greeting.duration().map_or(String::new(), fmt_duration);
    let used = canvas.spans_right(area, &[(&time, StyleRole::Dim)]);
    let room = Rect {
        width: area.width.saturating_sub(used + 1),
        ..area
    };
    let arrow = format!(" {} ", canvas.symbols().arrow);
    let (text, role) = match &greeting.outcome {
        GreetOutcome::Pending => ("calling…", StyleRole::Active),
        GreetOutcome::Greeted { text, .. } => (text.as_str(), StyleRole::Text),
        GreetOutcome::Failed(why) => (why.as_str(), StyleRole::Bad),
    };
    // A long name gets a third of the width.
    let name = crate::text::truncate(
        &greeting.name,
        usize::from(room.width) / 3,
        canvas.symbols().ellipsis,
    );
    canvas.spans(
        room,
        &[
            (&at, StyleRole::Dim),
            (&name, StyleRole::Strong),
            (&arrow, StyleRole::Dim),
            (text, role),
        ],
    );
}

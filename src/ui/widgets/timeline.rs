//! The last 30 seconds of a worker in one row: the height of a bar shows how busy it was, the colours
//! alternate from task to task.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use crate::{
    queue::{
        clock::Timestamp,
        timeline::{Span, WINDOW},
        worker::WorkerStatus,
    },
    ui::theme::StyleRole,
};

/// Draws the timeline with the present at the right edge.
pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, worker: &WorkerStatus, now: Timestamp) {
    let cells = u64::from(area.width);
    if cells == 0 || area.height == 0 {
        return;
    }
    let window = u64::try_from(WINDOW.as_micros()).unwrap_or(u64::MAX);
    let cell = (window / cells).max(1);
    // Cells cover fixed intervals, so that the timeline scrolls and does not flicker.
    let end = now.0.div_ceil(cell) * cell;
    let start = end.saturating_sub(cell * cells);
    let mut drawn = vec![(0.0, StyleRole::Border, 0.0); usize::from(area.width)];
    let running = worker.current.as_ref().map(|c| Span::of_task(c.since, now));
    let done = worker.timeline.numbered().map(|(n, s)| (role(n, s), s));
    let all = done.chain(running.as_ref().map(|s| (StyleRole::Active, s)));
    for (role, span) in all {
        let from = span.start.0.max(start);
        if span.end.0 < start || from > end {
            continue;
        }
        let first = (from - start) / cell;
        let last = (span.end.0.min(end).saturating_sub(start)) / cell;
        for i in first..=last.min(cells - 1) {
            let (a, b) = (start + i * cell, start + (i + 1) * cell);
            let busy = span.busy_within(Timestamp(a), Timestamp(b)) * 1e6 / cell as f64;
            if let Some((share, shown, most)) =
                drawn.get_mut(usize::try_from(i).unwrap_or_default())
            {
                *share += busy;
                // The colour is that of the task with the largest share; a failure always shows.
                if busy >= *most || role == StyleRole::Bad {
                    (*shown, *most) = (role, if role == StyleRole::Bad { 2.0 } else { busy });
                }
            }
        }
    }
    for (x, (share, role, most)) in (area.x..area.right()).zip(drawn) {
        let symbols = canvas.symbols();
        let sign = if share <= 0.0 && most <= 0.0 {
            symbols.timeline_empty
        } else if role == StyleRole::Bad && share < 0.2 {
            symbols.bars[2]
        } else {
            let level = (share * 8.0).ceil().clamp(1.0, 8.0) as usize;
            symbols.bars[level]
        };
        let style = canvas.fg(role);
        canvas.write(x, area.y, 1, sign, style);
    }
}

fn role(number: u64, span: &Span) -> StyleRole {
    if span.failed {
        StyleRole::Bad
    } else if span.cancelled {
        StyleRole::Warn
    } else if number.is_multiple_of(2) {
        StyleRole::TimelineEven
    } else {
        StyleRole::TimelineOdd
    }
}

/// Draws the time axis below the timelines.
pub(crate) fn axis(canvas: &mut Canvas<'_>, area: Rect) {
    let style = canvas.fg(StyleRole::Dim);
    let seconds = WINDOW.as_secs();
    for (part, text) in [
        (0, format!("{seconds} s ago")),
        (1, format!("{} s", seconds / 2)),
    ] {
        let x = area.x + area.width / 2 * part;
        if area.width > 24 || part == 0 {
            canvas.write(x, area.y, area.right().saturating_sub(x), &text, style);
        }
    }
    if area.width > 14 {
        canvas.spans_right(area, &[("now", StyleRole::Dim)]);
    }
}

//! The layout of the screen, for any size.

use ratatui::layout::{Constraint, Layout, Rect};

use super::{action::Action, pane::Pane};

/// The minimum size; a smaller screen shows only a request to enlarge it.
pub(crate) const MIN_SIZE: (u16, u16) = (20, 5);

/// The areas of one frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The line at the top: the status bar, or the tabs.
    pub(crate) bar: Rect,
    /// The bar shows tabs, because only one pane is visible.
    pub(crate) tabs: bool,
    pub(crate) panes: Vec<(Pane, Rect)>,
    pub(crate) footer: Rect,
}

/// The areas that react to the mouse in the last frame.
#[derive(Debug, Clone, Default)]
pub(crate) struct Regions {
    pub(crate) panes: Vec<(Pane, Rect)>,
    /// The area of each list, and the index of its first visible row.
    pub(crate) rows: Vec<(Pane, Rect, usize)>,
    pub(crate) buttons: Vec<(Rect, Action)>,
}

impl Regions {
    pub(crate) fn pane(&self, x: u16, y: u16) -> Option<Pane> {
        let inside = |(_, area): &&(Pane, Rect)| area.contains((x, y).into());
        self.panes.iter().find(inside).map(|(pane, _)| *pane)
    }

    pub(crate) fn row(&self, x: u16, y: u16) -> Option<(Pane, usize)> {
        let inside = |(_, area, _): &&(Pane, Rect, usize)| area.contains((x, y).into());
        self.rows
            .iter()
            .find(inside)
            .map(|(pane, area, top)| (*pane, top + usize::from(y - area.y)))
    }

    pub(crate) fn button(&self, x: u16, y: u16) -> Option<Action> {
        let inside = |(area, _): &&(Rect, Action)| area.contains((x, y).into());
        self.buttons.iter().find(inside).map(|(_, action)| *action)
    }
}

/// Lays out a frame; `None` if the screen is too small.
pub(crate) fn plan(area: Rect, focus: Pane, zoomed: bool, workers: usize) -> Option<Plan> {
    if area.width < MIN_SIZE.0 || area.height < MIN_SIZE.1 {
        return None;
    }
    let [bar, body, footer] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    let small = body.width < 64 || body.height < 18;
    let panes = if zoomed || small {
        vec![(focus, body)]
    } else if body.width < 104 || body.height < 28 {
        stacked(body, workers)
    } else {
        columns(body, workers)
    };
    Some(Plan {
        bar,
        tabs: small || zoomed,
        panes,
        footer,
    })
}

/// Two columns: names and greeter on the left, tasks, workers and events on the right.
fn columns(body: Rect, workers: usize) -> Vec<(Pane, Rect)> {
    let left = (body.width * 34 / 100).clamp(40, 66);
    let [left, right] =
        Layout::horizontal([Constraint::Length(left), Constraint::Fill(1)]).areas(body);
    let [names, greeter] =
        Layout::vertical([Constraint::Percentage(38), Constraint::Fill(1)]).areas(left);
    let workers_rows = workers_height(workers, body.height * 35 / 100);
    let events = (body.height * 24 / 100).max(6);
    let [tasks, workers, events] = Layout::vertical([
        Constraint::Fill(1),
        Constraint::Length(workers_rows),
        Constraint::Length(events),
    ])
    .areas(right);
    vec![
        (Pane::Names, names),
        (Pane::Greeter, greeter),
        (Pane::Tasks, tasks),
        (Pane::Workers, workers),
        (Pane::Events, events),
    ]
}

/// Three rows: names beside the greeter, tasks, workers beside events.
fn stacked(body: Rect, workers: usize) -> Vec<(Pane, Rect)> {
    let workers_rows = workers_height(workers, body.height * 30 / 100).max(6);
    let [upper, middle, lower] = Layout::vertical([
        Constraint::Length((body.height * 32 / 100).max(7)),
        Constraint::Fill(1),
        Constraint::Length(workers_rows),
    ])
    .areas(body);
    let half = [Constraint::Percentage(46), Constraint::Fill(1)];
    let [names, greeter] = Layout::horizontal(half).areas(upper);
    let wide = [Constraint::Percentage(58), Constraint::Fill(1)];
    let [workers, events] = Layout::horizontal(wide).areas(lower);
    vec![
        (Pane::Names, names),
        (Pane::Greeter, greeter),
        (Pane::Tasks, middle),
        (Pane::Workers, workers),
        (Pane::Events, events),
    ]
}

/// Returns the height of the Workers pane: a row per worker, the header, the axis and the border.
fn workers_height(workers: usize, max: u16) -> u16 {
    let wanted = u16::try_from(workers).unwrap_or(u16::MAX).max(2);
    wanted.saturating_add(4).min(max.max(6))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_screens_show_one_pane_and_tiny_ones_none() {
        let at = |w, h| plan(Rect::new(0, 0, w, h), Pane::Tasks, false, 2);
        assert_eq!(at(10, 3), None);
        assert_eq!(at(40, 12).expect("room").panes.len(), 1);
        assert_eq!(at(80, 24).expect("room").panes.len(), 5);
        assert_eq!(at(200, 50).expect("room").panes.len(), 5);
    }

    proptest! {
        #[test]
        fn nothing_overlaps_and_nothing_sticks_out(
            w in 0u16..300, h in 0u16..120, zoomed: bool, workers in 0usize..300,
        ) {
            let area = Rect::new(0, 0, w, h);
            let Some(plan) = plan(area, Pane::Workers, zoomed, workers) else {
                prop_assert!(w < MIN_SIZE.0 || h < MIN_SIZE.1);
                return Ok(());
            };
            let mut rects: Vec<Rect> = plan.panes.iter().map(|(_, rect)| *rect).collect();
            rects.extend([plan.bar, plan.footer]);
            let cells: u32 = rects.iter().map(|rect| rect.area()).sum();
            prop_assert_eq!(cells, area.area());
            for (i, rect) in rects.iter().enumerate() {
                prop_assert_eq!(rect.intersection(area), *rect);
                for other in &rects[i + 1..] {
                    prop_assert!(rect.intersection(*other).is_empty());
                }
            }
            prop_assert!(plan.panes.iter().any(|(pane, _)| *pane == Pane::Workers));
        }
    }
}

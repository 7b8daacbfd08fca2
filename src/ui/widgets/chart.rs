//! Small charts: bars in one row, and a histogram of a few rows.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use crate::ui::theme::StyleRole;

/// Draws one bar per cell in one row, the newest on the right, scaled to the highest.
pub(crate) fn sparkline(canvas: &mut Canvas<'_>, area: Rect, values: &[u32], role: StyleRole) {
    let shown = values.len().min(area.width.into());
    let values = values.get(values.len() - shown..).unwrap_or_default();
    let max = values.iter().copied().max().unwrap_or_default().max(1);
    let style = canvas.fg(role);
    let start = area.right() - u16::try_from(shown).unwrap_or_default();
    for (x, value) in (start..area.right()).zip(values) {
        let level = (u64::from(*value) * 8).div_ceil(max.into());
        let bar = canvas.symbols().bars[usize::try_from(level).unwrap_or(8).min(8)];
        canvas.write(x, area.y, 1, bar, style);
    }
}

/// Draws one bar per cell over several rows, scaled to the highest.
pub(crate) fn histogram(canvas: &mut Canvas<'_>, area: Rect, values: &[u64], role: StyleRole) {
    let max = values.iter().copied().max().unwrap_or_default().max(1);
    let (height, style) = (u64::from(area.height), canvas.fg(role));
    for (x, value) in (area.x..area.right()).zip(values) {
        // Any value above zero gets at least a sliver.
        let eighths = (value * height * 8).div_ceil(max);
        for row in 0..area.height {
            let below = u64::from(area.height - 1 - row) * 8;
            let level = eighths.saturating_sub(below).min(8);
            let bar = canvas.symbols().bars[usize::try_from(level).unwrap_or(8)];
            if level > 0 {
                canvas.write(x, area.y + row, 1, bar, style);
            }
        }
    }
}

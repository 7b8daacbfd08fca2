//! A progress bar as text.

use crate::ui::theme::Symbols;

const CELLS: usize = 10;

/// Formats a share from 0 to 1 as a bar and in percent.
pub(crate) fn bar(share: f64, symbols: &Symbols) -> String {
    let [empty, .., full] = symbols.bars;
    let done = (share.clamp(0.0, 1.0) * CELLS as f64).round() as usize;
    let rest = if empty.trim().is_empty() {
        symbols.timeline_empty
    } else {
        empty
    };
    format!(
        "{}{} {:>3.0}%",
        full.repeat(done),
        rest.repeat(CELLS - done),
        share * 100.0
    )
}

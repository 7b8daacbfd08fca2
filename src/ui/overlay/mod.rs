//! Overlays: the layers over the panes from the bottom up, and the toasts on top.

pub(crate) mod confirm;
pub(crate) mod details;
pub(crate) mod help;
pub(crate) mod latency;
pub(crate) mod palette;
pub(crate) mod prompt;
pub(crate) mod toasts;

use ratatui::layout::Rect;

use super::{
    model::{Model, layer::Layer},
    widgets::canvas::Canvas,
};

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model) {
    for layer in &model.layers {
        canvas.cursor = None;
        match layer {
            Layer::Help { scroll } => help::draw(canvas, screen, model, *scroll),
            Layer::Palette(palette) => palette::draw(canvas, screen, model, palette),
            Layer::Prompt(prompt) => prompt::draw(canvas, screen, model, prompt),
            Layer::Confirm(confirm) => confirm::draw(canvas, screen, model, confirm),
            Layer::Details(details) => details::draw(canvas, screen, model, details),
            Layer::DeadLetters(view) => dead_letters::draw(canvas, screen, model, view),
            Layer::Members(view) => members::draw(canvas, screen, model, view),
            Layer::Latency { scroll } => latency::draw(canvas, screen, model, *scroll),
        }
    }
}
pub(crate) mod dead_letters;
pub(crate) mod members;

//! Every pane and overlay at five sizes.

pub(crate) mod overlays;
mod panes;
mod states;

use super::fixture::{busy, draw, press};
use crate::ui::model::Model;

/// A busy dashboard after some keys.
fn busy_after(keys: &[&str]) -> Model {
    let mut model = busy();
    draw(&mut model, 120, 36);
    press(&mut model, keys);
    model
}

//! The widgets that panes and overlays are made of.

pub(crate) mod canvas;
pub(crate) mod chart;
pub(crate) mod input;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod timeline;

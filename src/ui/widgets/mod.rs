//! The pieces that panes and overlays are made of.

pub(crate) mod canvas;
pub(crate) mod chart;
pub(crate) mod input;
pub(crate) mod lane;
pub(crate) mod table;

//! x
pub mod net;
pub mod queue;

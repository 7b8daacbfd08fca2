//! The screen, tested whole: snapshots of every pane and overlay, key stories on the real
//! program, and keys at random.

mod docs;
pub(crate) mod fixture;
mod random;
mod recordings;
mod scenes;
mod snapshots;
mod stale;
mod stories;
mod svg;

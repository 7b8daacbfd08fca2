//! One terminal for a small distributed system: names, remote calls and background tasks.
//!
//! The house has three floors. Imports run down only.
//!
//! | room | what it is for |
//! |---|---|
//! | [`cli`], [`config`], [`logging`], [`crash`] | the door: what a person says, and what is told when something is wrong |
//! | [`ui`] | the top floor: the screen, a pure core in a thin shell |
//! | [`node`] | one process put together: network, naming server, greeter, broker |
//! | [`queue`] | tasks, brokers and workers; it knows nothing of a screen |
//! | [`net`] | names and calls over QUIC; it knows nothing of tasks or of a screen |
//!
//! To serve an object of one's own, see [`net::object`]; to run a task of one's own, see
//! [`queue::registry`].

pub mod cli;
pub mod config;
pub mod crash;
pub mod logging;
mod metrics;
mod nearest;
pub mod net;
pub mod node;
pub mod queue;
pub mod ui;
pub mod units;

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

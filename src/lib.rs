//! One terminal for a small distributed system: names, remote calls and background tasks.
//!
//! The house has three floors. Imports run down only.
//!
//! | room | what it is for |
//! |---|---|
//! | [`cli`], [`config`], [`logging`], [`crash`] | the door: what a person says, and what is told when something is wrong |
//! | [`command`] | the top floor without a screen: one command, one answer |
//! | [`ui`] | the top floor: the screen, a pure core in a thin shell |
//! | [`node`] | one process put together: network, naming server, greeter, broker |
//! | [`queue`] | tasks, brokers and workers; it knows nothing of a screen |
//! | [`net`] | names and calls over QUIC; it knows nothing of tasks or of a screen |
//!
//! To serve an object of one's own, see [`net::object`]; to run a task of one's own, see
//! [`queue::registry`].

pub mod cli;
pub mod command;
pub mod config;
pub mod crash;
mod export;
mod files;
mod input;
mod json;
pub mod logging;
mod metrics;
pub mod net;
pub mod node;
pub mod queue;
mod retry;
mod text;
pub mod ui;
pub mod units;
pub mod value;

/// Compiles the example of the library's guide.
#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
struct LibraryGuide;

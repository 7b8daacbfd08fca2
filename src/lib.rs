//! One terminal for a small distributed system: names, remote calls and background tasks.
//!
//! Imports run down the layers only.
//!
//! | module | contents |
//! |---|---|
//! | [`cli`], [`config`], [`logging`], [`crash`] | command line, settings, log and crash reports |
//! | [`command`] | the commands of the command line |
//! | [`ui`] | the screen: a pure core in a thin shell |
//! | [`node`] | one process: network, naming server, greeter and broker |
//! | [`queue`] | tasks, brokers and workers; it knows nothing of a screen |
//! | [`net`] | names and calls over QUIC; it knows nothing of tasks or of a screen |
//! | [`value`] | the values that calls carry |
//! | [`health`] | what is wrong with a node, and what to do about it |
//!
//! To serve your own object, see [`net::rpc::service`]; to run your own task, see [`queue::registry`].

pub mod cause;
pub mod cli;
pub mod command;
pub mod config;
pub mod crash;
mod export;
mod files;
pub mod health;
mod input;
mod json;
pub mod logging;
mod metrics;
pub mod net;
pub mod node;
pub mod queue;
mod retry;
mod spoofing;
mod suggest;
mod text;
pub mod ui;
pub mod units;
pub mod value;

/// Compiles the example of the library's guide.
#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
struct LibraryGuide;

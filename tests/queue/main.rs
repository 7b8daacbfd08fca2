//! Every engine must pass the same suite; the embedded one also has stories of its own.

mod account;
mod conformance;
mod damage;
mod embedded;
mod file;
mod hardship;
mod lost;
#[cfg(target_os = "linux")]
mod power;
mod support;

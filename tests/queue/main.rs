//! Every engine must pass the same suite; the embedded one also has stories of its own.

mod conformance;
mod corruption;
mod embedded;
mod faults;
mod file;
mod kill_recovery;
mod lost_replies;
#[cfg(target_os = "linux")]
mod power_loss;
mod support;

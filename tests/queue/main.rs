//! Every engine must pass the same suite; the embedded one has more tests.

mod backup;
mod conformance;
mod corruption;
mod damage;
mod embedded;
mod faults;
mod file;
mod files_gone;
mod kill_recovery;
mod limited;
mod lost_replies;
#[cfg(target_os = "linux")]
mod power_loss;
mod support;

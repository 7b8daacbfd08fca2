//! How much memory something takes.

use std::{fmt::Display, fs};

/// The resident memory of a process in bytes: by its number, or of this one as `self`. It is read from `status`, which is in KiB, because
/// `statm` counts pages and their size is not to be had without unsafe code.
pub(crate) fn resident(process: impl Display) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status"));
    let status = status.expect("Linux tells the memory of a process that runs");
    let kib = status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?
            .strip_suffix("kB")?
            .trim()
            .parse::<u64>()
            .ok()
    });
    kib.expect("a line on resident memory") * 1024
}

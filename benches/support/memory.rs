//! How much memory something takes.

use std::fs;

/// The resident memory of this process in bytes. It is read from `status`, which is in KiB, because
/// `statm` counts pages and their size is not to be had without unsafe code.
pub(crate) fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells a process its memory");
    let kib = status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?
            .strip_suffix("kB")?
            .trim()
            .parse::<u64>()
            .ok()
    });
    kib.expect("a line on resident memory") * 1024
}

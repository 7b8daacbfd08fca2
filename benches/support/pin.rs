//! Everything on one core: the ratio of two ends then says nothing about how they were scheduled.

use std::process::{Command, ExitCode};

/// With `BENCH_PIN=1` runs this program again on one core, with every process that it starts, and answers
/// how that went.
pub(crate) fn pinned() -> Option<ExitCode> {
    std::env::var_os("BENCH_PIN").filter(|pin| pin == "1")?;
    let program = std::env::current_exe().expect("a running program has a file");
    let status = Command::new("taskset")
        .args(["-c", "0"])
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env_remove("BENCH_PIN")
        .status()
        .expect("taskset, of util-linux, is installed");
    Some(ExitCode::from(u8::from(!status.success())))
}

//! Crash reports. The terminal is restored first, then the report is written, then its path is printed.

use std::{
    backtrace::Backtrace,
    fmt::Write as _,
    io::Write as _,
    panic::PanicHookInfo,
    path::{Path, PathBuf},
    thread::ThreadId,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::files;

/// Installs the panic hook. A panic of the calling thread is a crash: the terminal is restored and a
/// report is written to `folder`. A panic of any other thread is caught there (by a worker, by a call) and
/// only logged.
pub fn install(folder: PathBuf) {
    let main = std::thread::current().id();
    std::panic::set_hook(Box::new(move |info| panicked(main, &folder, info)));
}

fn panicked(main: ThreadId, folder: &Path, info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    if thread.id() != main {
        let thread = thread.name().unwrap_or("unnamed").to_owned();
        tracing::error!(thread, "{info}");
        return;
    }
    crate::ui::restore_terminal();
    let report = report(info);
    // Not `eprintln!`: it panics when the terminal is gone, and a panic in here aborts.
    let mut out = std::io::stderr();
    writeln!(out, "distro-tui crashed: {}", message(info)).ok();
    match write(folder, &report) {
        Ok(path) => writeln!(
            out,
            "A report is in {}. Please send it with a description of what you did.",
            path.display()
        ),
        Err(error) => writeln!(
            out,
            "No report could be written to {} ({error}):\n{report}",
            folder.display()
        ),
    }
    .ok();
}

fn message(info: &PanicHookInfo<'_>) -> String {
    let text = info.payload_as_str().unwrap_or("no message");
    match info.location() {
        Some(place) => format!("{text} ({}:{})", place.file(), place.line()),
        None => text.to_owned(),
    }
}

fn report(info: &PanicHookInfo<'_>) -> String {
    let mut out = String::new();
    let variable = |name| std::env::var(name).unwrap_or_default();
    let size =
        crossterm::terminal::size().map_or_else(|e| e.to_string(), |(w, h)| format!("{w}x{h}"));
    let lines = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        (
            "system",
            format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        ),
        ("terminal", format!("{} {size}", variable("TERM"))),
        ("colours", variable("COLORTERM")),
        ("locale", variable("LANG")),
        ("message", message(info)),
    ];
    for (name, text) in lines {
        writeln!(out, "{name:<9} {text}").ok();
    }
    writeln!(out, "\n{}", Backtrace::force_capture()).ok();
    out
}

fn write(folder: &Path, report: &str) -> std::io::Result<PathBuf> {
    files::create_folder(folder)?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let path = folder.join(format!("crash-{}.txt", now.as_secs()));
    files::create_new(&path)?.write_all(report.as_bytes())?;
    Ok(path)
}

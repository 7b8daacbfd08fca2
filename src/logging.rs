//! The log: to a file, never to the screen, and never waited for.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};

/// A log of this size starts anew; the one before it is kept beside it.
const LARGEST: u64 = 4 << 20;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the log {path}: {error}; another one can be named with --log-file")]
pub struct LogError {
    path: PathBuf,
    #[source]
    error: io::Error,
}

/// Starts the log; it is complete when the guard is dropped.
///
/// # Errors
/// [`LogError`] when the file cannot be opened.
pub fn start(path: &Path, level: &str) -> Result<WorkerGuard, LogError> {
    let failed = |error| LogError {
        path: path.to_owned(),
        error,
    };
    let (writer, guard) = open(path).map_err(failed)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter(level))
        .with_ansi(false)
        .with_writer(writer)
        .init();
    Ok(guard)
}

/// Logs to standard error, where a service manager or a container looks for it.
///
/// # Errors
/// When something logs already.
pub fn to_stderr(level: &str) -> Result<(), String> {
    tracing_subscriber::fmt()
        .with_env_filter(filter(level))
        .with_ansi(false)
        .with_writer(io::stderr)
        .try_init()
        .map_err(|e| e.to_string())
}

fn filter(level: &str) -> String {
    format!("{level},quinn=warn,quinn_proto=warn,rustls=warn,mdns_sd=warn")
}

fn open(path: &Path) -> io::Result<(NonBlocking, WorkerGuard)> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    if fs::metadata(path).is_ok_and(|file| file.len() > LARGEST) {
        fs::rename(path, path.with_extension("log.old"))?;
    }
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?;
    Ok(tracing_appender::non_blocking(file))
}

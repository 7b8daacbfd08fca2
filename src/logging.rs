//! The log: in a file, never on the screen. Nothing waits for it.

mod rotation;

use std::{
    io,
    path::{Path, PathBuf},
};

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use self::rotation::RotatingFile;
use crate::files;

/// The most lines that wait for the disk; further ones are dropped.
const MAX_BUFFERED: usize = 10_000;

/// The least severe level that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogLevel {
    /// Errors.
    Error,
    /// Errors and warnings.
    Warn,
    /// Also normal events, such as a start.
    #[default]
    Info,
    /// Also details for finding a fault.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Returns the level's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The reason why there is no log.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot write the log {path}: {}; choose another one with --log-file",
    files::describe_error(error)
)]
pub struct LogError {
    path: PathBuf,
    #[source]
    error: io::Error,
}

/// Starts the log. It is complete when the guard is dropped.
///
/// # Errors
/// [`LogError`] when the file cannot be opened.
pub fn start(path: &Path, level: LogLevel) -> Result<WorkerGuard, LogError> {
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

/// Starts a log on standard error, where a service manager or a container looks for it.
///
/// # Errors
/// When there is a log already.
pub fn to_stderr(level: LogLevel) -> Result<(), TryInitError> {
    tracing_subscriber::fmt()
        .with_env_filter(filter(level))
        .with_ansi(false)
        .with_writer(io::stderr)
        .finish()
        .try_init()
}

fn filter(level: LogLevel) -> String {
    let level = level.as_str();
    format!("{level},quinn=warn,quinn_proto=warn,rustls=warn,mdns_sd=warn")
}

fn open(path: &Path) -> io::Result<(NonBlocking, WorkerGuard)> {
    let log = RotatingFile::open(path)?;
    let builder = NonBlockingBuilder::default().buffered_lines_limit(MAX_BUFFERED);
    Ok(builder.finish(log))
}

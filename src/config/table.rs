//! The table of settings: the name of each, and how its text becomes a typed value.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, time::Duration};

use super::values::{addr, addrs, boolean, components, metrics, number, one_of, parse_word, path};
use crate::{
    logging::LogLevel,
    node::Component,
    queue::{embedded::MAX_WORKERS, storage::Durability},
    ui::{ColorDepth, SymbolSet, THEMES},
    units,
};

/// The largest backlog and the largest number of finished tasks.
const MAX_TASKS: usize = 100_000_000;

/// The values of the settings; `None` is the default.
#[derive(Debug, Default)]
pub(super) struct Values {
    pub(super) theme: Option<String>,
    pub(super) color: Option<ColorDepth>,
    pub(super) symbols: Option<SymbolSet>,
    pub(super) mouse: Option<bool>,
    pub(super) workers: Option<usize>,
    pub(super) backlog: Option<usize>,
    pub(super) durability: Option<Durability>,
    pub(super) retention: Option<Duration>,
    pub(super) retention_failed: Option<Duration>,
    pub(super) retention_bytes: Option<u64>,
    pub(super) retention_count: Option<usize>,
    pub(super) max_file_size: Option<u64>,
    pub(super) time_limit: Option<Duration>,
    pub(super) listen: Option<SocketAddr>,
    pub(super) advertise: Option<Vec<SocketAddr>>,
    pub(super) discover: Option<bool>,
    pub(super) metrics: Option<Option<SocketAddr>>,
    pub(super) disable: Option<BTreeSet<Component>>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) log_file: Option<PathBuf>,
    pub(super) log_level: Option<LogLevel>,
}

/// A setting.
pub(super) struct Spec {
    /// Its name in the file. Its environment variable and its flag, if it has one, follow from it.
    pub(super) name: &'static str,
    /// Parses its text, or says what would be right.
    pub(super) set: fn(&mut Values, &str) -> Result<(), String>,
}

impl Spec {
    /// Returns the name of the environment variable.
    pub(super) fn variable(&self) -> String {
        format!("DISTRO_TUI_{}", self.name.to_uppercase().replace('-', "_"))
    }
}

const fn setting(name: &'static str, set: fn(&mut Values, &str) -> Result<(), String>) -> Spec {
    Spec { name, set }
}

fn assign<T>(value: &mut Option<T>, parsed: Result<T, String>) -> Result<(), String> {
    *value = Some(parsed?);
    Ok(())
}

/// Every setting, in the order of the default file.
pub(super) const TABLE: [Spec; 21] = [
    setting("theme", |v, text| {
        assign(&mut v.theme, one_of(text, &THEMES))
    }),
    setting("color", |v, text| assign(&mut v.color, parse_word(text))),
    setting("symbols", |v, text| {
        assign(&mut v.symbols, parse_word(text))
    }),
    setting("mouse", |v, text| assign(&mut v.mouse, boolean(text))),
    setting("workers", |v, text| {
        assign(&mut v.workers, number(text, MAX_WORKERS))
    }),
    setting("backlog", |v, text| {
        assign(&mut v.backlog, number(text, MAX_TASKS))
    }),
    setting("durability", |v, text| {
        assign(&mut v.durability, parse_word(text))
    }),
    setting("retention", |v, text| {
        assign(&mut v.retention, units::duration(text))
    }),
    setting("retention-failed", |v, text| {
        assign(&mut v.retention_failed, units::duration(text))
    }),
    setting("retention-bytes", |v, text| {
        assign(&mut v.retention_bytes, units::bytes(text))
    }),
    setting("retention-count", |v, text| {
        assign(&mut v.retention_count, number(text, MAX_TASKS))
    }),
    setting("max-file-size", |v, text| {
        assign(&mut v.max_file_size, units::bytes(text))
    }),
    setting("time-limit", |v, text| {
        assign(&mut v.time_limit, units::duration(text))
    }),
    setting("listen", |v, text| assign(&mut v.listen, addr(text))),
    setting("advertise", |v, text| assign(&mut v.advertise, addrs(text))),
    setting("discover", |v, text| assign(&mut v.discover, boolean(text))),
    setting("metrics", |v, text| assign(&mut v.metrics, metrics(text))),
    setting("disable", |v, text| {
        assign(&mut v.disable, components(text))
    }),
    setting("data-dir", |v, text| assign(&mut v.data_dir, path(text))),
    setting("log-file", |v, text| assign(&mut v.log_file, path(text))),
    setting("log-level", |v, text| {
        assign(&mut v.log_level, parse_word(text))
    }),
];

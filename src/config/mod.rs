//! Settings: defaults, under the file, under the environment, under the command line. Every error
//! names where the wrong value came from.

mod folders;
#[cfg(test)]
mod tests;
mod values;

use std::{fmt, path::PathBuf};

use self::{folders::Folders, layers::Layers};
use crate::{cli::GlobalArgs, node, ui};

/// The default configuration file, with every setting explained.
pub const DEFAULT_FILE: &str = include_str!("../../assets/config.default.toml");

/// The names of all settings, as the file writes them.
const NAMES: [&str; 20] = [
    "theme",
    "color",
    "symbols",
    "mouse",
    "workers",
    "backlog",
    "durability",
    "keep",
    "keep-failed",
    "keep-size",
    "retained",
    "max-file",
    "time-limit",
    "listen",
    "advertise",
    "discover",
    "metrics",
    "data-dir",
    "log-file",
    "log-level",
];

/// Everything that can be set, with nothing left open.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The process.
    pub node: node::NodeConfig,
    /// The screen.
    pub ui: ui::UiOptions,
    /// The log file.
    pub log_file: PathBuf,
    /// What is logged: a level.
    pub log_level: String,
    /// Where crash reports go.
    pub state_dir: PathBuf,
    /// Every setting as text, and where it comes from.
    pub shown: Vec<EffectiveSetting>,
    /// Where a configuration file is looked for.
    pub config_file: PathBuf,
}

/// A setting as it was given.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct EffectiveSetting {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// Where it comes from.
    pub from: String,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// An option.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{from}: {why}")]
pub struct ConfigError {
    /// Where it came from.
    pub from: Source,
    /// What is wrong and what would be right.
    pub why: String,
}

/// Collects the settings of this process.
///
/// # Errors
/// [`ConfigError`] for a file that cannot be read, an unknown setting (with the nearest known one),
/// or a value that is not one.
pub fn load(
    cli: &GlobalArgs,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Settings, ConfigError> {
    let mut collected = Layers::default();
    let folders = Folders::find(&variable);
    let (path, must_exist) = match &cli.config {
        Some(path) => (path.clone(), true),
        None => (folders.config.join("config.toml"), false),
    };
    collected.file(&path, must_exist)?;
    collected.file = path;
    for name in NAMES {
        let name_there = format!("DISTRO_TUI_{}", name.to_uppercase().replace('-', "_"));
        if let Some(value) = variable(&name_there).filter(|value| !value.is_empty()) {
            collected.put(name, Source::Variable(name_there), value);
        }
    }
    let shown = |path: &PathBuf| path.to_string_lossy().into_owned();
    let flags = [
        ("theme", cli.theme.clone()),
        ("workers", cli.workers.clone()),
        ("durability", cli.durability.clone()),
        ("listen", cli.listen.clone()),
        ("advertise", cli.advertise.clone()),
        ("discover", cli.discover.then(|| "true".to_owned())),
        ("metrics", cli.metrics.clone()),
        ("data-dir", cli.data_dir.as_ref().map(shown)),
        ("log-file", cli.log_file.as_ref().map(shown)),
    ];
    for (name, value) in flags {
        if let Some(value) = value {
            collected.put(name, Source::Flag(format!("--{name}")), value);
        }
    }
    collected.settle(&folders, &variable)
}
mod layers;
mod resolve;

//! Settings: defaults, overridden by the file, by the environment, and by flags, in this order. Every
//! error names the source of the wrong value.

mod folders;
mod layers;
mod resolve;
mod table;
#[cfg(test)]
mod tests;
mod values;

use std::{fmt, path::PathBuf};

use serde::{Serialize, Serializer};

use self::{folders::Folders, layers::Layers};
use crate::{cause::Cause, cli::Cli, logging::LogLevel, node, ui};

/// The default configuration file, with every setting explained.
pub const DEFAULT_FILE: &str = include_str!("../../assets/config.default.toml");

/// The settings of this process, with every default applied.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The node.
    pub node: node::NodeConfig,
    /// The screen.
    pub ui: ui::UiOptions,
    /// The log file.
    pub log_file: PathBuf,
    /// The log level.
    pub log_level: LogLevel,
    /// The folder for crash reports.
    pub state_dir: PathBuf,
    /// Every setting as text, with its source.
    pub effective: Vec<EffectiveSetting>,
    /// The path of the configuration file, which may not exist.
    pub config_file: PathBuf,
}

/// A setting as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EffectiveSetting {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// The source of the value.
    pub source: Source,
}

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Source {
    /// The default.
    #[default]
    Default,
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{from}: {reason}")]
pub struct ConfigError {
    /// The source of the setting.
    pub from: Source,
    /// The mistake, and what would be right.
    #[source]
    pub reason: Cause,
}

/// Reads the settings of this process.
///
/// # Errors
/// [`ConfigError`] for a file that cannot be read, an unknown setting (with the nearest known one), or an
/// invalid value.
pub fn load(cli: &Cli, variable: impl Fn(&str) -> Option<String>) -> Result<Settings, ConfigError> {
    let folders = Folders::find(&variable);
    let (file, must_exist) = match &cli.global.config {
        Some(path) => (path.clone(), true),
        None => (folders.config.join("config.toml"), false),
    };
    let mut layers = Layers::default();
    layers.add_file(&file, must_exist)?;
    layers.add_environment(&variable);
    layers.add_flags(cli.settings());
    resolve::resolve(layers, file, &folders, variable)
}

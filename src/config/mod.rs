//! Settings: defaults, overridden by the configuration file, by the environment, and by flags, in this
//! order. Every value keeps its source, and every error names it.
//!
//! To add a setting, add an entry to the table in `table.rs`. The field of [`Settings`], the flag, the
//! environment variable, the default file and the documentation come from that entry; run
//! `UPDATE_DOCS=1 cargo test --lib config` to write the last two, then use the field.

mod display;
mod documents;
mod error;
mod folders;
mod layers;
mod node;
mod setting;
mod table;
#[cfg(test)]
mod tests;
mod values;
mod variables;

use std::{env::VarError, path::Path};

pub use self::{
    display::{ColorDepth, SymbolSet, THEMES},
    documents::default_file,
    error::ConfigError,
    setting::{EffectiveSetting, SettingGroup, SettingSpec, Source, Sourced},
    table::{Settings, TABLE},
    variables::{UnknownVariable, unknown_variables},
};
use self::{folders::Folders, layers::Layers};

/// Reads the settings of this process. A `file` that is given must exist; `flags` are names of settings
/// with their texts.
///
/// # Errors
/// [`ConfigError`] for a file that cannot be read, an unknown setting, or an invalid value.
pub fn load(
    file: Option<&Path>,
    flags: &[(&'static str, String)],
    variable: impl Fn(&str) -> Result<String, VarError>,
) -> Result<Settings, ConfigError> {
    let folders = Folders::find(&|name: &str| variable(name).ok());
    let path = folders.config_file(file);
    let mut layers = Layers::from_defaults();
    layers.add_file(&path, file.is_some())?;
    layers.add_environment(variable)?;
    layers.add_flags(flags);
    Settings::resolve(layers, folders, path)
}

/// Returns the configuration file: `file`, or the default one.
#[must_use]
pub fn file_path(
    file: Option<&Path>,
    variable: impl Fn(&str) -> Result<String, VarError>,
) -> std::path::PathBuf {
    Folders::find(&|name: &str| variable(name).ok()).config_file(file)
}

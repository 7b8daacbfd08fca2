//! Environment variables that begin like those of settings.

use std::fmt;

use super::{SettingSpec, TABLE};
use crate::suggest::did_you_mean;

/// The beginning of the name of every environment variable of the program.
pub(super) const PREFIX: &str = "DISTRO_TUI_";
/// Variables of options that are not settings.
const OPTIONS: [&str; 2] = ["DISTRO_TUI_CONNECT", "DISTRO_TUI_TICKET"];
/// Beginnings of the suffixes that Kubernetes and Docker append to the name of a service:
/// `DISTRO_TUI_PORT_80_TCP`.
const SERVICE: [&str; 3] = ["SERVICE_HOST", "SERVICE_PORT", "PORT"];

/// An environment variable that looks like a setting and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVariable {
    name: String,
    /// A suggestion, if the name of a variable is similar.
    near: String,
}

impl fmt::Display for UnknownVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, near } = self;
        write!(
            f,
            "warning: {name} is ignored: there is no such setting{near}"
        )
    }
}

/// Returns the variables among `names` that look like settings and are none. They have no effect, and are
/// not errors: the environment is shared with other versions, and Kubernetes adds variables of its own.
pub fn unknown_variables(names: impl IntoIterator<Item = String>) -> Vec<UnknownVariable> {
    let known = TABLE.iter().map(SettingSpec::variable);
    let known: Vec<String> = known.chain(OPTIONS.map(str::to_owned)).collect();
    let unknown = |name: String| {
        let rest = name.strip_prefix(PREFIX)?;
        if known.contains(&name) || SERVICE.iter().any(|service| rest.starts_with(service)) {
            return None;
        }
        // Without the prefix, which would make all names similar.
        let words = known.iter().filter_map(|known| known.strip_prefix(PREFIX));
        let near = did_you_mean(rest, words).replacen('`', &format!("`{PREFIX}"), 1);
        Some(UnknownVariable { name, near })
    };
    names.into_iter().filter_map(unknown).collect()
}

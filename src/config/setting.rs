//! A setting: its description, its value and the source of the value.

use std::{fmt, path::PathBuf};

use serde::{Serialize, Serializer};

/// A value, as it was written, and its source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// The text that it was parsed from.
    pub text: String,
    /// The source of the text.
    pub source: Source,
}

impl<T> Sourced<T> {
    /// Returns the text and the source, under a name.
    pub(super) fn effective(&self, name: &'static str) -> EffectiveSetting {
        EffectiveSetting {
            name,
            value: self.text.clone(),
            source: self.source.clone(),
        }
    }
}

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Source {
    /// The default.
    #[default]
    Default,
    /// The configuration file.
    File {
        /// Its path.
        path: PathBuf,
        /// The line of the setting, from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line, without its dashes.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
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

/// The commands that a setting affects, which have its flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingGroup {
    /// Every command that uses a node or its data folder.
    Common,
    /// The commands that go on until they are ended: the dashboard, `record` and `serve`.
    Log,
    /// The commands that start a node: the dashboard, `record` and `serve`. The setting has no effect on
    /// a node that runs already.
    Node,
    /// Limits and quotas of a node, which the same commands have.
    Limits,
    /// The commands that draw a screen: the dashboard, `record` and `replay`.
    Dashboard,
}

impl SettingGroup {
    /// Returns true if its settings have no effect on a node that runs already.
    #[must_use]
    pub const fn is_of_node(self) -> bool {
        matches!(self, Self::Node | Self::Limits)
    }
}

/// The description of a setting.
#[derive(Debug)]
pub struct SettingSpec {
    /// Its name in the configuration file, and of its flag.
    pub name: &'static str,
    /// The placeholder of its value in `--help`.
    pub placeholder: &'static str,
    /// The text of its default.
    pub default: &'static str,
    /// The text of another valid value.
    pub example: &'static str,
    /// The commands that it affects.
    pub group: SettingGroup,
    /// Its documentation as lines; the first sentence is the summary.
    pub(super) doc: &'static str,
}

/// The placeholder of a setting that is on or off.
const SWITCH: &str = "true|false";

impl SettingSpec {
    /// Returns the name of the environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        let name = self.name.to_uppercase().replace('-', "_");
        format!("{}{name}", super::variables::PREFIX)
    }

    /// Returns true for a setting that is on or off; its flag needs no value.
    #[must_use]
    pub fn is_switch(&self) -> bool {
        self.placeholder == SWITCH
    }

    /// Returns the documentation on one line.
    #[must_use]
    pub fn documentation(&self) -> String {
        let lines: Vec<&str> = self.doc.lines().map(str::trim).collect();
        lines.join(" ").trim().to_owned()
    }

    /// Returns the first sentence of the documentation, without the full stop.
    #[must_use]
    pub fn summary(&self) -> String {
        let text = self.documentation();
        let first = text.split_once(". ").map(|(first, _)| first);
        first.unwrap_or(&text).trim_end_matches('.').to_owned()
    }
}

//! Errors of settings.

use std::{fmt, io, path::PathBuf};

use super::Source;
use crate::cause::Cause;

/// A setting or a configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The configuration file cannot be read.
    #[error("{}: cannot be read: {}", path.display(), Unreadable(error))]
    File {
        /// Its path.
        path: PathBuf,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// The configuration file is not TOML.
    #[error("{}:{position} is not TOML: {}", path.display(), error.message())]
    Syntax {
        /// Its path.
        path: PathBuf,
        /// The position of the mistake.
        position: Box<TextPosition>,
        /// The error of the parser.
        #[source]
        error: toml::de::Error,
    },
    /// There is no setting with this name.
    #[error("{from}: there is no setting `{name}`{near}")]
    UnknownSetting {
        /// The source of the name.
        from: Source,
        /// The name.
        name: String,
        /// A suggestion, if the name of a setting is similar.
        near: String,
    },
    /// The value of a setting is invalid.
    #[error("{from}: {}{reason}", Named(from, name))]
    Value {
        /// The source of the value.
        from: Source,
        /// The name of the setting.
        name: &'static str,
        /// The mistake, and what is expected.
        #[source]
        reason: Cause,
    },
    /// An entry of the table `[keys]` is invalid.
    #[error("{from}: [keys]: {reason}")]
    Keys {
        /// The source of the table.
        from: Source,
        /// The mistake, and what is expected.
        #[source]
        reason: Cause,
    },
}

/// The name of the setting, where its source does not contain it.
struct Named<'a>(&'a Source, &'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Source::Variable(_) | Source::Flag(_) => Ok(()),
            Source::Default | Source::File { .. } => write!(f, "`{}`: ", self.1),
        }
    }
}

/// The reason why a file cannot be read, for people.
struct Unreadable<'a>(&'a io::Error);

impl fmt::Display for Unreadable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            io::ErrorKind::NotFound => f.write_str(
                "there is no such file; `distro-tui config init --config FILE` writes one",
            ),
            io::ErrorKind::InvalidData => f.write_str("it is not UTF-8 text"),
            io::ErrorKind::FileTooLarge => f.write_str("it is larger than 1 MiB"),
            kind => kind.fmt(f),
        }
    }
}

/// A position in a text, with the line around it.
#[derive(Debug)]
pub struct TextPosition {
    line: usize,
    column: usize,
    text: String,
}

impl TextPosition {
    /// Creates the position of a byte of `text`.
    pub(super) fn new(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = text.get(start..).and_then(|rest| rest.lines().next());
        Self {
            line: line_of(text, byte),
            column: before.chars().count() - before.get(..start).map_or(0, |s| s.chars().count())
                + 1,
            text: line.unwrap_or_default().replace('\t', " "),
        }
    }

    /// Returns the line of the text, and a mark below the column.
    #[must_use]
    pub fn excerpt(&self) -> [String; 2] {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let before: String = self.text.chars().take(self.column - 1).collect();
        let indent = " ".repeat(crate::text::width(&before));
        [
            format!("  {number} | {}", self.text),
            format!("  {margin} | {indent}^"),
        ]
    }
}

impl fmt::Display for TextPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.line, self.column)
    }
}

/// Returns the line of a byte of `text`, from 1.
pub(super) fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|b| *b == b'\n').count() + 1
}

impl ConfigError {
    /// Returns the lines of the configuration file that the error is about, if it shows them.
    #[must_use]
    pub fn excerpt(&self) -> Option<[String; 2]> {
        match self {
            Self::Syntax { position, .. } => Some(position.excerpt()),
            _ => None,
        }
    }
}

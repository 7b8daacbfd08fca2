//! The texts of the settings, from every source; a later source overrides an earlier one.

use std::{
    collections::BTreeMap,
    env::VarError,
    fs::File,
    io::{self, Read},
    path::Path,
};

use toml::Spanned;

use super::{
    ConfigError, Source, Sourced, TABLE,
    error::{TextPosition, line_of},
};
use crate::{cause::Cause, suggest::did_you_mean};

/// The maximum size of a configuration file in bytes.
const MAX_FILE: u64 = 1 << 20;
/// The name of the table of keys.
const KEYS: &str = "keys";

/// The keys of the table `[keys]`, by the name of the action.
pub(super) type KeyTable = BTreeMap<String, Vec<String>>;

/// The texts of the settings, each with its source.
pub(super) struct Layers {
    texts: BTreeMap<&'static str, (Source, String)>,
    pub(super) keys: Sourced<KeyTable>,
}

impl Layers {
    /// Returns the defaults.
    pub(super) fn from_defaults() -> Self {
        let default = |text: &str| (Source::Default, text.to_owned());
        let texts = TABLE.iter().map(|spec| (spec.name, default(spec.default)));
        Self {
            texts: texts.collect(),
            keys: Sourced::default(),
        }
    }

    /// Adds the file; one that need not exist may be missing.
    pub(super) fn add_file(&mut self, path: &Path, must_exist: bool) -> Result<(), ConfigError> {
        let text = match read(path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound && !must_exist => return Ok(()),
            Err(error) => {
                let path = path.to_owned();
                return Err(ConfigError::File { path, error });
            }
        };
        let entries: BTreeMap<Spanned<String>, toml::Value> =
            toml::from_str(&text).map_err(|error| {
                let byte = error.span().map_or(text.len(), |span| span.start);
                ConfigError::Syntax {
                    path: path.to_owned(),
                    position: Box::new(TextPosition::new(&text, byte)),
                    error,
                }
            })?;
        for (name, value) in entries {
            let line = line_of(&text, name.span().start);
            let path = path.to_owned();
            self.add_entry(name.get_ref(), value, Source::File { path, line })?;
        }
        Ok(())
    }

    fn add_entry(
        &mut self,
        name: &str,
        value: toml::Value,
        from: Source,
    ) -> Result<(), ConfigError> {
        if name == KEYS {
            self.keys = Sourced {
                value: keys(value).map_err(|why| ConfigError::Keys {
                    from: from.clone(),
                    reason: Cause::from_message(why),
                })?,
                text: String::new(),
                source: from,
            };
            return Ok(());
        }
        let names = || TABLE.iter().map(|spec| spec.name);
        let Some(known) = names().find(|known| *known == name) else {
            return Err(ConfigError::UnknownSetting {
                from,
                name: name.to_owned(),
                near: did_you_mean(name, names().chain([KEYS])),
            });
        };
        match text_of(value) {
            Ok(text) => {
                self.texts.insert(known, (from, text));
                Ok(())
            }
            Err(kind) => Err(ConfigError::Value {
                from,
                name: known,
                reason: Cause::from_message(format!("it takes one value, not a {kind}")),
            }),
        }
    }

    /// Adds the environment variables that are set and not empty.
    pub(super) fn add_environment(
        &mut self,
        variable: impl Fn(&str) -> Result<String, VarError>,
    ) -> Result<(), ConfigError> {
        for spec in TABLE {
            let name = spec.variable();
            match variable(&name) {
                Ok(text) if !text.is_empty() => {
                    self.texts.insert(spec.name, (Source::Variable(name), text));
                }
                Ok(_) | Err(VarError::NotPresent) => {}
                Err(error @ VarError::NotUnicode(_)) => {
                    return Err(ConfigError::Value {
                        from: Source::Variable(name),
                        name: spec.name,
                        reason: Cause::described("the value is not UTF-8 text", error),
                    });
                }
            }
        }
        Ok(())
    }

    /// Adds the flags.
    pub(super) fn add_flags(&mut self, flags: &[(&'static str, String)]) {
        for (name, text) in flags {
            self.texts.insert(name, (Source::Flag(name), text.clone()));
        }
    }

    /// Parses the text of a setting.
    pub(super) fn value<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Cause>,
    ) -> Result<Sourced<T>, ConfigError> {
        let (source, text) = self.texts.get(name).cloned().unwrap_or_default();
        match parse(&text) {
            Ok(value) => Ok(Sourced {
                value,
                text,
                source,
            }),
            Err(reason) => Err(ConfigError::Value {
                from: source,
                name,
                reason,
            }),
        }
    }
}

/// Reads a configuration file, which may also be a pipe.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    if file.take(MAX_FILE + 1).read_to_string(&mut text)? as u64 > MAX_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}

/// Returns the text of a single value; the error names any other kind.
fn text_of(value: toml::Value) -> Result<String, &'static str> {
    match value {
        toml::Value::String(text) => Ok(text),
        toml::Value::Integer(n) => Ok(n.to_string()),
        toml::Value::Boolean(b) => Ok(b.to_string()),
        toml::Value::Array(_) => Err("list"),
        toml::Value::Table(_) => Err("table"),
        other => Err(other.type_str()),
    }
}

fn keys(value: toml::Value) -> Result<KeyTable, String> {
    let toml::Value::Table(table) = value else {
        return Err("it is a table: write [keys], and a line for each action".into());
    };
    let text = |name: &str, value: toml::Value| match value {
        toml::Value::String(text) => Ok(text),
        other => Err(format!("{name}: a key is text, not a {}", other.type_str())),
    };
    table
        .into_iter()
        .map(|(name, value)| {
            let keys = match value {
                toml::Value::Array(keys) => keys
                    .into_iter()
                    .map(|key| text(&name, key))
                    .collect::<Result<_, _>>()?,
                one => vec![text(&name, one)?],
            };
            Ok((name, keys))
        })
        .collect()
}

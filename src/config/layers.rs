//! The texts of the settings, from every source; a later source overrides an earlier one.

use std::{collections::BTreeMap, io, path::Path};

use super::{
    ConfigError, DEFAULT_FILE, EffectiveSetting, Source,
    table::{TABLE, Values},
};
use crate::{cause::Cause, suggest::did_you_mean};

/// The text that leaves a setting at its default.
const AUTO: &str = "auto";

/// The texts of the settings, each with its source.
#[derive(Debug, Default)]
pub(super) struct Layers {
    texts: BTreeMap<&'static str, (Source, String)>,
    pub(super) keys: BTreeMap<String, Vec<String>>,
    pub(super) keys_from: Source,
}

impl Layers {
    /// Adds the file; one that need not exist may be missing.
    pub(super) fn add_file(&mut self, path: &Path, must_exist: bool) -> Result<(), ConfigError> {
        let from = || Source::File(path.to_owned());
        let invalid = |reason: Cause| ConfigError {
            from: from(),
            reason,
        };
        let wrong = |message: String| invalid(Cause::from_message(message));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound && !must_exist => return Ok(()),
            Err(e) => return Err(invalid(Cause::in_context("cannot be read", e))),
        };
        let table: toml::Table = text
            .parse()
            .map_err(|e: toml::de::Error| invalid(Cause::in_context("is not TOML", e)))?;
        for (name, value) in table {
            if name == "keys" {
                self.keys = keys(value).map_err(wrong)?;
                self.keys_from = from();
                continue;
            }
            let names = || TABLE.iter().map(|setting| setting.name);
            let Some(known) = names().find(|known| *known == name) else {
                let near = did_you_mean(&name, names().chain(["keys"]));
                return Err(wrong(format!("there is no setting `{name}`{near}")));
            };
            let text = text_of(value)
                .map_err(|kind| wrong(format!("`{name}` takes one value, not a {kind}")))?;
            self.texts.insert(known, (from(), text));
        }
        Ok(())
    }

    /// Adds the environment variables that are set and not empty.
    pub(super) fn add_environment(&mut self, variable: &impl Fn(&str) -> Option<String>) {
        for setting in &TABLE {
            let name = setting.variable();
            if let Some(text) = variable(&name).filter(|text| !text.is_empty()) {
                self.texts
                    .insert(setting.name, (Source::Variable(name), text));
            }
        }
    }

    /// Adds the flags.
    pub(super) fn add_flags(&mut self, flags: Vec<(&'static str, String)>) {
        for (name, text) in flags {
            let source = Source::Flag(format!("--{name}"));
            self.texts.insert(name, (source, text));
        }
    }

    /// Parses the texts.
    pub(super) fn values(&self) -> Result<Values, ConfigError> {
        let mut values = Values::default();
        for setting in &TABLE {
            let Some((from, text)) = self.texts.get(setting.name) else {
                continue;
            };
            if text == AUTO {
                continue;
            }
            (setting.set)(&mut values, text).map_err(|why| ConfigError {
                from: from.clone(),
                reason: Cause::from_message(match from {
                    Source::File(_) => format!("`{}`: {why}", setting.name),
                    _ => why,
                }),
            })?;
        }
        Ok(values)
    }

    /// Returns every setting as text, with its source.
    pub(super) fn effective(&self) -> Vec<EffectiveSetting> {
        // A test checks that the default file has every default.
        let defaults: toml::Table = DEFAULT_FILE.parse().unwrap_or_default();
        let default = |name: &str| {
            let value = defaults.get(name).cloned();
            value.and_then(|value| text_of(value).ok())
        };
        let effective = |name| {
            let (source, value) = match self.texts.get(name) {
                Some((source, text)) => (source.clone(), text.clone()),
                None => (Source::Default, default(name).unwrap_or_default()),
            };
            EffectiveSetting {
                name,
                value,
                source,
            }
        };
        TABLE
            .iter()
            .map(|setting| effective(setting.name))
            .collect()
    }
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

fn keys(value: toml::Value) -> Result<BTreeMap<String, Vec<String>>, String> {
    let toml::Value::Table(table) = value else {
        return Err("`keys` is a table: write [keys] and a line for each action".into());
    };
    let text = |name: &str, value: toml::Value| match value {
        toml::Value::String(text) => Ok(text),
        other => Err(format!(
            "[keys] {name}: a key is text, not a {}",
            other.type_str()
        )),
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

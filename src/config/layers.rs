//! Settings as they are collected: text, each with where it comes from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{ConfigError, DEFAULT_FILE, EffectiveSetting, NAMES, Source};
use crate::input::suggest::suggest;

/// Settings as they are collected; text until all of them are there.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) values: BTreeMap<&'static str, (Source, String)>,
    pub(super) keys: BTreeMap<String, Vec<String>>,
    pub(super) keys_from: Option<Source>,
    pub(super) file: PathBuf,
}

impl Layers {
    pub(super) fn put(&mut self, name: &'static str, from: Source, value: String) {
        self.values.insert(name, (from, value));
    }

    pub(super) fn file(&mut self, path: &Path, must_exist: bool) -> Result<(), ConfigError> {
        let from = || Source::File(path.to_owned());
        let wrong = |why: String| ConfigError { from: from(), why };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !must_exist => return Ok(()),
            Err(e) => return Err(wrong(format!("cannot be read: {e}"))),
        };
        let table: toml::Table = text
            .parse()
            .map_err(|e| wrong(format!("is not TOML: {e}")))?;
        for (name, value) in table {
            if name == "keys" {
                self.keys = keys(value).map_err(wrong)?;
                self.keys_from = Some(from());
                continue;
            }
            let Some(known) = NAMES.into_iter().find(|known| *known == name) else {
                let near = suggest(&name, NAMES.into_iter().chain(["keys"]));
                return Err(wrong(format!(
                    "there is no setting `{name}`; did you mean `{near}`?"
                )));
            };
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(n) => n.to_string(),
                toml::Value::Boolean(b) => b.to_string(),
                other => {
                    let kind = match other {
                        toml::Value::Array(_) => "list",
                        toml::Value::Table(_) => "table",
                        _ => other.type_str(),
                    };
                    return Err(wrong(format!("`{name}` takes one value, not a {kind}")));
                }
            };
            self.put(known, from(), text);
        }
        Ok(())
    }

    /// A value as its type, or nothing when it is not set or is `auto`.
    pub(super) fn take<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let Some((from, text)) = self.values.get(name) else {
            return Ok(None);
        };
        if text == "auto" {
            return Ok(None);
        }
        read(text).map(Some).map_err(|why| ConfigError {
            from: from.clone(),
            why: match from {
                Source::File(_) => format!("`{name}`: {why}"),
                _ => why,
            },
        })
    }

    pub(super) fn shown(&self) -> Vec<EffectiveSetting> {
        // The file with every setting explained has every default, which a test sees to.
        let defaults: toml::Table = DEFAULT_FILE.parse().unwrap_or_default();
        let usual = |name: &str| match defaults.get(name) {
            Some(toml::Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let shown = |name| match self.values.get(name) {
            Some((from, value)) => EffectiveSetting {
                name,
                value: value.clone(),
                from: from.to_string(),
            },
            None => EffectiveSetting {
                name,
                value: usual(name),
                from: "default".to_owned(),
            },
        };
        NAMES.into_iter().map(shown).collect()
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

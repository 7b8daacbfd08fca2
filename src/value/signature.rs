//! What a method takes and gives, written on one line and read by people and programs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A method's name, parameters, result and one sentence about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The method's name.
    pub name: String,
    /// Its parameters, in order.
    pub params: Vec<Param>,
    /// The type of the result.
    pub returns: String,
    /// What it does.
    pub doc: String,
}

/// One parameter of a method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// Its name, for calls by name.
    pub name: String,
    /// Its type: `null`, `bool`, `int`, `float`, `str`, `bytes`, `list`, `map` or any word that says
    /// more.
    pub kind: String,
    /// Whether it may be left out.
    pub optional: bool,
}

impl Signature {
    /// Reads `name(param: type, other: type?) -> type`.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub fn parse(text: &str, doc: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once('(').ok_or("`(` is missing")?;
        let (params, returns) = rest.rsplit_once(')').ok_or("`)` is missing")?;
        let returns = returns
            .trim()
            .strip_prefix("->")
            .ok_or("`-> type` is missing")?;
        let params = params
            .split(',')
            .map(str::trim)
            .filter(|param| !param.is_empty())
            .map(Param::parse)
            .collect::<Result<Vec<_>, _>>()?;
        if name.trim().is_empty() || returns.trim().is_empty() {
            return Err("the name or the result's type is missing".into());
        }
        Ok(Self {
            name: name.trim().to_owned(),
            params,
            returns: returns.trim().to_owned(),
            doc: doc.to_owned(),
        })
    }

    /// How many arguments it needs at least.
    #[must_use]
    pub fn required(&self) -> usize {
        self.params.iter().filter(|p| !p.optional).count()
    }
}

impl Param {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, kind) = text
            .split_once(':')
            .ok_or_else(|| format!("`{text}` has no type"))?;
        let kind = kind.trim();
        let bare = kind.strip_suffix('?');
        Ok(Self {
            name: name.trim().to_owned(),
            kind: bare.unwrap_or(kind).to_owned(),
            optional: bare.is_some(),
        })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (i, param) in self.params.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            let mark = if param.optional { "?" } else { "" };
            write!(f, "{comma}{}: {}{mark}", param.name, param.kind)?;
        }
        write!(f, ") -> {}", self.returns)
    }
}

//! Method signatures, written on one line for people and programs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A method's name, parameters, result type and description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The method's name.
    pub name: String,
    /// The parameters in order; `None` if they are not known, as with objects of other systems. Unknown
    /// parameters take any arguments by position.
    pub params: Option<Vec<Param>>,
    /// The type of the result.
    pub returns: String,
    /// One sentence of documentation.
    pub doc: String,
}

/// One parameter of a method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// The name, for arguments by name.
    pub name: String,
    /// The type: `null`, `bool`, `int`, `float`, `str`, `bytes`, `list`, `map`, `tuple`, `set` or another
    /// word.
    pub kind: String,
    /// An optional parameter is null if it is left out.
    pub optional: bool,
}

/// A text that is not a method signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseSignatureError {
    /// A part of the notation is absent.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A parameter has no type.
    #[error("`{0}` has no type")]
    NoType(String),
}

impl Signature {
    /// Parses `name(param: type, other: type?) -> type`; a type that ends in `?` is that of an optional
    /// parameter. `name(...) -> type` has unknown parameters.
    ///
    /// # Errors
    /// [`ParseSignatureError`] with the first part that is missing.
    pub fn parse(text: &str, doc: &str) -> Result<Self, ParseSignatureError> {
        use ParseSignatureError::Missing;
        let (name, rest) = text.split_once('(').ok_or(Missing("("))?;
        let (params, returns) = rest.rsplit_once(')').ok_or(Missing(")"))?;
        let returns = returns.trim().strip_prefix("->").ok_or(Missing("->"))?;
        let params = match params.trim() {
            UNKNOWN => None,
            params => Some(parse_params(params)?),
        };
        if name.trim().is_empty() {
            return Err(Missing("name"));
        }
        if returns.trim().is_empty() {
            return Err(Missing("-> type"));
        }
        Ok(Self {
            name: name.trim().to_owned(),
            params,
            returns: returns.trim().to_owned(),
            doc: doc.to_owned(),
        })
    }

    /// Creates the signature of a method of which only the name is known.
    #[must_use]
    pub fn unknown(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            params: None,
            returns: "any".to_owned(),
            doc: String::new(),
        }
    }
}

/// The notation for unknown parameters.
const UNKNOWN: &str = "...";

fn parse_params(text: &str) -> Result<Vec<Param>, ParseSignatureError> {
    text.split(',')
        .map(str::trim)
        .filter(|param| !param.is_empty())
        .map(Param::parse)
        .collect()
}

impl Param {
    fn parse(text: &str) -> Result<Self, ParseSignatureError> {
        let (name, kind) = text
            .split_once(':')
            .ok_or_else(|| ParseSignatureError::NoType(text.to_owned()))?;
        let kind = kind.trim();
        let required = kind.strip_suffix('?');
        Ok(Self {
            name: name.trim().to_owned(),
            kind: required.unwrap_or(kind).to_owned(),
            optional: required.is_some(),
        })
    }
}

impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.optional { "?" } else { "" };
        write!(f, "{}: {}{mark}", self.name, self.kind)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        match &self.params {
            None => f.write_str(UNKNOWN)?,
            Some(params) => {
                for (i, param) in params.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{param}")?;
                }
            }
        }
        write!(f, ") -> {}", self.returns)
    }
}

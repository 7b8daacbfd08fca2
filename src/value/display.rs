//! Text and JSON for people and programs.

use std::fmt::{self, Write as _};

use data_encoding::BASE64;
use serde_json::value::RawValue;

use super::Value;

/// Limit of untrusted text that is quoted in a message, in bytes.
const MAX_EXCERPT: usize = 80;

/// Returns the beginning of an untrusted text with control characters escaped, to quote it in a message.
pub(crate) fn excerpt(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_EXCERPT);
    text.get(..end)
        .unwrap_or_default()
        .escape_debug()
        .to_string()
}

impl Value {
    /// Converts the value into JSON: integers of any size as numbers, bytes as base64 text, tuples and sets
    /// as arrays, and floats that JSON cannot express as null.
    #[must_use]
    pub fn to_json(&self) -> Box<RawValue> {
        let mut text = String::new();
        write_json(self, &mut text);
        RawValue::from_string(text).unwrap_or_else(|_never| RawValue::NULL.to_owned())
    }
}

fn write_json(value: &Value, out: &mut String) {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(n) => out.push_str(&n.to_string()),
        Value::Big(n) => out.push_str(&n.to_string()),
        Value::Float(x) if x.is_finite() => out.push_str(&format!("{x:?}")),
        Value::Float(_) => out.push_str("null"),
        Value::Str(text) => out.push_str(&quoted(text)),
        Value::Bytes(bytes) => out.push_str(&quoted(&BASE64.encode(bytes))),
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { "," });
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (i, (key, value)) in entries.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { "," });
                out.push_str(&quoted(key));
                out.push(':');
                write_json(value, out);
            }
            out.push('}');
        }
    }
}

/// One line, in the notation of Python and JSON.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(b) => b.fmt(f),
            Self::Int(n) => n.fmt(f),
            Self::Big(n) => n.fmt(f),
            // Debug keeps the point in 2.0, so that a float never looks like an integer.
            Self::Float(x) => write!(f, "{x:?}"),
            Self::Str(text) => write_quoted(f, text),
            Self::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
            Self::List(items) => {
                f.write_char('[')?;
                write_items(f, items)?;
                f.write_char(']')
            }
            Self::Tuple(items) => {
                f.write_char('(')?;
                write_items(f, items)?;
                // A comma tells a tuple of one from a value in parentheses.
                f.write_str(if items.len() == 1 { ",)" } else { ")" })
            }
            // `{}` is an empty map.
            Self::Set(items) if items.is_empty() => f.write_str("set()"),
            Self::Set(items) => {
                f.write_char('{')?;
                write_items(f, items)?;
                f.write_char('}')
            }
            Self::Map(entries) => {
                f.write_char('{')?;
                for (i, (key, value)) in entries.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    write_quoted(f, key)?;
                    write!(f, ": {value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn write_items(f: &mut fmt::Formatter<'_>, items: &[Value]) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { ", " })?;
        write!(f, "{item}")?;
    }
    Ok(())
}

/// Writes text in quotes; only quotes, backslashes and control characters are escaped.
fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        if c == '"' || c == '\\' || c.is_control() {
            write!(f, "{}", c.escape_default())?;
        } else {
            f.write_char(c)?;
        }
    }
    f.write_char('"')
}

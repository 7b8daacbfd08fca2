//! A call as it is typed: `welcomeMessage Ali`, `list {"prefix": "a"}`.

use serde::Deserialize;

use super::json_error;
use crate::value::Value;

/// Parses a method and its arguments. An argument is a number, `true`, `false`, `null`, a quoted string, a list or
/// map as JSON; any other word is a string.
pub(crate) fn parse(text: &str) -> Result<(String, Vec<Value>), String> {
    let text = text.trim();
    let (method, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if method.is_empty() {
        return Err("type the name of a method".into());
    }
    let mut args = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok((method.to_owned(), args));
        }
        let (value, after) = parse_next(rest)?;
        args.push(value);
        rest = after;
    }
}

/// Parses one argument: JSON, or otherwise a string. Integers are parsed first, because JSON turns large ones into
/// floats.
pub(crate) fn parse_value(text: &str) -> Value {
    match (text.parse(), serde_json::from_str::<Json>(text)) {
        (Ok(integer), _) => Value::integer(integer),
        (_, Ok(Json(value))) => value,
        _ => Value::from(text),
    }
}

/// Parses the first argument and returns the rest of the text.
fn parse_next(text: &str) -> Result<(Value, &str), String> {
    if text.starts_with(['"', '[', '{']) {
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Json>();
        return match stream.next() {
            Some(Ok(Json(value))) => {
                let end = stream.byte_offset();
                Ok((value, text.get(end..).unwrap_or_default()))
            }
            Some(Err(error)) => Err(format!(
                "this is not JSON: {}",
                json_error::describe(&error)
            )),
            None => Err("an argument is missing".into()),
        };
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (head, rest) = text.split_at(end);
    Ok((parse_value(head), rest))
}

/// A value in JSON.
struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let json = serde_json::Value::deserialize(d)?;
        Ok(Self(convert(json)))
    }
}

fn convert(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(b) => Value::Bool(b),
        serde_json::Value::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(n), _) => Value::Int(n),
            (None, Some(n)) => Value::integer(n.into()),
            (None, None) => Value::Float(n.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::Str(text),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(convert).collect()),
        serde_json::Value::Object(entries) => {
            Value::Map(entries.into_iter().map(|(k, v)| (k, convert(v))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_json_or_a_string() {
        let (method, args) =
            parse(r#" f Ali 5 -2.5 true null "two words" [1, "x"] {"a": 1} "#).expect("reads");
        assert_eq!(method, "f");
        let shown: Vec<_> = args.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "\"Ali\"",
                "5",
                "-2.5",
                "true",
                "null",
                "\"two words\"",
                "[1, \"x\"]",
                "{\"a\": 1}"
            ]
        );
        let (_, args) = parse("f 123456789012345678901234567890").expect("reads");
        assert_eq!(args[0].to_string(), "123456789012345678901234567890");
    }

    #[test]
    fn a_mistake_is_reported() {
        assert!(parse("").is_err());
        assert!(
            parse("f \"unfinished")
                .expect_err("cut")
                .contains("not JSON")
        );
        assert!(parse("f [1, 2").is_err());
    }
}

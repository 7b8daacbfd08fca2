//! What a person types to call a method: `welcomeMessage Ali`, `list {"prefix": "a"}`.

use serde::Deserialize;

use crate::value::Value;

/// A method and its arguments. A word is what it looks like: a number, `true`, `false`, `null`, text
/// in quotes, a list or map as JSON, or else text as it stands.
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
        let (value, behind) = argument(rest)?;
        args.push(value);
        rest = behind;
    }
}

/// One argument that a shell has taken apart already: what it looks like, or else text as it stands.
/// An integer first: JSON would make a float of a large one.
pub(crate) fn word(text: &str) -> Value {
    match (text.parse(), serde_json::from_str::<Json>(text)) {
        (Ok(integer), _) => Value::integer(integer),
        (_, Ok(Json(value))) => value,
        _ => Value::from(text),
    }
}

fn argument(text: &str) -> Result<(Value, &str), String> {
    if text.starts_with(['"', '[', '{']) {
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Json>();
        return match stream.next() {
            Some(Ok(Json(value))) => {
                let end = stream.byte_offset();
                Ok((value, text.get(end..).unwrap_or_default()))
            }
            Some(Err(error)) => Err(format!("this is no JSON: {error}")),
            None => Err("an argument is missing".into()),
        };
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (head, behind) = text.split_at(end);
    Ok((word(head), behind))
}

/// A value as JSON has it.
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
    fn words_are_what_they_look_like() {
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
    fn what_cannot_be_read_says_so() {
        assert!(parse("").is_err());
        assert!(
            parse("f \"unfinished")
                .expect_err("cut")
                .contains("no JSON")
        );
        assert!(parse("f [1, 2").is_err());
    }
}

//! Numbers with the semantics of Python: integers of any size, and floats.

use std::fmt;

use num_bigint::BigInt;
use num_traits::ToPrimitive;
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

/// An integer of any size, or a float.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// An integer.
    Int(BigInt),
    /// A float. It may be infinite as the result of an addition, never as input.
    Float(f64),
}

/// The maximum length of a number, in characters.
pub const MAX_DIGITS: usize = 20_000;

/// The reason why a text is not a number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseNumberError {
    /// It is not a number.
    #[error("`{0}` is not a number")]
    Other(String),
    /// It is too long.
    #[error("a number of {0} characters is over the limit of {MAX_DIGITS}")]
    TooLong(usize),
    /// It exceeds the largest float.
    #[error("`{0}` is too large for a float; write it without a point or exponent")]
    TooLarge(String),
}

/// An integer that exceeds the largest float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("int too large to convert to float")]
pub struct IntTooLarge;

impl Number {
    /// Parses `12`, `-3`, `2.5`, `1e6` or `1_000`.
    ///
    /// # Errors
    /// [`ParseNumberError`].
    pub fn parse(text: &str) -> Result<Self, ParseNumberError> {
        let shown = || {
            let short: String = text.chars().take(40).collect();
            short.escape_debug().to_string()
        };
        if text.len() > MAX_DIGITS {
            return Err(ParseNumberError::TooLong(text.len()));
        }
        // Almost all numbers are short integers; the general case is slow.
        if text.len() < 19
            && text
                .trim_start_matches('-')
                .bytes()
                .all(|b| b.is_ascii_digit())
            && let Ok(n) = text.parse::<i64>()
        {
            return Ok(Self::Int(n.into()));
        }
        // Underscores are allowed between digits, as in Python and Rust.
        let stray = text.starts_with('_') || text.ends_with('_') || text.contains("__");
        let digits: String = text.chars().filter(|c| *c != '_').collect();
        let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(&digits);
        // Rust also parses "inf" and "nan"; those are not numbers here.
        if stray || !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Err(ParseNumberError::Other(shown()));
        }
        if unsigned.bytes().all(|b| b.is_ascii_digit()) {
            return digits
                .parse()
                .map(Self::Int)
                .map_err(|_no_digits| ParseNumberError::Other(shown()));
        }
        match digits.parse::<f64>() {
            Ok(x) if x.is_finite() => Ok(Self::Float(x)),
            Ok(_) => Err(ParseNumberError::TooLarge(shown())),
            Err(_) => Err(ParseNumberError::Other(shown())),
        }
    }

    /// Returns the sum as Python's `+`: exact for integers, a float if one of the two is.
    ///
    /// # Errors
    /// [`IntTooLarge`] when an integer meets a float and is beyond the largest float.
    pub fn add(&self, other: &Self) -> Result<Self, IntTooLarge> {
        Ok(match (self, other) {
            (Self::Int(x), Self::Int(y)) => Self::Int(x + y),
            _ => Self::Float(self.to_float()? + other.to_float()?),
        })
    }

    fn to_float(&self) -> Result<f64, IntTooLarge> {
        match self {
            Self::Float(x) => Ok(*x),
            Self::Int(n) => n.to_f64().filter(|x| x.is_finite()).ok_or(IntTooLarge),
        }
    }

    /// Converts to JSON in Python's dialect: a float beyond the largest is `Infinity`.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Int(n) => n.to_i64().map_or_else(|| n.to_string(), |n| n.to_string()),
            Self::Float(x) if x.is_nan() => "NaN".into(),
            Self::Float(x) if x.is_infinite() && *x > 0.0 => "Infinity".into(),
            Self::Float(x) if x.is_infinite() => "-Infinity".into(),
            // Debug keeps the point in 2.0 and writes the shortest text that reads back the same.
            Self::Float(x) => format!("{x:?}"),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl<'de> Deserialize<'de> for Number {
    /// Deserializes from JSON only: the digits are parsed as written, so that none is lost.
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(d)?;
        Self::parse(raw.get()).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(x: &str, y: &str) -> String {
        let read = |text| Number::parse(text).expect("a number");
        match read(x).add(&read(y)) {
            Ok(sum) => sum.to_json(),
            Err(error) => error.to_string(),
        }
    }

    /// The right column is what Python prints for the sum.
    #[test]
    fn sums_match_python() {
        let huge = "9".repeat(400);
        for (x, y, expected) in [
            ("2", "3", "5"),
            ("-1", "2.5", "1.5"),
            ("2", "3.0", "5.0"),
            ("0.1", "0.2", "0.30000000000000004"),
            ("1_000", "1", "1001"),
            ("18446744073709551615", "1", "18446744073709551616"),
            ("1e308", "1e308", "Infinity"),
            ("-1e308", "-1e308", "-Infinity"),
            (".5", "1", "1.5"),
            (huge.as_str(), "1.0", "int too large to convert to float"),
        ] {
            assert_eq!(sum(x, y), expected, "{x} + {y}");
        }
        assert_eq!(sum(&huge, "1"), format!("1{}", "0".repeat(400)));
    }

    #[test]
    fn invalid_numbers_are_named() {
        for text in [
            "", "x", "-", "+", "inf", "nan", "1_", "_1", "1__0", "1e", "0x10", "--1", "1.2.3", ".",
        ] {
            assert!(
                matches!(Number::parse(text), Err(ParseNumberError::Other(_))),
                "{text}"
            );
        }
        assert!(matches!(
            Number::parse("1e999"),
            Err(ParseNumberError::TooLarge(_))
        ));
        assert!(matches!(
            Number::parse(&"1".repeat(MAX_DIGITS + 1)),
            Err(ParseNumberError::TooLong(_))
        ));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,40}") {
            let _ = Number::parse(&text);
        }

        #[test]
        fn numbers_survive_a_round_trip(x in -1e300..1e300f64, n: i128) {
            let float = Number::Float(x);
            prop_assert_eq!(Number::parse(&float.to_json()), Ok(float));
            let int = Number::Int(n.into());
            prop_assert_eq!(Number::parse(&int.to_json()), Ok(int));
        }
    }
}

//! An addition as it is typed: `2 3`, `2 + 3`, `-1 2.5`, `2 + 3, 4` (the 4 is seconds of work), with options
//! after it: `2 + 3 key:acme serial priority:9`.

use super::options::{self, ParseError, PartialOptions};
use crate::queue::{
    add::{Add, MAX_SECONDS},
    number::Number,
    options::TaskOptions,
    task::NewTask,
};

/// An addition and the options of its task.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Addition {
    pub(crate) add: Add,
    pub(crate) options: TaskOptions,
}

impl Addition {
    pub(crate) fn task(&self) -> NewTask {
        NewTask {
            options: self.options.clone(),
            ..self.add.task()
        }
    }
}

/// Parses an addition. Options on the line take precedence over `base`.
pub(crate) fn parse(
    text: &str,
    base: &PartialOptions,
    now: &jiff::ZonedDateTime,
) -> Result<Addition, ParseError> {
    let mut line = Scanner {
        chars: text.chars().collect(),
        at: 0,
    };
    let x = line.number("the first number is missing; write for example 2 + 3")?;
    line.skip_separator(&['+', ',']);
    if line.is_lone('-') {
        return Err(
            line.error("only additions are supported; to add a negative number write 2 + -3")
        );
    }
    let y = line.number("the second number is missing; write for example 2 + 3")?;
    line.skip_separator(&[',']);
    let seconds = if line.is_at_end() || line.is_at_option() {
        None
    } else {
        Some(line.seconds()?)
    };
    let options = options::parse(&line.rest(), base, now).map_err(|error| ParseError {
        at: error.at + line.at,
        why: error.why,
    })?;
    let add = Add {
        x,
        y,
        seconds,
        fails: options.fails,
    };
    let options = options.task_options();
    let valid = options.validate();
    valid.map_err(|error| line.error(error.to_string()))?;
    Ok(Addition { add, options })
}

/// A position in the line.
struct Scanner {
    chars: Vec<char>,
    at: usize,
}

impl Scanner {
    fn error(&self, why: impl Into<String>) -> ParseError {
        ParseError {
            at: self.at,
            why: why.into(),
        }
    }

    fn skip_space(&mut self) {
        while self.chars.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.at >= self.chars.len()
    }

    /// Returns true where an option begins.
    fn is_at_option(&mut self) -> bool {
        self.skip_space();
        options::begins(&self.peek_word())
    }

    fn rest(&self) -> String {
        self.chars.iter().skip(self.at).collect()
    }

    /// Returns true at a sign that no digit follows.
    fn is_lone(&mut self, sign: char) -> bool {
        self.skip_space();
        let next = self.chars.get(self.at + 1);
        self.chars.get(self.at) == Some(&sign) && next.is_none_or(|c| c.is_whitespace())
    }

    fn skip_separator(&mut self, signs: &[char]) {
        self.skip_space();
        if self.chars.get(self.at).is_some_and(|c| signs.contains(c)) {
            self.at += 1;
        }
    }

    /// The next word, as far as it can be one number.
    fn peek_word(&self) -> String {
        let mut word = String::new();
        for c in self.chars.iter().skip(self.at) {
            let sign = matches!(c, '+' | '-');
            let exponent =
                word.ends_with(['e', 'E']) && word.starts_with(|c: char| !c.is_alphabetic());
            if c.is_whitespace() || *c == ',' || (sign && !word.is_empty() && !exponent) {
                break;
            }
            word.push(*c);
        }
        word
    }

    fn number(&mut self, missing: &str) -> Result<Number, ParseError> {
        if self.is_at_end() {
            return Err(self.error(missing));
        }
        let word = self.peek_word();
        if word.is_empty() {
            return Err(self.error(missing));
        }
        let number = Number::parse(&word).map_err(|e| self.error(e.to_string()))?;
        self.at += word.chars().count();
        Ok(number)
    }

    fn seconds(&mut self) -> Result<f64, ParseError> {
        let word = self.peek_word();
        let bare = word.strip_suffix('s').unwrap_or(&word);
        match bare.parse::<f64>() {
            Ok(seconds) if (0.0..=MAX_SECONDS).contains(&seconds) => {
                self.at += word.chars().count();
                Ok(seconds)
            }
            Ok(_) => Err(self.error(format!("seconds must be from 0 to {MAX_SECONDS}"))),
            Err(_) => Err(self.error("this is not a number of seconds; write for example 2 3 1.5")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> jiff::ZonedDateTime {
        jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(jiff::tz::TimeZone::UTC)
    }

    fn read(text: &str) -> String {
        match parse(text, &PartialOptions::default(), &now()) {
            Ok(add) => add.task().args,
            Err(error) => format!("{}: {}", error.at, error.why),
        }
    }

    #[test]
    fn every_notation_is_read() {
        for (text, args) in [
            ("2 3", "[2,3]"),
            ("2 + 3", "[2,3]"),
            ("2+3", "[2,3]"),
            ("  2   3  ", "[2,3]"),
            ("-1 2.5", "[-1,2.5]"),
            ("2 + -3", "[2,-3]"),
            ("2 -3", "[2,-3]"),
            ("2-3", "[2,-3]"),
            ("2, 3", "[2,3]"),
            ("1e+2 1", "[100.0,1]"),
            ("2 3 1.5", "[2,3,1.5]"),
            ("2 + 3, 4s", "[2,3,4.0]"),
            ("2 3 key:acme serial", "[2,3]"),
            ("2 3 fails:2", "[2,3,null,2]"),
            ("2 3 1.5 fails:2 priority:9", "[2,3,1.5,2]"),
            (
                "123456789012345678901234567890 1",
                "[123456789012345678901234567890,1]",
            ),
        ] {
            assert_eq!(read(text), args, "{text}");
        }
    }

    #[test]
    fn a_mistake_is_reported_with_its_place_and_reason() {
        for (text, at, why) in [
            ("", 0, "the first number is missing"),
            ("2", 1, "the second number is missing"),
            ("2 +", 3, "the second number is missing"),
            ("two 3", 0, "`two` is not a number"),
            ("2 + drei", 4, "`drei` is not a number"),
            ("2 - 3", 2, "only additions"),
            ("2 3 x", 4, "not a number of seconds"),
            ("2 3 -1", 4, "seconds must be from 0"),
            ("2 3 4 5", 6, "`5` is not an option"),
            ("2 3 ky:acme", 4, "did you mean `key`"),
            ("2 3 1.5 priority:12", 8, "0 to 9"),
            ("1e999 2", 0, "too large for a float"),
            ("inf 1", 0, "`inf` is not a number"),
        ] {
            let error = parse(text, &PartialOptions::default(), &now()).expect_err(text);
            assert_eq!(error.at, at, "{text}: {error:?}");
            assert!(error.why.contains(why), "{text}: {error:?}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(text in "[0-9 +,.\\-eEs_]{0,12}|.{0,20}") {
            if let Err(error) = parse(&text, &PartialOptions::default(), &now()) {
                prop_assert!(error.at <= text.chars().count());
            }
        }
    }
}

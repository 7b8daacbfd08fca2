//! Values of arguments: words for enums, text that is not blank, and numbers within limits.

use std::{ops::RangeInclusive, time::Duration};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::{cause::Cause, queue::add::MAX_SECONDS, units};

/// Accepts text that is not blank. An empty argument is most often a shell variable without a value, and must never
/// select everything.
pub(super) fn non_blank(text: &str) -> Result<String, &'static str> {
    match text.trim().is_empty() {
        true => Err("it is empty; if it comes from a shell variable, the variable is not set"),
        false => Ok(text.to_owned()),
    }
}

/// Accepts a number within the limits.
pub(super) fn number(
    limits: RangeInclusive<usize>,
) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| limits.contains(number));
        number.ok_or_else(|| match limits.end() {
            &usize::MAX => format!("it is not a number from {} on", limits.start()),
            end => format!("it is not a number from {} to {end}", limits.start()),
        })
    }
}

/// Accepts seconds of simulated work.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok();
    let valid = seconds.filter(|seconds| (0.0..=MAX_SECONDS).contains(seconds));
    valid.ok_or_else(|| format!("it is not a number of seconds from 0 to {MAX_SECONDS}"))
}

/// Accepts a factor of a speed.
pub(super) fn factor(text: &str) -> Result<f64, &'static str> {
    let factor: Option<f64> = text.parse().ok();
    let valid = factor.filter(|factor| factor.is_finite() && *factor > 0.0);
    valid.ok_or("it is not a number above 0, such as 0.5 or 10")
}

/// Accepts a duration that is longer than zero.
pub(super) fn duration(text: &str) -> Result<Duration, Cause> {
    match units::duration(text)? {
        Duration::ZERO => Err(Cause::from_message("it must be longer than zero")),
        time => Ok(time),
    }
}

/// Accepts the word of each value of `all`, and lists the words in `--help`.
pub(super) fn word_of<T: Copy + Send + Sync + 'static, const N: usize>(
    all: [T; N],
    word: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(all.map(word)).try_map(move |text| {
        let mut values = all.into_iter();
        values
            .find(|value| word(*value) == text)
            .ok_or("not one of the possible values")
    })
}

//! Values of arguments: words for enums, text that is not blank, and numbers within limits.

use std::ops::RangeInclusive;

use clap::builder::{PossibleValuesParser, TypedValueParser};

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

//! Words for enums.

use clap::builder::{PossibleValuesParser, TypedValueParser};

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

//! The word that was probably meant.

/// The closest of `words` to `typed`; empty when there are none.
pub(crate) fn nearest<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> &'a str {
    let close = |word: &&str| (strsim::jaro_winkler(typed, word) * 1e6) as u64;
    words.into_iter().max_by_key(close).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        let words = ["theme", "workers", "listen"];
        assert_eq!(nearest("thme", words), "theme");
        assert_eq!(nearest("worker", words), "workers");
        assert_eq!(nearest("x", []), "");
    }
}

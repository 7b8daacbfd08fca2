//! Suggestions for mistyped words.

/// Returns the word that is most similar to `typed`; empty without words.
pub(crate) fn suggest<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> &'a str {
    let similarity = |word: &&str| (strsim::jaro_winkler(typed, word) * 1e6) as u64;
    words.into_iter().max_by_key(similarity).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_corrected() {
        let words = ["theme", "workers", "listen"];
        assert_eq!(suggest("thme", words), "theme");
        assert_eq!(suggest("worker", words), "workers");
        assert_eq!(suggest("x", []), "");
    }
}

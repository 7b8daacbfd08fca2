//! Suggestions for mistyped words.

/// A suggestion has at most one wrong, missing, additional or swapped letter in this many.
const LETTERS_PER_MISTAKE: usize = 3;

/// Returns the end of a message, `; did you mean `theme`?`, with the word that is most similar to `typed`;
/// nothing if none is similar.
pub(crate) fn did_you_mean<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> String {
    match most_similar(typed, words) {
        Some(word) => format!("; did you mean `{word}`?"),
        None => String::new(),
    }
}

/// Returns the word that is most similar to `typed`, if one is similar at all. Case is ignored.
fn most_similar<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let letters = typed.chars().count();
    let most = (letters / LETTERS_PER_MISTAKE).max(1);
    let mistakes = words.into_iter().map(|word| {
        let mistakes = strsim::damerau_levenshtein(&typed, &word.to_lowercase());
        (mistakes, word)
    });
    mistakes
        .filter(|(mistakes, _)| *mistakes <= most && *mistakes < letters)
        .min_by_key(|(mistakes, _)| *mistakes)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_corrected() {
        let words = ["theme", "workers", "listen"];
        assert_eq!(most_similar("thme", words), Some("theme"));
        assert_eq!(most_similar("worker", words), Some("workers"));
        assert_eq!(most_similar("ky", ["key", "at"]), Some("key"));
        assert_eq!(most_similar("Workers", words), Some("workers"));
        assert_eq!(did_you_mean("thme", words), "; did you mean `theme`?");
    }

    #[test]
    fn nothing_is_suggested_for_a_word_that_resembles_none() {
        assert_eq!(most_similar("x", []), None);
        assert_eq!(most_similar("x", ["q"]), None);
        assert_eq!(most_similar("exit", ["export", "quit", "edge"]), None);
        assert_eq!(most_similar("zzzz", ["theme", "workers"]), None);
        assert_eq!(most_similar("foo", ["state", "name", "queue", "key"]), None);
        assert_eq!(did_you_mean("foo", ["state", "name"]), "");
    }
}

//! Errors of JSON that a person typed.

use serde_json::error::Category;

/// Describes an error of JSON on one line, to be continued by nothing: `it ends too early`.
pub(crate) fn describe(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Eof => "it ends too early; a bracket or a quote is not closed".to_owned(),
        _ => format!(
            "character {} is not expected there; texts are in double quotes, as in [\"a\", 2]",
            error.column()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_described_with_its_place() {
        let described = |text: &str| {
            let parsed = serde_json::from_str::<serde_json::Value>(text);
            describe(&parsed.expect_err(text))
        };
        for early in ["[1, 2", "\"two", "{\"a\":"] {
            assert!(described(early).starts_with("it ends too early"), "{early}");
        }
        assert!(described("[Ali]").starts_with("character 2 is not expected"));
    }
}

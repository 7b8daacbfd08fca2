//! Text that misleads a reader: characters that cannot be seen, and letters of several scripts that look
//! alike.

use unicode_security::{
    GeneralSecurityProfile, RestrictionLevel, RestrictionLevelDetection,
    general_security_profile::IdentifierType,
};

/// Returns the first character that a reader cannot see, or cannot tell from a space.
pub(crate) fn find_invisible(text: &str) -> Option<char> {
    text.chars().find(|c| !c.is_ascii() && is_invisible(*c))
}

fn is_invisible(c: char) -> bool {
    let ignorable = matches!(
        c.identifier_type(),
        Some(
            IdentifierType::Default_Ignorable
                | IdentifierType::Deprecated
                | IdentifierType::Not_Character
        )
    );
    // A blank pattern of Braille, and annotations.
    ignorable || c.is_whitespace() || matches!(c, '\u{2800}' | '\u{fff9}'..='\u{fffb}')
}

/// Reports whether the letters of a text are of scripts that are not written together, so that one may
/// stand in for another: `server` with a Cyrillic `е`. Latin beside Chinese, Japanese or Korean is usual.
pub(crate) fn has_mixed_scripts(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let letters: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    !letters.check_restriction_level(RestrictionLevel::HighlyRestrictive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_cannot_be_seen_are_found() {
        for hidden in [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{200f}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{206f}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{a0}',
            '\u{2003}',
            '\u{2028}',
            '\u{3000}',
            '\u{2800}',
            '\u{fffa}',
            '\u{85}',
        ] {
            let text = format!("ser{hidden}ver");
            assert_eq!(find_invisible(&text), Some(hidden), "{hidden:?}");
        }
        for text in [
            "server",
            "a b",
            "müller",
            "сервер",
            "サーバー",
            "خادم",
            "👩",
        ] {
            assert_eq!(find_invisible(text), None, "{text}");
        }
    }

    #[test]
    fn letters_that_stand_in_for_those_of_another_script_are_found() {
        for text in [
            "s\u{435}rver",
            "\u{455}erver",
            "serv\u{3b5}r",
            "\u{ff53}erver",
            "a.ж/9",
        ] {
            assert!(has_mixed_scripts(text), "{text}");
        }
        for text in [
            "server",
            "server.k7-x/1",
            "müller",
            "сервер 1",
            "サーバー東京",
            "server-東京",
            "한국-a",
            "👩 server",
            "",
        ] {
            assert!(!has_mixed_scripts(text), "{text}");
        }
    }
}

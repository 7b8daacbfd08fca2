//! The display of a terminal: its colours, its symbols and the themes for it.

/// The colours that a terminal supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum ColorDepth {
    /// No colours: bold, underline and reverse only.
    None,
    /// The 16 colours of the terminal's palette.
    #[value(name = "16")]
    Ansi16,
    /// The 256 colours of xterm.
    #[value(name = "256")]
    Ansi256,
    /// 24-bit colours.
    True,
}

impl ColorDepth {
    /// Detects the colours from the environment.
    ///
    /// `NO_COLOR` (<https://no-color.org>) takes precedence if it is set and not empty.
    #[must_use]
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        let term = variable("TERM").unwrap_or_default();
        let full = variable("COLORTERM").is_some_and(|v| v == "truecolor" || v == "24bit");
        if variable("NO_COLOR").is_some_and(|v| !v.is_empty()) || term == "dumb" {
            Self::None
        } else if full || term.ends_with("-direct") {
            Self::True
        } else if term.contains("256color") {
            Self::Ansi256
        } else {
            Self::Ansi16
        }
    }
}

/// The names of the built-in themes.
pub const THEMES: [&str; 4] = ["dark", "light", "high-contrast", "colour-blind"];

/// A set of symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SymbolSet {
    /// Boxes, blocks and arrows.
    Unicode,
    /// Plain ASCII.
    Ascii,
}

impl SymbolSet {
    /// Detects from the locale whether the terminal supports UTF-8.
    #[must_use]
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(|name| variable(name).filter(|value| !value.is_empty()))
            .unwrap_or_default()
            .to_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") {
            Self::Unicode
        } else {
            Self::Ascii
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_detected_from_the_environment() {
        let depth = |variables: &[(&str, &str)]| {
            ColorDepth::detect(|name| {
                variables
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(depth(&[("TERM", "xterm-256color")]), ColorDepth::Ansi256);
        assert_eq!(
            depth(&[("TERM", "xterm"), ("COLORTERM", "truecolor")]),
            ColorDepth::True
        );
        assert_eq!(depth(&[("TERM", "linux")]), ColorDepth::Ansi16);
        assert_eq!(depth(&[("TERM", "dumb")]), ColorDepth::None);
        let off = [
            ("TERM", "xterm-256color"),
            ("COLORTERM", "truecolor"),
            ("NO_COLOR", "1"),
        ];
        assert_eq!(depth(&off), ColorDepth::None);
        assert_eq!(
            depth(&[("TERM", "xterm-256color"), ("NO_COLOR", "")]),
            ColorDepth::Ansi256
        );
    }
}

//! Themes: a style for each role, adapted to the terminal.
//!
//! Drawing code asks for a role and gets a style that this terminal supports. With colour off a style has
//! no colour at all: crossterm would write a reset in its place, and the selected row would lose its
//! highlight.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

mod color;
mod symbols;

use color::ColorDef;
pub(crate) use symbols::Symbols;

use crate::{
    config::{ColorDepth, SymbolSet, THEMES},
    queue::state::State,
    suggest::did_you_mean,
};

/// The role of a text or an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StyleRole {
    /// Ordinary text, and the background of everything.
    Text,
    /// Emphasized text.
    Strong,
    /// Secondary text.
    Dim,
    Border,
    /// The border and title of the focused pane.
    Focus,
    Header,
    /// The selected row of the focused pane.
    Selected,
    /// The selected row of another pane.
    SelectedInactive,
    Good,
    Warn,
    Bad,
    /// Something in progress.
    Active,
    /// Something waiting.
    Waiting,
    /// The brand, the prompt and other small accents.
    Accent,
    /// A key in the footer and in the help.
    Key,
    /// Bars, sparklines and histograms.
    Chart,
    /// Every second task of a timeline, to tell neighbours apart.
    TimelineOdd,
    TimelineEven,
    /// The background of overlays.
    Popup,
}

impl StyleRole {
    const ALL: [Self; 19] = [
        Self::Text,
        Self::Strong,
        Self::Dim,
        Self::Border,
        Self::Focus,
        Self::Header,
        Self::Selected,
        Self::SelectedInactive,
        Self::Good,
        Self::Warn,
        Self::Bad,
        Self::Active,
        Self::Waiting,
        Self::Accent,
        Self::Key,
        Self::Chart,
        Self::TimelineOdd,
        Self::TimelineEven,
        Self::Popup,
    ];
}

impl From<State> for StyleRole {
    fn from(state: State) -> Self {
        match state {
            State::Running => Self::Active,
            State::Retrying | State::Received | State::Scheduled | State::Queued => Self::Waiting,
            State::Failed | State::Rejected | State::Expired => Self::Bad,
            State::Cancelled => Self::Warn,
            State::Succeeded => Self::Good,
            State::Unknown => Self::Dim,
        }
    }
}

const FILES: [&str; 4] = [
    include_str!("../../assets/themes/dark.toml"),
    include_str!("../../assets/themes/light.toml"),
    include_str!("../../assets/themes/high-contrast.toml"),
    include_str!("../../assets/themes/colour-blind.toml"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    palette: BTreeMap<String, ColorDef>,
    roles: BTreeMap<StyleRole, StyleDef>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StyleDef {
    fg: Option<String>,
    bg: Option<String>,
    bold: bool,
    underline: bool,
    reverse: bool,
}

/// A theme, adapted to one terminal.
#[derive(Debug, Clone)]
pub(crate) struct Theme {
    styles: [Style; StyleRole::ALL.len()],
    pub(crate) symbols: Symbols,
    depth: ColorDepth,
    set: SymbolSet,
}

impl Theme {
    /// Loads one of [`THEMES`] for this terminal.
    ///
    /// # Errors
    /// Names the unknown theme, or the invalid entry of its file.
    pub(crate) fn load(name: &str, depth: ColorDepth, set: SymbolSet) -> Result<Self, String> {
        let known = THEMES.iter().zip(FILES).find(|(known, _)| **known == name);
        let Some((name, text)) = known else {
            let near = did_you_mean(name, THEMES);
            return Err(format!("there is no theme `{name}`{near}"));
        };
        let file: File = toml::from_str(text).map_err(|e| format!("theme {name}: {e}"))?;
        let mut styles = [Style::new(); StyleRole::ALL.len()];
        for role in StyleRole::ALL {
            let def = file
                .roles
                .get(&role)
                .ok_or_else(|| format!("theme {name} has no role {role:?}"))?;
            if let Some(style) = styles.get_mut(role as usize) {
                *style = def
                    .style(&file.palette, depth)
                    .map_err(|e| format!("theme {name}, {role:?}: {e}"))?;
            }
        }
        Ok(Self {
            styles,
            symbols: Symbols::new(set),
            depth,
            set,
        })
    }

    /// Loads another theme for the same terminal.
    pub(crate) fn switch(&self, name: &str) -> Result<Self, String> {
        Self::load(name, self.depth, self.set)
    }

    pub(crate) fn style(&self, role: StyleRole) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }

    /// Returns the style of a role without its background.
    pub(crate) fn fg(&self, role: StyleRole) -> Style {
        Style {
            bg: None,
            ..self.style(role)
        }
    }
}

impl StyleDef {
    fn style(
        &self,
        palette: &BTreeMap<String, ColorDef>,
        depth: ColorDepth,
    ) -> Result<Style, String> {
        let colour = |name: &Option<String>| -> Result<Option<Color>, String> {
            let Some(name) = name else { return Ok(None) };
            let def = palette
                .get(name)
                .ok_or_else(|| format!("there is no colour `{name}` in the palette"))?;
            Ok(def.colour(depth))
        };
        let mut style = Style {
            fg: colour(&self.fg)?,
            bg: colour(&self.bg)?,
            ..Style::new()
        };
        for (on, modifier) in [
            (self.bold, Modifier::BOLD),
            (self.underline, Modifier::UNDERLINED),
            // Where its background colour is not available, the selection is reversed.
            (
                self.reverse || (self.bg_needs_reverse() && depth <= ColorDepth::Ansi16),
                Modifier::REVERSED,
            ),
        ] {
            if on {
                style = style.add_modifier(modifier);
            }
        }
        if style.add_modifier.contains(Modifier::REVERSED) {
            style.bg = None;
            if depth <= ColorDepth::Ansi16 {
                style.fg = None;
            }
        }
        Ok(style)
    }

    /// Reports whether only the background distinguishes this style.
    fn bg_needs_reverse(&self) -> bool {
        self.bg.as_deref() == Some("selection")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_has_every_role_at_every_depth() {
        for name in THEMES {
            for depth in [
                ColorDepth::None,
                ColorDepth::Ansi16,
                ColorDepth::Ansi256,
                ColorDepth::True,
            ] {
                Theme::load(name, depth, SymbolSet::Unicode).expect("loads");
            }
        }
        let said = Theme::load("drak", ColorDepth::True, SymbolSet::Ascii).expect_err("unknown");
        assert!(said.contains("did you mean `dark`"), "{said}");
    }

    #[test]
    fn without_colour_no_style_has_one_and_the_selection_is_visible() {
        for name in THEMES {
            let theme = Theme::load(name, ColorDepth::None, SymbolSet::Unicode).expect("loads");
            for role in StyleRole::ALL {
                let style = theme.style(role);
                assert_eq!((style.fg, style.bg), (None, None), "{name} {role:?}");
            }
            for depth in [ColorDepth::None, ColorDepth::Ansi16] {
                let selected = Theme::load(name, depth, SymbolSet::Unicode)
                    .expect("loads")
                    .style(StyleRole::Selected);
                assert!(selected.add_modifier.contains(Modifier::REVERSED), "{name}");
            }
        }
    }
}

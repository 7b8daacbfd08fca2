//! Documents that come from the table of settings.

use super::{SettingSpec, TABLE};

const HEAD: &str = "\
# distro-tui: every setting with its default. Put your own into
# $XDG_CONFIG_HOME/distro-tui/config.toml (usually ~/.config/distro-tui/config.toml).
# The environment (DISTRO_TUI_THEME, DISTRO_TUI_WORKERS and so on) and the command line override it.
#
# A duration is a number with ms, s, m, h or d; a size is a number with B, KiB, MiB or GiB.
";

const KEYS: &str = "
# Keys that replace the defaults, by the name of the action in the palette. A key is a character (`a`,
# `G`, `?`), `ctrl-x`, `alt-x`, or one of enter, esc, tab, shift-tab, space, up, down, left, right,
# home, end, pgup, pgdn, backspace, delete.
[keys]
# add = \"i\"
# down = [\"down\", \"j\", \"ctrl-n\"]
";

/// Returns the default configuration file, with every setting explained.
#[must_use]
pub fn default_file() -> String {
    let entries: String = TABLE.iter().map(entry).collect();
    format!("{HEAD}{entries}{KEYS}")
}

fn entry(spec: &SettingSpec) -> String {
    let comment: String = spec.doc.lines().map(|line| format!("#{line}\n")).collect();
    let SettingSpec { name, default, .. } = spec;
    let bare = default.parse::<bool>().is_ok() || default.parse::<i64>().is_ok();
    let quote = if bare { "" } else { "\"" };
    format!("\n{comment}{name} = {quote}{default}{quote}\n")
}

/// Returns the table of settings for the guide, as Markdown.
#[cfg(test)]
pub(super) fn markdown() -> String {
    let row = |spec: &SettingSpec| {
        let group = format!("{:?}", spec.group).to_lowercase();
        format!(
            "| `{}` | `{}` | `{}` | {group} | {} |\n",
            spec.name,
            spec.default,
            spec.example,
            spec.documentation(),
        )
    };
    let rows: String = TABLE.iter().map(row).collect();
    format!("| setting | default | example | group | meaning |\n|---|---|---|---|---|\n{rows}")
}

//! The places in which a key can act.

use super::pane::Pane;

/// A place in which a key acts: a pane, an overlay, or a group of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// Every pane and overlay, also while text is being typed.
    Always,
    /// Every pane.
    Panes,
    /// The panes with rows.
    Lists,
    Pane(Pane),
    /// Every overlay.
    Overlays,
    /// The overlays with text that scrolls.
    Scroll,
    /// The details of anything.
    Details,
    TaskDetails,
    NameDetails,
    Latency,
    DeadLetters,
    Members,
    Palette,
    Prompt,
    Confirm,
    /// A recording that is being shown.
    Replay,
}

pub(crate) const NAMES: Scope = Scope::Pane(Pane::Names);
pub(crate) const GREETER: Scope = Scope::Pane(Pane::Greeter);
pub(crate) const TASKS: Scope = Scope::Pane(Pane::Tasks);
pub(crate) const WORKERS: Scope = Scope::Pane(Pane::Workers);
pub(crate) const EVENTS: Scope = Scope::Pane(Pane::Events);

/// The scopes that are active together, the innermost first.
pub(crate) type Scopes = &'static [Scope];

/// Every combination of scopes that can be active. A key has one meaning in each.
pub(crate) const ALL: [Scopes; 16] = [
    pane(Pane::Names),
    pane(Pane::Greeter),
    pane(Pane::Tasks),
    pane(Pane::Workers),
    pane(Pane::Events),
    SCROLL,
    DETAILS,
    TASK_DETAILS,
    NAME_DETAILS,
    LATENCY,
    DEAD_LETTERS,
    MEMBERS,
    PALETTE,
    PROMPT,
    CONFIRM,
    REPLAY,
];
pub(crate) const SCROLL: Scopes = &[Scope::Scroll, Scope::Overlays, Scope::Always];
pub(crate) const DETAILS: Scopes = &[
    Scope::Details,
    Scope::Scroll,
    Scope::Overlays,
    Scope::Always,
];
pub(crate) const TASK_DETAILS: Scopes = &[
    Scope::TaskDetails,
    Scope::Details,
    Scope::Scroll,
    Scope::Overlays,
    Scope::Always,
];
pub(crate) const NAME_DETAILS: Scopes = &[
    Scope::NameDetails,
    Scope::Details,
    Scope::Scroll,
    Scope::Overlays,
    Scope::Always,
];
pub(crate) const LATENCY: Scopes = &[
    Scope::Latency,
    Scope::Scroll,
    Scope::Overlays,
    Scope::Always,
];
pub(crate) const DEAD_LETTERS: Scopes = &[Scope::DeadLetters, Scope::Overlays, Scope::Always];
pub(crate) const MEMBERS: Scopes = &[Scope::Members, Scope::Overlays, Scope::Always];
pub(crate) const PALETTE: Scopes = &[Scope::Palette, Scope::Overlays, Scope::Always];
pub(crate) const PROMPT: Scopes = &[Scope::Prompt, Scope::Overlays, Scope::Always];
pub(crate) const CONFIRM: Scopes = &[Scope::Confirm, Scope::Overlays, Scope::Always];
/// The scopes of overlays, as help lists them.
pub(crate) const OVERLAYS: [Scope; 11] = [
    Scope::Overlays,
    Scope::Scroll,
    Scope::Details,
    Scope::TaskDetails,
    Scope::NameDetails,
    Scope::Latency,
    Scope::DeadLetters,
    Scope::Members,
    Scope::Palette,
    Scope::Prompt,
    Scope::Confirm,
];
/// The keys of a recording that is being shown; the keys that were recorded do not pass here.
pub(crate) const REPLAY: Scopes = &[Scope::Replay, Scope::Always];

/// The scopes of a pane.
pub(crate) const fn pane(pane: Pane) -> Scopes {
    match pane {
        Pane::Names => &[NAMES, Scope::Lists, Scope::Panes, Scope::Always],
        Pane::Greeter => &[GREETER, Scope::Panes, Scope::Always],
        Pane::Tasks => &[TASKS, Scope::Lists, Scope::Panes, Scope::Always],
        Pane::Workers => &[WORKERS, Scope::Lists, Scope::Panes, Scope::Always],
        Pane::Events => &[EVENTS, Scope::Lists, Scope::Panes, Scope::Always],
    }
}

impl Scope {
    /// The title in help and documentation.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Always => "everywhere, also while typing",
            Self::Panes => "everywhere",
            Self::Lists => "Names, Tasks, Workers, Events",
            Self::Pane(pane) => pane.title(),
            Self::Overlays => "every overlay",
            Self::Scroll => "help, details, latency",
            Self::Details => "details",
            Self::TaskDetails => "task details",
            Self::NameDetails => "name details",
            Self::Latency => "latency",
            Self::DeadLetters => "dead letters",
            Self::Members => "members",
            Self::Palette => "palette",
            Self::Prompt => "prompt",
            Self::Confirm => "confirmation",
            Self::Replay => "replay",
        }
    }

    /// Returns true if the scope is a pane or a group of panes.
    pub(crate) const fn is_pane(self) -> bool {
        matches!(self, Self::Panes | Self::Lists | Self::Pane(_))
    }
}

/// Returns true if characters are text in these scopes, so that only other keys can act.
pub(crate) const fn takes_text(scopes: Scopes) -> bool {
    matches!(
        scopes,
        [
            Scope::Pane(Pane::Greeter) | Scope::Palette | Scope::Prompt,
            ..
        ]
    )
}

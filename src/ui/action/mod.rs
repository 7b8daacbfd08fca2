//! Everything a person can do, in one table: it feeds the keymap, the footer, the help, the palette,
//! the mouse and the documentation, so that they can never disagree.

mod table;

pub(crate) use self::table::TABLE;
use super::pane::Pane;

/// Something a person can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Focus(Pane),
    NextPane,
    PreviousPane,
    Zoom,
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    Greet,
    HistoryBack,
    HistoryForward,
    LeaveGreeter,
    Add,
    Load,
    Open,
    Run,
    Mark,
    Cancel,
    Retry,
    Undo,
    CancelAll,
    RetryAll,
    Pause,
    Resume,
    Methods,
    Show,
    Sort,
    Purge,
    DeadLetters,
    Latency,
    Doctor,
    Peers,
    Ticket,
    Rotate,
    Join,
    Leave,
    Revoke,
    ScaleUp,
    ScaleDown,
    CallMethod,
    Help,
    Palette,
    Filter,
    Copy,
    Export,
    Freeze,
    Mouse,
    Theme,
    Scale,
    Quit,
    Suspend,
}

/// Where an action can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// In every pane; in the greeter only with keys that type nothing.
    Everywhere,
    /// In these panes.
    In(&'static [Pane]),
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct ActionSpec {
    pub(crate) action: Action,
    /// Its name, for the palette and for the `[keys]` table of the configuration.
    pub(crate) name: &'static str,
    /// Its keys unless the configuration says otherwise.
    pub(crate) keys: &'static [&'static str],
    /// What it does.
    pub(crate) text: &'static str,
    /// The same in a word or two, for the footer; empty keeps it out of there.
    pub(crate) hint: &'static str,
    pub(crate) at: Scope,
    /// What it takes away cannot be brought back.
    pub(crate) destructive: bool,
    /// It changes something at the node; on a read-only screen it is off.
    pub(crate) changes: bool,
    /// What the palette takes after its name.
    pub(crate) argument: &'static str,
}

impl Action {
    /// Its line in the table.
    pub(crate) fn entry(self) -> &'static ActionSpec {
        TABLE
            .iter()
            .find(|entry| entry.action == self)
            .unwrap_or(&TABLE[0])
    }
}

impl Scope {
    /// Whether an action with this place can be asked for in a pane.
    pub(crate) fn has(self, pane: Pane) -> bool {
        match self {
            Self::Everywhere => true,
            Self::In(panes) => panes.contains(&pane),
        }
    }
}

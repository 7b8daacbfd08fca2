//! The five panes, in the order of their numbers.

use serde::{Deserialize, Serialize};

/// A pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Pane {
    Names,
    Greeter,
    Tasks,
    Workers,
    Events,
}

impl Pane {
    pub(crate) const ALL: [Self; 5] = [
        Self::Names,
        Self::Greeter,
        Self::Tasks,
        Self::Workers,
        Self::Events,
    ];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Names => "Names",
            Self::Greeter => "Greeter",
            Self::Tasks => "Tasks",
            Self::Workers => "Workers",
            Self::Events => "Events",
        }
    }

    pub(crate) const fn number(self) -> usize {
        self as usize + 1
    }

    fn step(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }

    pub(crate) fn next(self) -> Self {
        self.step(1)
    }

    pub(crate) fn previous(self) -> Self {
        self.step(Self::ALL.len() - 1)
    }
}

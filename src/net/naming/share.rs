//! The rule by which the owner of a name shares it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::net::trust::principal::Principal;

/// The rule for others that register under a name. Its owner is the first one that registered it, or the
/// node for the names of its own services.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShareRule {
    /// Nobody.
    #[default]
    Owner,
    /// Every key that may register names.
    Members,
    /// Also gateways, which register for programs without a key.
    Anyone,
}

impl ShareRule {
    /// Every rule, the strictest first.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Members, Self::Anyone];

    /// Returns the rule's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Members => "members",
            Self::Anyone => "anyone",
        }
    }

    /// Reports whether another principal may register under the name.
    pub(super) const fn permits(self, principal: Principal) -> bool {
        match self {
            Self::Owner => false,
            Self::Members => matches!(principal, Principal::Key(_)),
            Self::Anyone => true,
        }
    }
}

impl fmt::Display for ShareRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

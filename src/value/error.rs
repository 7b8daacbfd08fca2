//! Conversion errors.

use std::fmt;

/// A failed conversion between a Rust type, a [`super::Value`] and its encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(pub(super) String);

impl ValueError {
    /// Nesting beyond [`super::MAX_DEPTH`].
    pub(super) fn too_deep() -> Self {
        Self(format!("collections nest deeper than {}", super::MAX_DEPTH))
    }
}

impl serde::ser::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl serde::de::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

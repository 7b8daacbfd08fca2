//! The error behind another one, in errors that are compared, cloned and sent.

use std::{error::Error, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The error behind another one. Only its text travels; the error itself is kept where it happened.
#[derive(Debug, Clone)]
pub struct Cause {
    message: String,
    error: Option<Arc<dyn Error + Send + Sync>>,
}

impl Cause {
    /// Creates a cause that is no error of a lower layer.
    pub fn from_message(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            error: None,
        }
    }

    /// Creates a cause from an error.
    pub fn from_error(error: impl Error + Send + Sync + 'static) -> Self {
        Self::described(error.to_string(), error)
    }

    /// Creates a cause from an error, with its context before the message.
    pub fn in_context(
        context: impl fmt::Display,
        error: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self::described(format!("{context}: {error}"), error)
    }

    /// Creates a cause from an error, with a message that replaces the error's own.
    pub fn described(
        message: impl Into<String>,
        error: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self {
            message: message.into(),
            error: Some(Arc::new(error)),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.as_deref().map(|error| error as _)
    }
}

/// Compares the texts.
impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.message == other.message
    }
}

impl Eq for Cause {}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.message)
    }
}

impl<'de> Deserialize<'de> for Cause {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(Self::from_message)
    }
}

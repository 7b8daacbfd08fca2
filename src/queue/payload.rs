//! The arguments of a task as its broker shows them.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::limits::prefix;

/// The arguments of a task: by position, by name, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// The arguments as JSON, with which the task can be submitted again.
    Json {
        /// The arguments by position, a JSON array.
        args: Option<Arc<str>>,
        /// The arguments by name, a JSON object.
        kwargs: Option<Arc<str>>,
    },
    /// A text that represents the arguments and may be truncated: the task cannot be submitted again
    /// with it.
    Repr {
        /// The arguments by position.
        args: Arc<str>,
        /// The arguments by name.
        kwargs: Arc<str>,
    },
}

impl Payload {
    /// Returns the payload of one JSON text: an array by position or an object by name.
    #[must_use]
    pub fn from_json(text: Arc<str>) -> Self {
        let (args, kwargs) = if text.trim_start().starts_with('{') {
            (None, Some(text))
        } else {
            (Some(text), None)
        };
        Self::Json { args, kwargs }
    }

    /// Returns true if the task can be submitted again with these arguments.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Json { .. })
    }

    /// The texts of the arguments by position and by name, where there are any.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let (args, kwargs) = match self {
            Self::Json { args, kwargs } => (args.as_deref(), kwargs.as_deref()),
            Self::Repr { args, kwargs } => (Some(&**args), Some(&**kwargs)),
        };
        args.into_iter().chain(kwargs)
    }

    /// Makes a payload of more than a number of bytes a truncated representation.
    pub(super) fn truncate(&mut self, bytes: usize) {
        if self.size() <= bytes {
            return;
        }
        let (args, kwargs) = match self {
            Self::Json { args, kwargs } => (args.clone(), kwargs.clone()),
            Self::Repr { args, kwargs } => (Some(Arc::clone(args)), Some(Arc::clone(kwargs))),
        };
        let args: Arc<str> = prefix(args.as_deref().unwrap_or_default(), bytes).into();
        let room = bytes - args.len();
        let kwargs = prefix(kwargs.as_deref().unwrap_or_default(), room).into();
        *self = Self::Repr { args, kwargs };
    }

    /// The length of the texts in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.texts().map(str::len).sum()
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, text) in self.texts().enumerate() {
            f.write_str(if i > 0 { " " } else { "" })?;
            f.write_str(text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_json_text_is_by_position_or_by_name() {
        let by_position = Payload::from_json("[2,3]".into());
        let by_name = Payload::from_json(r#" {"a":2}"#.into());
        let json = |args: Option<&str>, kwargs: Option<&str>| Payload::Json {
            args: args.map(Into::into),
            kwargs: kwargs.map(Into::into),
        };
        assert_eq!(by_position, json(Some("[2,3]"), None));
        assert_eq!(by_name, json(None, Some(r#" {"a":2}"#)));
        assert!(by_position.is_complete());
    }

    #[test]
    fn a_representation_is_shown_but_not_complete() {
        let payload = Payload::Repr {
            args: "(2, 3)".into(),
            kwargs: "{'a': …".into(),
        };
        assert!(!payload.is_complete());
        assert_eq!(payload.to_string(), "(2, 3) {'a': …");
    }
}

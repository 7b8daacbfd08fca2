//! Identifiers of tasks, workers and submits.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::limits::MAX_ID;

/// The identifier of a task at its broker. Displayed as `#41` or as the external text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskId {
    /// A sequence number, for engines that number their tasks.
    Sequence(u64),
    /// A text that another system has chosen, for example a UUID; at most [`MAX_ID`] bytes.
    External(Arc<str>),
}

/// The reason why a text is not a task id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseTaskIdError {
    /// It is empty, or contains a space or a control character.
    #[error("`{0}` is not a task id; write a number such as 41, or a UUID")]
    Invalid(String),
    /// It is a number that exceeds 64 bits.
    #[error("`{0}` is too large for a task id")]
    TooLarge(String),
    /// It is longer than [`MAX_ID`] bytes.
    #[error("a task id of {0} bytes is over the limit of {MAX_ID}")]
    TooLong(usize),
}

impl TaskId {
    /// Returns the sequence number, if the id is one.
    #[must_use]
    pub const fn sequence(&self) -> Option<u64> {
        match self {
            Self::Sequence(number) => Some(*number),
            Self::External(_) => None,
        }
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence(number) => write!(f, "#{number}"),
            Self::External(text) => f.write_str(text),
        }
    }
}

impl FromStr for TaskId {
    type Err = ParseTaskIdError;

    /// Parses `#41`, `41`, or an external id such as a UUID.
    fn from_str(text: &str) -> Result<Self, ParseTaskIdError> {
        let shown = || text.escape_debug().take(80).collect();
        let digits = text.strip_prefix('#').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            let number = digits.parse();
            return number
                .map(Self::Sequence)
                .map_err(|_too_large| ParseTaskIdError::TooLarge(shown()));
        }
        if text.len() > MAX_ID {
            return Err(ParseTaskIdError::TooLong(text.len()));
        }
        if !is_external(text) {
            return Err(ParseTaskIdError::Invalid(shown()));
        }
        Ok(Self::External(text.into()))
    }
}

/// Returns true for a text that is unmistakably an external id: a word with a digit or a dash in it.
fn is_external(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| !c.is_whitespace() && !c.is_control())
        && text.contains(|c: char| c.is_ascii_digit() || c == '-')
}

/// The serialized form in formats that do not describe themselves.
#[derive(Serialize, Deserialize)]
enum TaggedId {
    Sequence(u64),
    External(Arc<str>),
}

/// Serialized as a number or a text, where the format describes itself.
impl Serialize for TaskId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Sequence(number) if s.is_human_readable() => s.serialize_u64(*number),
            Self::External(text) if s.is_human_readable() => s.serialize_str(text),
            Self::Sequence(number) => TaggedId::Sequence(*number).serialize(s),
            Self::External(text) => TaggedId::External(Arc::clone(text)).serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = TaskId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a task id: a number or a text")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<TaskId, E> {
                Ok(TaskId::Sequence(number))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<TaskId, E> {
                let number = u64::try_from(number);
                number.map(TaskId::Sequence).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TaskId, E> {
                if text.len() > MAX_ID {
                    return Err(E::custom(ParseTaskIdError::TooLong(text.len())));
                }
                Ok(TaskId::External(text.into()))
            }
        }
        if d.is_human_readable() {
            return d.deserialize_any(Visitor);
        }
        Ok(match TaggedId::deserialize(d)? {
            TaggedId::Sequence(number) => Self::Sequence(number),
            TaggedId::External(text) => Self::External(text),
        })
    }
}

/// The identifier of a worker at its broker. Displayed as `w1` or as the name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum WorkerId {
    /// A worker of the engine in one process, counted from 1.
    Local(u16),
    /// A worker that is named by its host, for example `celery@host`; at most [`MAX_ID`] bytes.
    Named(Arc<str>),
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(number) => f.pad(&format!("w{number}")),
            Self::Named(name) => f.pad(name),
        }
    }
}

/// The reason why a text is not a worker id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a worker; write w2, or a name such as celery@host")]
pub struct ParseWorkerIdError(String);

impl FromStr for WorkerId {
    type Err = ParseWorkerIdError;

    /// Parses `w2`, `2`, or a name with a host such as `celery@host`.
    fn from_str(text: &str) -> Result<Self, ParseWorkerIdError> {
        if let Ok(number) = text.strip_prefix('w').unwrap_or(text).parse() {
            return Ok(Self::Local(number));
        }
        let valid = text.contains('@')
            && text.len() <= MAX_ID
            && text.chars().all(|c| !c.is_whitespace() && !c.is_control());
        match valid {
            true => Ok(Self::Named(text.into())),
            false => Err(ParseWorkerIdError(text.escape_debug().take(80).collect())),
        }
    }
}

impl TryFrom<String> for WorkerId {
    type Error = ParseWorkerIdError;

    fn try_from(text: String) -> Result<Self, ParseWorkerIdError> {
        text.parse()
    }
}

impl From<WorkerId> for String {
    fn from(id: WorkerId) -> Self {
        id.to_string()
    }
}

/// The number of a worker of an executor, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct WorkerNumber(pub(super) u16);

impl From<WorkerNumber> for WorkerId {
    fn from(number: WorkerNumber) -> Self {
        Self::Local(number.0)
    }
}

/// A client-chosen key of one submit: a submit that is repeated with the same key is accepted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IdempotencyKey(pub u128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_ids_are_numbers_or_external_texts() {
        let uuid = "01234567-89ab-cdef-0123-456789abcdef";
        for (text, shown) in [("41", "#41"), ("#41", "#41"), (uuid, uuid)] {
            let id: TaskId = text.parse().expect("an id");
            assert_eq!(id.to_string(), shown);
            assert_eq!(shown.parse(), Ok(id.clone()));
            let json = serde_json::to_string(&id).expect("serializes");
            assert_eq!(serde_json::from_str::<TaskId>(&json).expect("parses"), id);
        }
        let large = "99999999999999999999999".parse::<TaskId>();
        assert!(matches!(large, Err(ParseTaskIdError::TooLarge(_))));
        for text in ["", "#", "#x", "x y1", "-5", "x", "a\u{1b}[1m"] {
            let invalid = text.parse::<TaskId>();
            assert!(
                matches!(invalid, Err(ParseTaskIdError::Invalid(_))),
                "{text}"
            );
        }
        let long = "a1".repeat(MAX_ID).parse::<TaskId>();
        assert_eq!(long, Err(ParseTaskIdError::TooLong(2 * MAX_ID)));
    }

    #[test]
    fn worker_ids_are_numbers_or_names_with_a_host() {
        assert_eq!("w2".parse(), Ok(WorkerId::Local(2)));
        assert_eq!("2".parse(), Ok(WorkerId::Local(2)));
        let named: WorkerId = "celery@host".parse().expect("a name");
        assert_eq!(named.to_string(), "celery@host");
        assert!("x".parse::<WorkerId>().is_err());
    }
}

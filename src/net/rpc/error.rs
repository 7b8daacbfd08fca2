//! Refusals. [`RemoteError`] is the other side's "no" and travels; [`CallError`] is all that can go wrong
//! with a call and stays with the caller.

use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::value::{Value, ValueError};

/// The longest message a error carries, in bytes; longer ones are cut.
pub const MAX_MESSAGE: usize = 1024;

/// What kind of "no" it is. Append-only: the position is what travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Code {
    /// There is no such name, object or entry.
    NotFound,
    /// The name is taken by somebody else.
    Exists,
    /// The caller may not do this.
    Denied,
    /// The object has no such method.
    UnknownMethod,
    /// Too few, too many or wrong arguments.
    BadArguments,
    /// The other side has no room for this now.
    Overloaded,
    /// The other side failed; nothing the caller did.
    Internal,
    /// The frame could not be read as a call.
    Malformed,
    /// The call ran longer than the caller allowed.
    Expired,
}

/// The other side answered "no": a code for programs, a message for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct RemoteError {
    /// What kind of refusal.
    pub code: Code,
    /// What happened, to what, and what to do next. At most [`MAX_MESSAGE`] bytes.
    pub message: String,
    /// The same for programs, where the code does not say enough: a typed error of the method's.
    pub detail: Option<Box<Value>>,
}

impl RemoteError {
    /// A error with this code and message; a message over [`MAX_MESSAGE`] is cut.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE {
            let end = message.floor_char_boundary(MAX_MESSAGE - '…'.len_utf8());
            message.truncate(end);
            message.push('…');
        }
        Self {
            code,
            message,
            detail: None,
        }
    }

    /// The same with a typed error; one that has no form as a value is left out.
    #[must_use]
    pub fn with_detail<E: Serialize>(mut self, error: &E) -> Self {
        self.detail = Value::from_typed(error).ok().map(Box::new);
        self
    }

    /// The typed error, if there is one and it is of this type.
    #[must_use]
    pub fn detail<E: DeserializeOwned>(&self) -> Option<E> {
        let detail = self.detail.as_deref()?.clone();
        detail.to_typed().ok()
    }

    /// [`Code::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// [`Code::BadArguments`].
    pub fn bad_arguments(message: impl Into<String>) -> Self {
        Self::new(Code::BadArguments, message)
    }
}

impl From<ValueError> for RemoteError {
    /// A method's own answer that cannot be put on the wire: the object's mistake.
    fn from(error: ValueError) -> Self {
        Self::new(
            Code::Internal,
            format!("the answer cannot be sent: {error}"),
        )
    }
}

impl From<std::convert::Infallible> for RemoteError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// Why a call brought no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CallError {
    /// No connection came about: the call was not sent.
    #[error("cannot reach {peer}: {reason}")]
    Connect {
        /// Address and key fingerprint of the other side.
        peer: String,
        /// What the transport said.
        reason: String,
    },
    /// The other side was reached and does not let this process in: it does not know its key, or not any
    /// more.
    #[error("{0} does not know this process's key; join with a ticket of it first")]
    Unauthorized(
        /// Address and key fingerprint of the other side.
        String,
    ),
    /// The connection broke after the call was sent: it may or may not have run.
    #[error("the connection to {peer} was lost before the answer came: {reason}")]
    Lost {
        /// Address and key fingerprint of the other side.
        peer: String,
        /// What the transport said.
        reason: String,
    },
    /// No answer within the deadline: it may or may not have run.
    #[error("no answer within {0:?}")]
    Deadline(Duration),
    /// The other side has no room for one more call or connection: it did not run.
    #[error("{0} is busy; try again in a moment")]
    Busy(String),
    /// What came back is not an answer of this protocol.
    #[error("the other side broke the protocol: {0}")]
    Protocol(String),
    /// The other side answered "no".
    #[error("{0}")]
    Remote(#[from] RemoteError),
    /// This process is shutting its network down.
    #[error("the network of this process is shutting down")]
    Closed,
}

impl CallError {
    /// Whether trying again cannot run the call twice.
    #[must_use]
    pub const fn retriable(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::Unauthorized(_) | Self::Busy(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let error = RemoteError::new(Code::Internal, "é".repeat(MAX_MESSAGE));
        assert!(error.message.len() <= MAX_MESSAGE);
        assert!(error.message.ends_with('…'));
    }

    #[test]
    fn only_what_cannot_have_run_is_retriable() {
        let peer = || "p".to_owned();
        assert!(CallError::Busy(peer()).retriable());
        assert!(!CallError::Deadline(Duration::ZERO).retriable());
        assert!(
            !CallError::Lost {
                peer: peer(),
                reason: String::new()
            }
            .retriable()
        );
    }
}

//! Errors of calls. A [`RemoteError`] is the other side's refusal and travels; a [`CallError`] is any
//! reason why a call has no result and stays with the caller.

use std::{error::Error, fmt, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    cause::Cause,
    net::{quic::quotas::QuotaError, trust::members::AdmissionError},
    value::{Value, ValueError, bind::BindError},
};

/// Limit of an error's message, in bytes; longer ones are truncated.
pub const MAX_MESSAGE: usize = 1024;

/// The kind of a refusal. Append-only, because frames carry the position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Code {
    /// There is no such name, object or entry.
    NotFound,
    /// The name belongs to another owner.
    Exists,
    /// The caller lacks the right.
    Denied,
    /// The object has no such method.
    UnknownMethod,
    /// Too few, too many or wrong arguments.
    BadArguments,
    /// The other side is at a limit.
    Overloaded,
    /// The other side failed; the caller did nothing wrong.
    Internal,
    /// The frame could not be decoded as a call.
    Malformed,
    /// The call ran longer than the caller allowed.
    Expired,
    /// The caller's key is at one of its quotas, which the message names.
    QuotaExceeded,
}

/// A refusal by the other side: a code for programs, a message for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct RemoteError {
    /// The kind of refusal.
    pub code: Code,
    /// The failure, its subject and the remedy; at most [`MAX_MESSAGE`] bytes.
    pub message: String,
    /// A typed error of the method, for programs to which the code does not say enough.
    pub detail: Option<Box<Value>>,
}

impl RemoteError {
    /// Creates an error; a message over [`MAX_MESSAGE`] is truncated.
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

    /// Attaches a typed error; one that cannot be converted into a value is omitted.
    #[must_use]
    pub fn with_detail<E: Serialize>(mut self, error: &E) -> Self {
        self.detail = Value::from_typed(error).ok().map(Box::new);
        self
    }

    /// Returns the typed error, if there is one of this type.
    #[must_use]
    pub fn detail<E: DeserializeOwned>(&self) -> Option<E> {
        let detail = self.detail.as_deref()?.clone();
        detail.to_typed().ok()
    }

    /// Creates an error with [`Code::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// Creates an error with [`Code::BadArguments`].
    pub fn bad_arguments(message: impl Into<String>) -> Self {
        Self::new(Code::BadArguments, message)
    }
}

impl From<ValueError> for RemoteError {
    /// A result that cannot be encoded: the object's mistake.
    fn from(error: ValueError) -> Self {
        Self::new(
            Code::Internal,
            format!("the result cannot be sent: {error}"),
        )
    }
}

impl From<BindError> for RemoteError {
    fn from(error: BindError) -> Self {
        Self::bad_arguments(error.to_string())
    }
}

impl From<AdmissionError> for RemoteError {
    fn from(error: AdmissionError) -> Self {
        let code = match &error {
            AdmissionError::TooManyTickets | AdmissionError::TooManyMembers => Code::Overloaded,
            AdmissionError::TicketQuota(_) | AdmissionError::JoinRate(_) => Code::QuotaExceeded,
            AdmissionError::OwnKey => Code::BadArguments,
            AdmissionError::NotStored { .. } | AdmissionError::Aborted(_) => Code::Internal,
            _ => Code::Denied,
        };
        Self::new(code, error.to_string())
    }
}

impl From<QuotaError> for RemoteError {
    fn from(error: QuotaError) -> Self {
        Self::new(Code::QuotaExceeded, error.to_string())
    }
}

impl From<std::convert::Infallible> for RemoteError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// The reason why no connection was established.
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing came back in time.
    #[error("no reply; is a node running there, and is this still its address?")]
    NoReply,
    /// There is no address to connect to.
    #[error("no address of it is known")]
    NoAddress,
    /// The server proved another key than the expected one.
    #[error("it holds another key than expected")]
    WrongKey,
    /// The server supports another major version of the protocol.
    #[error("it supports another version of the protocol")]
    WrongVersion,
    /// The server has changed this process's role and closed the connection.
    #[error("the role of this process there has changed")]
    RoleChanged,
    /// The transport's error.
    #[error("{0}")]
    Transport(#[source] Cause),
}

/// The reason why a call has no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CallError {
    /// No connection was established: the call was not sent.
    #[error("cannot reach {peer}: {reason}")]
    Connect {
        /// The address and key fingerprint of the other side.
        peer: String,
        /// The reason.
        #[source]
        reason: ConnectError,
    },
    /// The other side was reached, but does not know this process's key, or no longer does.
    #[error("{0} does not know this process's key; join with a ticket of it first")]
    Unauthorized(
        /// The address and key fingerprint of the other side.
        String,
    ),
    /// The connection broke after the call was sent: it may or may not have run.
    #[error("the connection to {peer} was lost before the reply came: {reason}")]
    Lost {
        /// The address and key fingerprint of the other side.
        peer: String,
        /// The transport's error.
        #[source]
        reason: Cause,
    },
    /// There was no reply within the deadline: the call may or may not have run.
    #[error("no reply within {0:?}")]
    Deadline(Duration),
    /// The other side is at a limit of calls or connections: the call did not run.
    #[error("{0} is busy; try again in a moment")]
    Busy(String),
    /// The reply violates the protocol.
    #[error("protocol error: {0}")]
    Protocol(#[source] Cause),
    /// The other side refused.
    #[error("{0}")]
    Remote(#[from] RemoteError),
    /// This process is shutting its network down.
    #[error("the network of this process is shutting down")]
    Closed,
    /// The object is of a kind that cannot be called yet.
    #[error("{0} is not supported yet")]
    Unsupported(String),
}

impl CallError {
    /// Creates a [`CallError::Protocol`] with a message.
    pub fn protocol(message: impl Into<String>) -> Self {
        Self::Protocol(Cause::from_message(message))
    }

    /// Creates a [`CallError::Protocol`] from an error and its context.
    pub fn protocol_error(
        context: impl fmt::Display,
        error: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self::Protocol(Cause::in_context(context, error))
    }

    /// Reports whether another attempt cannot run the call twice.
    #[must_use]
    pub const fn retriable(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::Unauthorized(_) | Self::Busy(_) | Self::Unsupported(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_truncated_between_characters() {
        let error = RemoteError::new(Code::Internal, "é".repeat(MAX_MESSAGE));
        assert!(error.message.len() <= MAX_MESSAGE);
        assert!(error.message.ends_with('…'));
    }

    #[test]
    fn only_a_call_that_cannot_have_run_is_retriable() {
        let peer = || "p".to_owned();
        assert!(CallError::Busy(peer()).retriable());
        assert!(!CallError::Deadline(Duration::ZERO).retriable());
        let reason = Cause::from_message("");
        assert!(
            !CallError::Lost {
                peer: peer(),
                reason
            }
            .retriable()
        );
    }

    #[test]
    fn a_cause_keeps_its_error_and_travels_as_text() {
        let lost = CallError::Lost {
            peer: "p".to_owned(),
            reason: Cause::from_error(std::io::Error::other("reset")),
        };
        let cause = lost.source().expect("a cause");
        assert!(matches!(cause.source(), Some(e) if e.is::<std::io::Error>()));
        let received: CallError = Value::from_typed(&lost)
            .expect("encodes")
            .to_typed()
            .expect("decodes");
        assert_eq!(received, lost);
        assert!(received.source().expect("text").source().is_none());
    }
}

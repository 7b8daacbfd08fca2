//! Errors of commands: a sentence for people, a code for programs, an exit code for shells.

use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::Serialize;

use super::output::print_stderr;
use crate::{
    files::{describe_error, describe_file_error},
    json,
    net::rpc::error::{CallError, Code},
    node::{NodeError, SessionError},
    queue::error::BrokerError,
};

/// The cause of an error: another error, or a sentence.
type BoxError = Box<dyn Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
#[error("{action}: {}", describe_error(source))]
struct IoError {
    action: String,
    source: io::Error,
}

#[derive(Debug, thiserror::Error)]
#[error("{}", describe_file_error(path, source))]
struct FileError {
    path: PathBuf,
    source: io::Error,
}

/// An error for programs.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ErrorJson {
    code: &'static str,
    message: String,
}

/// An error of a command. `--help` lists the exit codes.
#[derive(Debug)]
pub enum CmdError {
    /// The command failed.
    Failed(BoxError),
    /// An option or argument is invalid.
    Usage(BoxError),
    /// No node could be reached.
    Unreachable(BoxError),
    /// The role is insufficient.
    Denied(BoxError),
    /// There is no such name, task or member.
    NotFound(BoxError),
    /// A task failed, a call returned an error, or the broker lacks an operation.
    Refused(BoxError),
    /// The reader of the output has closed it.
    BrokenPipe,
}

impl CmdError {
    pub(super) fn failed(cause: impl Into<BoxError>) -> Self {
        Self::Failed(cause.into())
    }

    pub(super) fn usage(cause: impl Into<BoxError>) -> Self {
        Self::Usage(cause.into())
    }

    pub(super) fn not_found(cause: impl Into<BoxError>) -> Self {
        Self::NotFound(cause.into())
    }

    pub(super) fn refused(cause: impl Into<BoxError>) -> Self {
        Self::Refused(cause.into())
    }

    /// An error of standard input, standard output or a file.
    pub(super) fn io(action: impl Into<String>, source: io::Error) -> Self {
        let action = action.into();
        Self::failed(IoError { action, source })
    }

    /// An error of a file that could not be written.
    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::failed(FileError { path, source })
    }

    const fn cause(&self) -> Option<&BoxError> {
        match self {
            Self::Failed(cause)
            | Self::Usage(cause)
            | Self::Unreachable(cause)
            | Self::Denied(cause)
            | Self::NotFound(cause)
            | Self::Refused(cause) => Some(cause),
            Self::BrokenPipe => None,
        }
    }

    /// The exit code, and the code in JSON.
    const fn codes(&self) -> (u8, &'static str) {
        match self {
            Self::Failed(_) => (1, "failed"),
            Self::Usage(_) => (2, "usage"),
            Self::Unreachable(_) => (3, "unreachable"),
            Self::Denied(_) => (4, "denied"),
            Self::NotFound(_) => (5, "not_found"),
            Self::Refused(_) => (6, "refused"),
            Self::BrokenPipe => (0, "broken_pipe"),
        }
    }

    /// Prints the error to standard error, as JSON or as a sentence, and returns the exit code.
    #[must_use]
    pub fn report(&self, json: bool) -> ExitCode {
        #[derive(Serialize)]
        struct ReportJson {
            error: ErrorJson,
        }
        if json {
            let error = self.to_json();
            let text = json::to_line(&ReportJson { error }).unwrap_or_default();
            print_stderr(format_args!("{text}"), false);
        } else {
            print_stderr(format_args!("{self}"), true);
        }
        ExitCode::from(self.codes().0)
    }

    /// Returns the error for programs.
    pub(super) fn to_json(&self) -> ErrorJson {
        ErrorJson {
            code: self.codes().1,
            message: self.to_string(),
        }
    }
}

impl fmt::Display for CmdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause() {
            Some(cause) => cause.fmt(f),
            None => f.write_str("the output was closed"),
        }
    }
}

impl Error for CmdError {
    /// The source of the cause, whose own text is the text of this error.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause()?.source()
    }
}

impl From<CallError> for CmdError {
    fn from(error: CallError) -> Self {
        match &error {
            CallError::Remote(remote) => match remote.code {
                Code::NotFound => Self::NotFound(error.into()),
                Code::Denied => Self::Denied(error.into()),
                _ => Self::Refused(error.into()),
            },
            CallError::Unauthorized(_) => Self::Denied(error.into()),
            CallError::Protocol(_) => Self::Failed(error.into()),
            _ => Self::Unreachable(error.into()),
        }
    }
}

impl From<BrokerError> for CmdError {
    fn from(error: BrokerError) -> Self {
        match &error {
            BrokerError::NotFound(_) => Self::NotFound(error.into()),
            BrokerError::Denied(_) => Self::Denied(error.into()),
            BrokerError::Unreachable(_) | BrokerError::Closed => Self::Unreachable(error.into()),
            BrokerError::InvalidTask(_)
            | BrokerError::LimitExceeded(_)
            | BrokerError::UnsupportedOption(_) => Self::Usage(error.into()),
            BrokerError::InvalidTransition { .. }
            | BrokerError::DuplicateKey { .. }
            | BrokerError::IncompletePayload(_)
            | BrokerError::Unsupported { .. }
            | BrokerError::OverQuota { .. }
            | BrokerError::Overloaded { .. } => Self::Refused(error.into()),
            _ => Self::Failed(error.into()),
        }
    }
}

impl From<SessionError> for CmdError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::NotRunning(_) | SessionError::OtherKey { .. } => {
                Self::Unreachable(error.into())
            }
            SessionError::Unknown(_) | SessionError::Ambiguous(_) => Self::NotFound(error.into()),
            SessionError::Call(error) => error.into(),
            SessionError::Ticket(error) => Self::Usage(error.into()),
            SessionError::Known(error) => Self::Failed(error.into()),
            SessionError::Node(error) => error.into(),
        }
    }
}

impl From<NodeError> for CmdError {
    fn from(error: NodeError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<io::Error> for CmdError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::io("cannot write the output", error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_source() {
        let error = CmdError::io("cannot read x", io::Error::other("no disk"));
        assert_eq!(error.to_string(), "cannot read x: no disk");
        let source = error.source().map(ToString::to_string);
        assert_eq!(source.as_deref(), Some("no disk"));
    }
}

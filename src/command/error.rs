//! Why a command failed: a sentence for people, a word for programs, a number for shells.

use std::{fmt, io, process::ExitCode};

use serde::Serialize;

use super::output::print_stderr;
use crate::{
    json,
    net::rpc::error::{CallError, Code},
    node::{NodeError, SessionError},
    queue::error::BrokerError,
};

/// What went wrong. The exit codes are told by `--help`.
#[derive(Debug)]
pub enum CmdError {
    /// It failed.
    Failed(String),
    /// What was asked for makes no sense.
    Usage(String),
    /// No node was reached.
    Unreachable(String),
    /// The role does not reach so far.
    Denied(String),
    /// There is no such thing.
    NotFound(String),
    /// It ran, and the answer is no.
    Refused(String),
    /// Nobody reads the output any more.
    BrokenPipe,
}

impl CmdError {
    fn parts(&self) -> (u8, &'static str, &str) {
        match self {
            Self::Failed(why) => (1, "failed", why),
            Self::Usage(why) => (2, "usage", why),
            Self::Unreachable(why) => (3, "unreached", why),
            Self::Denied(why) => (4, "denied", why),
            Self::NotFound(why) => (5, "missing", why),
            Self::Refused(why) => (6, "refused", why),
            Self::BrokenPipe => (0, "unread", ""),
        }
    }

    /// The sentence.
    pub(super) fn why(&self) -> &str {
        self.parts().2
    }

    /// Says it, as JSON or for people, and gives the exit code.
    #[must_use]
    pub fn report(&self, json: bool) -> ExitCode {
        #[derive(Serialize)]
        struct Report<'a> {
            error: Error<'a>,
        }
        #[derive(Serialize)]
        struct Error<'a> {
            code: &'a str,
            message: &'a str,
        }
        let (exit, code, message) = self.parts();
        if json {
            let error = Error { code, message };
            let text = json::to_line(&Report { error }).unwrap_or_default();
            print_stderr(format_args!("{text}"), false);
        } else {
            print_stderr(format_args!("{message}"), true);
        }
        ExitCode::from(exit)
    }
}

impl fmt::Display for CmdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why())
    }
}

impl std::error::Error for CmdError {}

impl From<CallError> for CmdError {
    fn from(error: CallError) -> Self {
        let text = error.to_string();
        match error {
            CallError::Remote(fault) => match fault.code {
                Code::NotFound => Self::NotFound(text),
                Code::Denied => Self::Denied(text),
                _ => Self::Refused(text),
            },
            CallError::Unauthorized(_) => Self::Denied(text),
            CallError::Protocol(_) => Self::Failed(text),
            _ => Self::Unreachable(text),
        }
    }
}

impl From<BrokerError> for CmdError {
    fn from(error: BrokerError) -> Self {
        let text = error.to_string();
        match error {
            BrokerError::NotFound(_) => Self::NotFound(text),
            BrokerError::Denied(_) => Self::Denied(text),
            BrokerError::Unreachable(_) | BrokerError::Closed => Self::Unreachable(text),
            BrokerError::InvalidTask(_) => Self::Usage(text),
            BrokerError::InvalidTransition { .. }
            | BrokerError::DuplicateKey { .. }
            | BrokerError::Overloaded { .. } => Self::Refused(text),
            _ => Self::Failed(text),
        }
    }
}

impl From<SessionError> for CmdError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::NotRunning(_) => Self::Unreachable(error.to_string()),
            SessionError::Unknown(_) | SessionError::Ambiguous(_) => {
                Self::NotFound(error.to_string())
            }
            SessionError::Call(error) => error.into(),
            SessionError::Ticket(error) => Self::Usage(error.to_string()),
            SessionError::Known(error) => Self::Failed(error.to_string()),
            SessionError::Node(error) => error.into(),
        }
    }
}

impl From<NodeError> for CmdError {
    fn from(error: NodeError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What could not be written: nobody reads it, or the disk is full.
impl From<io::Error> for CmdError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::Failed(format!("cannot write what came of it: {error}")),
        }
    }
}

//! Errors of the member list.

use std::{io, path::PathBuf, sync::Arc};

use super::{MAX_MEMBERS, MAX_TICKETS};

/// A change of the member list that was rejected, or that is not stored.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AdmissionError {
    /// The ticket is unknown, or was issued for another role.
    #[error("this ticket is not known here; ask for another")]
    UnknownTicket,
    /// The ticket was issued for one member, and has been used.
    #[error("this single-use ticket has been used; ask for another")]
    UsedTicket,
    /// The ticket was invalidated.
    #[error("this ticket was withdrawn; ask for a newer one")]
    InvalidatedTicket,
    /// The ticket's lifetime is over.
    #[error("this ticket has expired; ask for another")]
    ExpiredTicket,
    /// The key was revoked after the ticket was issued.
    #[error("this key was revoked; only a ticket issued after that admits it again")]
    RevokedKey,
    /// The limit of valid tickets is reached.
    #[error("the limit of {MAX_TICKETS} valid tickets is reached; invalidate them first")]
    TooManyTickets,
    /// The limit of members is reached.
    #[error("the limit of {MAX_MEMBERS} members is reached; revoke some")]
    TooManyMembers,
    /// The ticket has admitted as many keys as it may.
    #[error("this ticket has admitted {0} keys, which is the quota of a ticket; ask for another")]
    TicketQuota(usize),
    /// Too many keys have joined within a minute.
    #[error("{0} keys have joined within a minute, which is the quota; try again in a minute")]
    JoinRate(usize),
    /// A node cannot revoke its own key.
    #[error("this is the key of this server itself; it cannot be revoked")]
    OwnKey,
    /// The change is in effect, but only until this process ends.
    #[error("done, but it will be lost at the next start: {path}: {error}")]
    NotStored {
        /// The file of the member list.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: Arc<io::Error>,
    },
    /// The change is in effect, but storing it was aborted.
    #[error("done, but it may be lost at the next start: {0}")]
    Aborted(#[source] Arc<tokio::task::JoinError>),
}

/// A member list that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum MembersError {
    /// Other users can change the list of those who may connect.
    #[error(
        "{path} can be read or changed by other users (mode {mode:04o}); \
         review it, then run: chmod 600 {path}"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file cannot be read.
    #[error("cannot read the member list {path}: {error}; move it away, and everyone must rejoin")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        error: MemberFileError,
    },
}

/// The reason why a member file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MemberFileError {
    /// The system's error.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The content is not JSON of this shape.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A key is malformed.
    #[error(transparent)]
    Key(#[from] crate::net::trust::key::ParseKeyError),
    /// The format is newer than this program.
    #[error("it has format version {0}; use a newer distro-tui")]
    Version(u32),
}
